/** The measured effect of a change on the targets, and the effect that the map predicted. */

import type { Span } from "../../layout";
import type { WhatIf } from "../../protocol";
import { shareOf } from "../../scores";
import type { Store } from "../../store";
import { nameOf } from "../words";

/** The probability of successive targets together; null where one of them is gone. */
export function together(ps: readonly (number | null)[], { start, end }: Span): number | null {
  return ps.slice(start, end).reduce((all, p) => (all === null || p === null ? null : all * p), 1);
}

/** The struck tokens by name, neighbours as one. */
export function struckNames(store: Store, rows: readonly number[]): string[] {
  const runs: Span[] = [];
  for (const row of rows) {
    const last = runs.at(-1);
    if (last?.end === row) last.end++;
    else runs.push({ start: row, end: row + 1 });
  }
  return runs.map((run) => nameOf(store, run));
}

/**
 * What the map had said of the struck tokens. Scores with a sign that are parts of the probability add up to a change
 * of it; of all others only the share of the column can be told. null where the map says nothing.
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

/** The columns that changed most, the largest change first; those that are gone left out. */
export function mostChanged({ before, after }: WhatIf, n: number): { col: number; before: number; after: number }[] {
  const size = (one: { before: number; after: number }) => Math.abs(one.after - one.before);
  return before
    .flatMap((p, col) => ({ col, before: p, after: after[col] ?? p }))
    .filter((one) => size(one) > 0)
    .sort((a, b) => size(b) - size(a))
    .slice(0, n);
}
