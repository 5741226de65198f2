/** The measured and the predicted effect of a change on the targets. */

import { html, type TemplateResult } from "lit-html";
import type { Span } from "../../layout";
import type { Change, WhatIf } from "../../protocol";
import { shareOf } from "../../scores";
import type { Store } from "../../store";
import { nameOf } from "../words";

/** Returns the joint probability of successive targets; null if one was struck. */
export function together(ps: readonly (number | null)[], { start, end }: Span): number | null {
  return ps.slice(start, end).reduce((all, p) => (all === null || p === null ? null : all * p), 1);
}

/** Returns the names of the struck tokens; neighbours have one name. */
function struckNames(store: Store, rows: readonly number[]): string[] {
  const runs: Span[] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last?.end === row) last.end++;
    else runs.push({ start: row, end: row + 1 });
  }
  return runs.map((run) => nameOf(store, run));
}

/** Returns the quoted names of the struck tokens, with commas between them. */
export function struckQuoted(store: Store, rows: readonly number[]): TemplateResult[] {
  return struckNames(store, rows).map((name, k) => html`${k > 0 ? ", " : ""}“<bdi>${name}</bdi>”`);
}

/** Returns the change that was tried, as a message says it. */
export const changeOf = ({ rows, text }: WhatIf): Change => (text === null ? { rows: [...rows] } : { text });

/**
 * Returns the map's prediction for the struck tokens: a change of the probability if signed scores are its parts,
 * otherwise the share of the column; null if the map has no scores.
 */
export function prediction(
  store: Store,
  rows: readonly number[],
  { start, end }: Span,
): { change: number | null; share: number } | null {
  let [sum, share, seen] = [0, 0, 0];
  for (let col = start; col < end; col++) {
    const scores = store.column(col);
    if (scores === null) return null;
    for (const row of rows) {
      const own = shareOf(scores, row);
      if (Number.isNaN(own)) continue;
      sum += scores[row] ?? 0;
      share += own / (end - start);
      seen++;
    }
  }
  const { objective, foil } = store.map.value?.info ?? {};
  const adds =
    store.signed.value &&
    store.method.value?.uses_objective &&
    objective === (store.raw.value ? "logit" : "probability") &&
    foil === null &&
    end - start === 1;
  return seen === 0 ? null : { change: adds ? -sum : null, share };
}

/** Returns the columns that changed most, the largest change first, without struck targets. */
export function mostChanged({ before, after }: WhatIf, n: number): { col: number; before: number; after: number }[] {
  const size = (one: { before: number; after: number }) => Math.abs(one.after - one.before);
  return before
    .flatMap((p, col) => ({ col, before: p, after: after[col] ?? p }))
    .filter((one) => size(one) > 0)
    .sort((a, b) => size(b) - size(a))
    .slice(0, n);
}
