/** The (i) of an answer or a comparison: what was done, how to read it, what it does not prove. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import type { WireCard } from "../../protocol";
import type { ViewContext } from "../context";
import { h } from "../dom";
import { createPopover } from "../popover";

function cardOf(title: string, { about, reads, caveats, reference }: WireCard): TemplateResult {
  return html`<h3 class="sw-card-title">${title}</h3>
    ${reads === "" ? nothing : html`<p>${reads}</p>`}
    ${caveats.length === 0 ? nothing : html`<ul>${caveats.map((caveat) => html`<li>${caveat}</li>`)}</ul>`}
    <dl>
      ${about.map(([name, what]) => html`<dt>${name}</dt><dd><bdi>${what}</bdi></dd>`)}
      ${reference === "" ? nothing : html`<dt>Source</dt><dd>${reference}</dd>`}
    </dl>`;
}

/** While an answer is being written there is nothing to say of it. */
export function isBlank({ about, reads, caveats, reference }: WireCard): boolean {
  return about.length + reads.length + caveats.length + reference.length === 0;
}

/** A button that opens the card; `card` is asked for it each time. */
export function cardButton(
  { layer, signal }: ViewContext,
  name: string,
  card: () => { title: string; card: WireCard } | null,
): HTMLElement {
  const button = h("button", { type: "button", className: "sw-round sw-info", ariaLabel: name }, "i");
  const panel = h("div", { role: "dialog", ariaLabel: name, tabIndex: -1 });
  const popover = createPopover({
    button,
    panel,
    layer,
    signal,
    placement: "bottom-end",
    fill: () => {
      const found = card();
      render(found === null ? nothing : cardOf(found.title, found.card), panel);
    },
  });
  button.addEventListener("click", popover.toggle, { signal });
  return button;
}
