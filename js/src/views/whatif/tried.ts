/** A tried change with its measured and its predicted effect. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { percent, share } from "../../format";
import type { Change, WhatIf } from "../../protocol";
import type { Store } from "../../store";
import { tryOut } from "../chosen";
import type { ViewContext } from "../context";
import { h, hasFocus, liveRegion, watch } from "../dom";
import { focusTarget } from "../input";
import { nameOfTargets } from "../words";
import { mostChanged, prediction, struckNames, together } from "./change";

const MOST = 5;

export function undoWhatIf(context: ViewContext): void {
  if (context.store.whatIf.value !== null) tryOut(context, {});
}

export function triedView(context: ViewContext): HTMLElement {
  const { store, send, signal, layer } = context;
  const bar = h("div", { className: "sw-tried", role: "group", ariaLabel: "What if" });
  const live = liveRegion();
  layer.append(live);
  let told: WhatIf | null = null;

  watch(signal, () => {
    const { value: whatIf } = store.whatIf;
    if (whatIf === null && hasFocus(bar)) focusTarget(context, bar);
    bar.hidden = whatIf === null;
    render(whatIf === null ? nothing : tried(whatIf), bar);
    if (whatIf === told) return; // another target is on show
    told = whatIf;
    live.textContent = bar.querySelector(".sw-effect")?.textContent?.replace("→", "now") ?? "";
  });

  const tried = (whatIf: WhatIf) => html`<div class="sw-tried-line">
      <span class="sw-effect"><span>${cause(store, whatIf)}</span> ${effect(store, whatIf)}</span>
      <span class="sw-actions-buttons">
        <button type="button" class="sw-button" @click=${() => undoWhatIf(context)}>Undo</button>
        <button type="button" class="sw-button" @click=${() => send({ type: "keep", ...changeOf(whatIf) })}>Show its map</button>
      </span>
    </div>
    <details class="sw-fold">
      <summary>All targets</summary>
      <table class="sw-changes">
        <tr><th>most changed</th><th>before</th><th>after</th><th>change</th></tr>
        ${mostChanged(whatIf, MOST).map(
          ({ col, before, after }) =>
            html`<tr><td><bdi>${nameOfTargets(store, { start: col, end: col + 1 })}</bdi></td><td>${share(before)}</td><td>${share(after)}</td><td>${change(after - before)}</td></tr>`,
        )}
      </table>
      <p class="sw-muted">With another text the model may weigh all else anew: the two need not agree.</p>
    </details>`;
  return bar;
}

const changeOf = ({ rows, text }: WhatIf): Change => (text === null ? { rows } : { text });

function cause(store: Store, { rows, text }: WhatIf): TemplateResult {
  return text !== null
    ? html`With the edited text:`
    : html`Without ${struckNames(store, rows).map((name, k) => html`${k > 0 ? ", " : ""}“<bdi>${name}</bdi>”`)}:`;
}

/** Returns the effect on the targets on show; on the first one only for classes, which have no joint probability. */
function effect(store: Store, { rows, text, before, after }: WhatIf): TemplateResult | typeof nothing {
  const { value: all } = store.targetCols;
  if (all === null) return nothing;
  const cols = store.kind.value === "classes" ? { start: all.start, end: all.start + 1 } : all;
  const [was, is] = [together(before, cols), together(after, cols)];
  const name = html`<bdi class="sw-target-name">${nameOfTargets(store, cols)}</bdi>`;
  if (was === null || is === null) return html`${name} is struck out itself`;
  const said = prediction(store, rows, cols);
  return html`${name}
    <span class="sw-two-bars" aria-hidden="true">${[was, is].map((p) => html`<i style="width: ${100 * Math.min(1, p)}%"></i>`)}</span>
    <span class="sw-probability">p ${share(was)} → <b>${share(is)}</b> (${change(is - was)})</span>
    <span class="sw-muted">${
      text !== null
        ? "an edit has no prediction"
        : said === null
          ? nothing
          : said.change !== null
            ? `the map predicted ${change(said.change)}`
            : `the map gave ${rows.length > 1 ? "them" : "it"} ${percent(said.share)} of this column`
    }</span>`;
}

function change(by: number): string {
  return by > 0 ? `+${share(by)}` : share(by);
}
