/** The card of a method, an answer or a comparison, behind an (i): how to read it, and what it does not prove. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import type { WireCard } from "../protocol";
import type { ViewContext } from "./context";
import { h } from "./dom";
import { createPopover } from "./popover";

/** `first`, `more`: sentences on how to read it, before all others and after them. */
export function cardOf(
  title: string,
  { about, reads, caveats, reference }: WireCard,
  first: TemplateResult | typeof nothing = nothing,
  more: TemplateResult | typeof nothing = nothing,
): TemplateResult {
  return html`<h3 class="sw-card-title">${title}</h3>
    ${first}
    ${reads === "" ? nothing : html`<p>${reads}</p>`}
    ${caveats.length === 0 ? nothing : html`<ul>${caveats.map((caveat) => html`<li>${caveat}</li>`)}</ul>`} ${more}
    <dl>
      ${about.map(([name, what]) => html`<dt>${name}</dt><dd><bdi>${what}</bdi></dd>`)}
      ${reference === "" ? nothing : html`<dt>Source</dt><dd>${reference}</dd>`}
    </dl>`;
}

/** Returns a button that opens a card, which is made each time. */
export function cardButton(
  context: ViewContext,
  name: string,
  card: () => TemplateResult | typeof nothing,
): HTMLElement {
  const button = h("button", { type: "button", className: "sw-round sw-info", ariaLabel: name }, "i");
  const panel = h("div", { role: "dialog", ariaLabel: name });
  createPopover(context, button, panel, "end", () => render(card(), panel));
  return button;
}
