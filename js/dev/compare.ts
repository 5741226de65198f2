/** Maps that stand beside the one on show: the messages of each, and its numbers. */

import type { MapBegins } from "../src/protocol";
import type { Beside } from "../src/store";
import { PLAIN_MAP } from "./plain-map";

type Score = (row: number, col: number) => number;
type Size = { nRows: number; nCols: number };

/** By the id of the map. */
export const OTHERS: Record<string, Score> = {
  attention: (row, col) => (row === 0 ? 0.5 : 0.08) / (1 + 0.2 * ((row * 7 + col * 3) % 5)),
  occlusion: (row, col) => 0.2 * Math.sin(1.7 * row + col) * (row === 8 ? 3 : 1) + (row === 2 ? 0.15 : 0),
  integrated_gradients: (row, col) => 0.05 * Math.cos(2.3 * row + 0.7 * col),
  steps: (row, col) => 0.05 * Math.cos(2.3 * row + 0.7 * col) + 0.01 * Math.sin(5 * row),
};

/** The map `map` and its first `done` columns. */
export function aside(map: string, { nRows, nCols }: Size, done = nCols, more: Partial<MapBegins> = {}) {
  const begins: MapBegins = {
    ...PLAIN_MAP,
    map,
    method: map,
    aside: true,
    n_rows: nRows,
    n_cols: nCols,
    ...more,
  };
  const columns = Array.from({ length: done }, (_, col) => ({
    type: "column",
    floor: null,
    map,
    seq: col + 1,
    col,
    n_rows: nRows,
  }));
  return [begins, ...columns];
}

export const beside = (...methods: string[]): Beside[] =>
  methods.map((method) => ({ method, objective: "probability" }));
