/** A map with the columns that have arrived so far. */

import { type Signal, signal } from "@preact/signals-core";
import { type Column, type MapBegins, ProtocolError } from "./protocol";
import { isSame, withRows } from "./scores";

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

/** Returns a map that begins, or began before with fewer rows or columns: its columns stay. */
export function begun(info: MapBegins, old?: MapData): MapData {
  const keep = old !== undefined && old.info.n_rows <= info.n_rows; // more rows if the text is still being written
  const columns = keep
    ? old.columns.slice(0, info.n_cols).map((scores) => scores && withRows(scores, info.n_rows))
    : [];
  const done = columns.reduce((n, scores) => n + (scores === undefined ? 0 : 1), 0);
  const errors = keep ? old.errors.slice(0, info.n_cols).map((of) => of && withRows(of, info.n_rows)) : [];
  const floors = keep ? old.floors.slice(0, info.n_cols) : [];
  // Views that hold the old arrays see new columns too.
  const isOfSize = keep && old.info.n_rows === info.n_rows && old.info.n_cols === info.n_cols;
  return { ...(isOfSize ? old : { columns, errors, floors, done: signal(done), together: new Map() }), info };
}

/**
 * Adds a column to a map. Returns the same map if nothing but its number of columns changes, else a new one, so that
 * everything derived is computed again. Throws ProtocolError for a column that the map has no place for.
 */
export function withColumn(data: MapData, { col, n_cols, n_rows, floor, scores, errors }: Column): MapData {
  const { info } = data;
  if (n_rows > info.n_rows || col + n_cols > info.n_cols)
    throw new ProtocolError(`column ${col} of ${n_rows} rows in a map of ${info.n_rows} × ${info.n_cols}`);
  const [own, ownErrors] = [withRows(scores, info.n_rows), errors && withRows(errors, info.n_rows)];
  if (n_cols > 1)
    return { ...data, together: new Map(data.together).set(colsKey({ start: col, end: col + n_cols }), own) };
  const known = data.columns[col];
  // A replayed column is equal: keep the old arrays, so that nothing derived from them changes.
  if (known && isSame(known, own) && isSame(data.errors[col] ?? null, ownErrors)) return data;
  data.columns[col] = own;
  data.errors[col] = ownErrors;
  data.floors[col] = floor;
  if (known !== undefined) return { ...data };
  data.done.value++;
  return data;
}

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
