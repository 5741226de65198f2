/**
 * The scores of units: columns of a map → several targets joined → without hidden rows → tokens pooled into units.
 * Every step is pure; columns that are read often are kept until the reader pools otherwise.
 */

import { computed, type ReadonlySignal } from "@preact/signals-core";
import type { Span } from "./layout";
import { addsUp, colsKey, type MapData } from "./map";
import { differenceOfShares } from "./scores";
import { areTokens, type Granularity, joined, masked, type Pool, pooled, pooledError, type Units } from "./units";

export type Pooling = {
  units: ReadonlySignal<Units>;
  granularity: ReadonlySignal<Granularity>;
  pool: ReadonlySignal<Pool>;
  /** Says how the columns of several targets are joined. */
  joint: ReadonlySignal<"sum" | "mean">;
  /** Marks the rows that are left out with 1, or is null if none is. */
  hiddenRows: ReadonlySignal<Uint8Array | null>;
  firstTarget: ReadonlySignal<number>;
  nTargets: ReadonlySignal<number>;
};

export function createPooling({ units, granularity, pool, joint, hiddenRows, firstTarget, nTargets }: Pooling) {
  /** Returns the scores of one column of a map as the kernel sent them, or null before they came. */
  function columnOf(of: MapData | null, col: number): Float32Array | null {
    if (of === null || of.done.value === 0) return null;
    return of.columns[col] ?? null;
  }
  /** Joins several columns to one, before rows are hidden or pooled. */
  function whole(of: MapData | null, cols: Span): Float32Array | null {
    const { start, end } = cols;
    if (of?.difference !== undefined) {
      const [a, b] = of.difference.map((side) => unitScores(side, cols));
      return a && b ? differenceOfShares(a, b) : null;
    }
    if (end - start === 1) return columnOf(of, start);
    const together = of?.together.get(colsKey(cols));
    if (together !== undefined) return together.slice().fill(Number.NaN, firstTarget.value + start);
    const columns: Float32Array[] = [];
    for (let col = start; col < end; col++) {
      const scores = columnOf(of, col);
      if (scores === null) return null;
      columns.push(scores);
    }
    if (columns.length === 0) return null;
    // Scores of a target's own tokens are NaN: they do not explain the target.
    return joined(columns, joint.value).fill(Number.NaN, firstTarget.value + start, firstTarget.value + end);
  }

  /** A cache of pooled columns until the pooling changes: matrix and text read the same columns often. */
  const pools = computed(() => {
    void [units.value, hiddenRows.value, joint.value, pool.value];
    return new WeakMap<Float32Array, Float32Array>();
  });
  const joins = computed(() => {
    void [joint.value, pools.value];
    return new WeakMap<MapData, Map<number, Float32Array>>();
  });

  /** Says how the tokens of a unit are pooled: as the reader chose, but never by a sum where scores do not add up. */
  function poolOf(of: MapData | null): Pool {
    if (granularity.value === "token") return "sum";
    return pool.value === "sum" && of !== null && !addsUp(of, granularity.value) ? "mean" : pool.value;
  }

  /** Returns the scores of the target columns `cols`, one for each unit; null while one column is missing. */
  function unitScores(of: MapData | null, cols: Span): Float32Array | null {
    const scores = joinedOnce(of, cols);
    if (scores === null) return null;
    const fine = areTokens(units.value);
    const asTheyAre = of?.difference !== undefined || (fine && hiddenRows.value === null);
    if (asTheyAre) return scores;
    const known = pools.value.get(scores);
    if (known !== undefined) return known;
    const seen = hiddenRows.value === null ? scores : masked(scores, hiddenRows.value);
    const found = fine ? seen : pooled(seen, units.value, poolOf(of));
    pools.value.set(scores, found);
    return found;
  }

  function joinedOnce(of: MapData | null, cols: Span): Float32Array | null {
    if (of === null || (cols.end - cols.start === 1 && of.difference === undefined)) return whole(of, cols);
    const known = joins.value.get(of) ?? new Map<number, Float32Array>();
    joins.value.set(of, known);
    const key = cols.start * (nTargets.value + 1) + cols.end;
    const found = known.get(key) ?? whole(of, cols);
    if (found !== null) known.set(key, found);
    return found;
  }

  /** Returns the standard error of a unit's score for the target columns `cols`; NaN if it is not known. */
  function unitError(of: MapData | null, cols: Span, unit: number): number {
    const [errors, scores] = [of?.errors.slice(cols.start, cols.end) ?? [], whole(of, cols)];
    const span = units.value.spans[unit];
    if (scores === null || span === undefined || of?.difference !== undefined) return Number.NaN;
    const known = errors.flatMap((column) => column ?? []);
    if (known.length < cols.end - cols.start) return Number.NaN;
    const all = cols.end - cols.start === 1 ? (known[0] as Float32Array) : joined(known, joint.value);
    const seen = hiddenRows.value === null ? scores : masked(scores, hiddenRows.value);
    return pooledError(seen, all, span, poolOf(of));
  }

  return { columnOf, unitScores, unitError, joinedOnce, poolOf };
}
