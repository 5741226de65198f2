/** A map with the columns that have come so far. */

import type { Signal } from "@preact/signals-core";
import type { MapBegins } from "./protocol";

/**
 * A matrix that fills up. `done` counts its columns; reading it is how a derived value learns of a new one. `difference`:
 * its own do not count, for it shows how much larger the shares of the one map are than those of the other.
 */
export type MapData = {
  info: MapBegins;
  columns: (Float32Array | undefined)[];
  /** The standard errors of a column's scores, where they are known. */
  errors: (Float32Array | null | undefined)[];
  done: Signal<number>;
  difference?: readonly [MapData, MapData];
};

/** Whether all requested columns are here. */
export function isWhole({ info, done, difference }: MapData): boolean {
  return done.value >= (info.col === null ? info.n_cols : 1) && (difference ?? []).every(isWhole);
}

/** "share": of a column's sum of sizes. "raw": as the method defines it, all columns of a matrix on one scale. */
export type Measure = "share" | "raw";
