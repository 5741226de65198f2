/** A map with the columns that have arrived so far. */

import type { Signal } from "@preact/signals-core";
import type { MapBegins } from "./protocol";

/**
 * A map whose columns arrive one by one. `done` counts them; derived values read it to be notified of new ones.
 * `difference`: the map shows the shares of one map minus those of another, and its own columns are not used.
 */
export type MapData = {
  info: MapBegins;
  columns: (Float32Array | undefined)[];
  /** The standard errors of a column's scores, if known. */
  errors: (Float32Array | null | undefined)[];
  /** The size below which a column's scores are noise, if known. */
  floors: (number | null | undefined)[];
  done: Signal<number>;
  /** The scores of several targets as one, by `colsKey`. They are computed before the columns of a long answer. */
  together: Map<string, Float32Array>;
  difference?: readonly [MapData, MapData];
};

/** Returns the name of some columns. */
export function colsKey({ start, end }: { start: number; end: number }): string {
  return `${start}-${end}`;
}

/** Tells whether all requested columns have arrived. */
export function isWhole({ info, done, difference }: MapData): boolean {
  return done.value >= dueIn(info) && (difference ?? []).every(isWhole);
}

/** Returns the number of columns that were requested. */
export function dueIn({ due, col, n_cols }: MapBegins): number {
  return due ?? (col === null ? n_cols : 1);
}

/**
 * Tells whether the scores of tokens add up to those of such units. Those of Banzhaf values do only where these are the
 * units whose values were computed: each token has an equal part of its unit's.
 */
export function addsUp({ info }: MapData, unit: string): boolean {
  const { estimand, unit: of } = Object.fromEntries(info.settings);
  return estimand !== "banzhaf" || unit === "token" || unit === of;
}

/** "share": a score over the column's L1 norm. "raw": the score itself, with one scale for all columns of a matrix. */
export type Measure = "share" | "raw";
