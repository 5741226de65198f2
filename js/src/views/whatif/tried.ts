/** A tried change with its measured and its predicted effect. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { percent, share, significant } from "../../format";
import type { Span } from "../../layout";
import type { WhatIf } from "../../protocol";
import type { Store } from "../../store";
import { tryOut } from "../chosen";
import type { ViewContext } from "../context";
import { h, hasFocus, liveRegion, watch } from "../dom";
import { focusTarget } from "../input";
import { nameOfTargets, pOf } from "../words";
import { changeOf, mostChanged, prediction, struckQuoted, together } from "./change";

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
      <span class="sw-effect"><span>${cause(store, whatIf)}</span> ${effect(store, whatIf, headlineOf(store, whatIf))} ${
        whatIf.text === null ? nothing : html`<span class="sw-muted">an edit has no prediction</span>`
      }</span>
      <span class="sw-actions-buttons">
        <button type="button" class="sw-button" @click=${() => undoWhatIf(context)}>Undo</button>
        <button type="button" class="sw-button" @click=${() => send({ type: "keep", ...changeOf(whatIf) })}>Show its map</button>
      </span>
    </div>
    <div class="sw-effect-shown sw-muted">${alsoOnShow(store, whatIf)}</div>
    <details class="sw-fold">
      <summary>All targets</summary>
      <table class="sw-changes">
        <tr><th>most changed</th><th>before</th><th>after</th><th>change</th></tr>
        ${mostChanged(whatIf, MOST).map(
          ({ col, before, after }) =>
            html`<tr><td><bdi>${nameOfTargets(store, { start: col, end: col + 1 })}</bdi></td><td>${figureOf(store, before)}</td><td>${figureOf(store, after)}</td><td>${change(store, after - before)}</td></tr>`,
        )}
      </table>
      <p class="sw-muted">${wayOf(whatIf)}With another text the model may weigh all else anew: the two need not agree.</p>
    </details>`;
  return bar;
}

function cause(store: Store, { rows, text }: WhatIf): TemplateResult {
  return text !== null ? html`With the edited text:` : html`Without ${struckQuoted(store, rows)}:`;
}

/** Returns a sentence on how struck tokens were taken away. */
function wayOf({ operator, reason }: WhatIf): string {
  if (operator === null) return "";
  return operator === "mask"
    ? "No token could attend to what is struck out, and all others kept their places. Its map is of the text closed up, whose numbers may differ. "
    : `The text closed up where tokens were struck out. ${reason ?? ""} `;
}

/** The target that changed most; where none did, the one on show. */
function headlineOf(store: Store, whatIf: WhatIf): Span | null {
  const [most] = mostChanged(whatIf, 1);
  return most === undefined ? onShow(store) : { start: most.col, end: most.col + 1 };
}

/** The targets on show; only the first one of classes, which do not follow each other. */
function onShow({ targetCols, kind }: Store): Span | null {
  const { value: all } = targetCols;
  return all !== null && kind.value === "classes" ? { start: all.start, end: all.start + 1 } : all;
}

/** The effect on the targets on show, where it is not the headline. */
function alsoOnShow(store: Store, whatIf: WhatIf): TemplateResult | typeof nothing {
  const [head, cols] = [headlineOf(store, whatIf), onShow(store)];
  const isSame = head?.start === cols?.start && head?.end === cols?.end;
  return isSame || cols === null ? nothing : html`<span>on show:</span> ${effect(store, whatIf, cols)}`;
}

function effect(
  store: Store,
  { rows, text, before, after }: WhatIf,
  cols: Span | null,
): TemplateResult | typeof nothing {
  if (cols === null) return nothing;
  const [was, is] = [together(before, cols), together(after, cols)];
  const name = html`<bdi class="sw-target-name">${nameOfTargets(store, cols)}</bdi>`;
  if (was === null || is === null) return html`${name} is struck out itself`;
  const said = prediction(store, rows, cols);
  const { value: raw } = store.raw;
  const bars = [was, is].map((p) => html`<i style="width: ${100 * Math.min(1, p)}%"></i>`);
  return html`${name}
    ${raw ? nothing : html`<span class="sw-two-bars" aria-hidden="true">${bars}</span>`}
    <span class="sw-probability">${raw ? "" : `${pOf(cols)} `}${figureOf(store, was)} → <b>${figureOf(store, is)}</b> (${change(store, is - was)})</span>
    <span class="sw-muted">${
      text !== null || said === null
        ? nothing
        : said.change !== null
          ? `the map predicted ${change(store, said.change)}`
          : `the map gave ${rows.length > 1 ? "them" : "it"} ${percent(said.share)} of this column`
    }</span>`;
}

/** A probability, or the value that a model gives in its place. */
function figureOf({ raw }: Store, value: number): string {
  return raw.value ? significant(value) : share(value);
}

function change(store: Store, by: number): string {
  return by > 0 ? `+${figureOf(store, by)}` : figureOf(store, by);
}
