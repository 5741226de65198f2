/** The contents of tooltips. Text and matrix show the same one for the same cell. */

import { html, nothing, type TemplateResult } from "lit-html";
import { percent, plural, share, significant } from "../format";
import type { Span } from "../layout";
import { labelOf, nameOfSpan, partOf } from "../pieces";
import type { Role, WireToken } from "../protocol";
import { rankOf, shareOf, statsOf } from "../scores";
import type { MapData, Store } from "../store";
import { unitAt } from "../units";
import { isTarget, nameOfRun } from "./text/boxes";
import type { Side } from "./tooltip";
import { nameOf, nameOfTargets, outputsOf, pOf, probabilityOf } from "./words";

const ROLE_NAMES: Record<Exclude<Role, "special" | "class">, string> = {
  source: "source",
  prompt: "prompt",
  generated: "written by the model",
};

function heading(store: Store, token: WireToken, row: number, of: MapData | null): TemplateResult {
  const unit = unitAt(store.units.value, row) ?? { start: row, end: row + 1 };
  const part = unit.end - unit.start > 1 ? "" : partOf(token);
  const role =
    token.role === "special"
      ? store.specialName.value
      : token.role === "class"
        ? outputsOf(store).one
        : ROLE_NAMES[token.role];
  return html`<div class="sw-tooltip-head"><bdi>${nameOf(store, unit, of)}</bdi>${part === "" ? nothing : html`, ${part}`}</div>
    <div class="sw-tooltip-role">${probability(store, row, unit) ?? role} · position ${row}</div>`;
}

/** Returns the line about the target that contains token `row`, with its name if the tip is about a larger unit. */
function probability(store: Store, row: number, { start, end }: Span): TemplateResult | null {
  const col = row - store.firstTarget.value;
  const cols = store.unitCols(col);
  const p = col < 0 ? null : probabilityOf(store, { cols });
  if (p === null) return null;
  const name = end - start === cols.end - cols.start ? nothing : html`<bdi>${nameOfTargets(store, cols)}</bdi>: `;
  return html`${name}${pOf(cols)} = <b>${share(p)}</b>`;
}

/** Returns the line with the share of an input (its unit) for targets, or the reason why it has none. */
function weight(store: Store, row: number, cols: Span, of: MapData | null): TemplateResult | typeof nothing {
  const first = store.firstTarget.value + cols.start;
  if (row >= first && row < store.firstTarget.value + cols.end) return nothing;
  const scores = store.unitScores(of, cols);
  const aim = html`for <bdi>${nameOfTargets(store, cols)}</bdi>`;
  if (scores === null) return html`<div>${aim}: not computed</div>`;
  const unit = store.units.value.of[row] ?? 0;
  const rank = rankOf(scores, unit);
  if (rank === null) return html`<div>${aim}: ${silence(store, row, first)}</div>`;
  if (of?.difference !== undefined) {
    const [a, b] = of.difference.map((side) => share(shareOf(store.unitScores(side, cols) ?? scores, unit)));
    return html`<div>${a} less ${b}: <b>${share(shareOf(scores, unit))}</b></div>
      <div>of the shares ${aim}</div>`;
  }
  return html`<div>share <b>${share(shareOf(scores, unit))}</b> · rank <b>${rank}</b> of ${statsOf(scores).visible}</div>
    <div>score ${significant(scores[unit] ?? Number.NaN)}${plusMinus(store, unit, cols, of)} ${aim}</div>`;
}

/** Returns the standard error of a unit's score, if known; one of 0 is that of an exact score. */
function plusMinus(store: Store, unit: number, cols: Span, of: MapData | null): string {
  const error = store.unitError(of, cols, unit);
  return Number.isNaN(error) ? "" : error === 0 ? " (exact)" : ` ± ${significant(error)}`;
}

function silence({ hiddenRows }: Store, row: number, first: number): string {
  if (hiddenRows.value?.[row]) return "left out of the shares, not counted";
  return row < first ? "it has no score" : "comes after it, so it cannot matter";
}

/**
 * Returns the side of a box's tooltip: a target's must not cover the inputs above it.
 */
export function sideOf(box: HTMLElement): Side {
  const top = (of: Element | null) => of?.getBoundingClientRect().top ?? 0;
  return isTarget(box) && top(box) - top(box.closest(".sw-text")) > box.offsetHeight ? "bottom" : "top";
}

/** Returns the tooltip of token `row` of the text, or of its unit, for the target columns `cols` of a map. */
export function tokenTip(store: Store, row: number, cols: Span | null, of = store.map.value): TemplateResult {
  const token = store.tokens.value[row];
  if (token === undefined) return html``;
  return html`${heading(store, token, row, of)}${cols === null ? nothing : weight(store, row, cols, of)}`;
}

/** The same of an input, with what can be done about it: `strike` by a press, where there is a model to ask. */
export function inputTip(store: Store, row: number, cols: Span | null, strike: () => void): TemplateResult {
  const keepFocus = (event: Event) => event.preventDefault(); // where it leaves the text, the tip goes
  const isInput = row < store.firstTarget.value && store.alive.value;
  // Who has no mouse has the key.
  return html`${tokenTip(store, row, cols)}${
    isInput
      ? html`<div><button type="button" class="sw-button sw-strike" tabindex="-1" aria-hidden="true" @mousedown=${keepFocus} @click=${strike}>Strike out <kbd>s</kbd></button></div>`
      : nothing
  }`;
}

/** The tip of a folded run of tokens. */
export function chipTip(store: Store, start: number, end: number, held: number): TemplateResult {
  const { value: all } = store.tokens;
  const isThinking = start >= store.firstTarget.value;
  const text = isThinking ? nameOfSpan(all, { start, end }) : all.slice(start, end).map(labelOf).join(" ");
  return html`<div class="sw-tooltip-head">${plural(end - start, `${nameOfRun(store, start)} token`)}</div>
    <div class="sw-tooltip-role"><bdi>${text}</bdi></div>
    ${Number.isNaN(held) ? nothing : html`<div>together <b>${percent(held)}</b> of this column</div>`}`;
}
