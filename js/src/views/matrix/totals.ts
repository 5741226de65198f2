/** The sums of a matrix, updated by each column as it comes: no column is summed twice. Pure. */

import { hasShares, statsOf } from "../../scores";

/**
 * `rows`: the sizes of a row, as shares of their columns or (raw) as they are. `cols`: the sizes of a column, NaN until it
 * is here. `max`: the largest size of all; `sample`: sizes from everywhere, to rank by.
 */
export type Totals = {
  rows: Float64Array;
  cols: Float64Array;
  largestRow: number;
  largestCol: number;
  max: number;
  sample: number[];
};

const SAMPLE = 40_000; // cells: a ramp of 64 steps needs no more to rank by

export function totalsOf(nRows: number, nCols: number): Totals {
  return {
    rows: new Float64Array(nRows),
    cols: new Float64Array(nCols).fill(Number.NaN),
    largestRow: 0,
    largestCol: 0,
    max: 0,
    sample: [],
  };
}

export function addTo(totals: Totals, col: number, scores: Float32Array, raw: boolean): void {
  const { rows, cols, sample } = totals;
  const { l1 } = statsOf(scores);
  const unit = raw ? 1 : l1;
  const stride = Math.ceil((rows.length * cols.length) / SAMPLE);
  cols[col] = l1;
  if (!hasShares(l1)) return;
  totals.largestCol = Math.max(totals.largestCol, l1);
  for (let row = 0; row < scores.length; row++) {
    const size = Math.abs(scores[row] as number);
    if (!(size > 0)) continue;
    if (size > totals.max) totals.max = size;
    if ((row + col) % stride === 0) sample.push(size); // another part of each column
    const sum = (rows[row] as number) + size / unit;
    rows[row] = sum;
    if (sum > totals.largestRow) totals.largestRow = sum;
  }
}

/** Rows by the size of their score, largest first; those without one come last. Equals stay in the order of the text. */
export function sortedRows(scores: Float32Array): { rows: Int32Array; places: Int32Array } {
  const size = (row: number) => {
    const own = Math.abs(scores[row] as number);
    return Number.isNaN(own) ? -1 : own;
  };
  const rows = Int32Array.from(scores, (_, row) => row).sort((a, b) => size(b) - size(a) || a - b);
  const places = new Int32Array(rows.length);
  for (let place = 0; place < rows.length; place++) places[rows[place] as number] = place;
  return { rows, places };
}
