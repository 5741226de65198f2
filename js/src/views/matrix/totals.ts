/** The sums of a matrix, updated when a column arrives: no column is summed twice. Pure. */

import { hasShares, statsOf } from "../../scores";

/**
 * `rows`: the sum of each row's |shares|, or of |scores| for the raw measure. `cols`: the sum of each column's
 * |scores|, NaN until it arrives. `max`: the largest |score|; `sample`: |scores| of spread cells, to rank by.
 */
export type Totals = {
  rows: Float64Array;
  cols: Float64Array;
  largestRow: number;
  largestCol: number;
  max: number;
  sample: number[];
};

const SAMPLE = 40_000; // cells: enough to rank by for a ramp of 64 steps

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
    if ((row + col) % stride === 0) sample.push(size); // other rows in each column
    const sum = (rows[row] as number) + size / unit;
    rows[row] = sum;
    if (sum > totals.largestRow) totals.largestRow = sum;
  }
}

/** Sorts rows by |score|, largest first; rows without a score are last. Equal ones keep the order of the text. */
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
