/** What the tooltips say. The text and the matrix show the same tip for the same cell. */

import { html, nothing, type TemplateResult } from "lit-html";
import { percent, plural, share, significant } from "../format";
import { labelOf, partOf } from "../pieces";
import type { Role, WireToken } from "../protocol";
import { rankOf, shareOf, statsOf } from "../scores";
import type { Store } from "../store";
import type { Side } from "./tooltip";

const ROLE_NAMES: Record<Exclude<Role, "special">, string> = {
  source: "source",
  prompt: "prompt",
  generated: "written by the model",
  class: "class",
};

function heading({ specialName }: Store, token: WireToken, row: number): TemplateResult {
  const part = partOf(token);
  const role = token.role === "special" ? specialName.value : ROLE_NAMES[token.role];
  return html`<div class="sw-tip-head"><bdi>${labelOf(token)}</bdi>${part === "" ? nothing : html`, ${part}`}</div>
    <div class="sw-tip-role">${role} · position ${row}</div>`;
}

/** How much an input weighs for a target, or why there is nothing to say. */
function weight(store: Store, row: number, col: number): TemplateResult | typeof nothing {
  const at = store.firstTarget.value + col;
  const target = store.tokens.value[at];
  const scores = store.column(col);
  if (target === undefined || at === row) return nothing;
  const aim = html`for <bdi>${labelOf(target)}</bdi>`;
  if (scores === null) return html`<div class="sw-tip-row">${aim}: not computed yet</div>`;
  const rank = rankOf(scores, row);
  if (rank === null)
    return html`<div class="sw-tip-row">${aim}: ${row < at ? "nothing was said of it" : "comes after it, so it cannot matter"}</div>`;
  return html`<div class="sw-tip-row">share <b>${share(shareOf(scores, row))}</b> · rank <b>${rank}</b> of ${statsOf(scores).visible}</div>
    <div class="sw-tip-row">score ${significant(scores[row] ?? Number.NaN)} ${aim}</div>`;
}

function probability(store: Store, token: number): TemplateResult | typeof nothing {
  const step = store.steps.value[token - store.firstTarget.value];
  return token < store.firstTarget.value || step === undefined
    ? nothing
    : html`<div class="sw-tip-row">p = <b>${share(step.probability)}</b></div>`;
}

/** Where the tip of token `row` stands: that of a translated word not over the source, which the word colours. */
export function sideOf({ kind, firstTarget }: Store, row: number): Side {
  return kind.value === "pair" && row >= firstTarget.value ? "bottom" : "top";
}

/** For token `row` of the text, seen from target column `col`. */
export function tokenTip(store: Store, row: number, col: number | null): TemplateResult {
  const token = store.tokens.value[row];
  if (token === undefined) return html``;
  return html`${heading(store, token, row)}${probability(store, row)}${col === null ? nothing : weight(store, row, col)}`;
}

/** For a folded run of template tokens. */
export function chipTip(store: Store, start: number, end: number, held: number): TemplateResult {
  const texts = store.tokens.value.slice(start, end).map(labelOf).join(" ");
  return html`<div class="sw-tip-head">${plural(end - start, `${store.specialName.value} token`)}</div>
    <div class="sw-tip-role"><bdi>${texts}</bdi></div>
    ${Number.isNaN(held) ? nothing : html`<div class="sw-tip-row">together <b>${percent(held)}</b> of this column</div>`}`;
}
