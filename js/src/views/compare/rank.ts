/** The rank correlation of two columns. Pure. */

import { firstWhere } from "../../layout";

/** Ranks from the smallest score up; equal scores share the mean of their ranks. */
function ranksOf(scores: Float32Array): Float64Array {
  const sorted = scores.slice().sort();
  const below = (holds: (score: number) => boolean) => firstWhere(sorted.length, (k) => holds(sorted[k] as number));
  return Float64Array.from(scores, (own) => (below((score) => score >= own) + below((score) => score > own)) / 2);
}

/**
 * Spearman's rank correlation over the rows that have a score in both, signs and all; NaN where one side ranks nothing.
 * As the kernel computes it (evaluation/measures.py).
 */
export function rankCorrelation(a: Float32Array, b: Float32Array): number {
  const inBoth = (_: number, row: number) => !Number.isNaN((a[row] ?? Number.NaN) + (b[row] ?? Number.NaN));
  const [x, y] = [ranksOf(a.filter(inBoth)), ranksOf(b.filter(inBoth))];
  const middle = x.length / 2; // the mean of ranks that are half of two counts
  let [xy, xx, yy] = [0, 0, 0];
  for (let row = 0; row < x.length; row++) {
    const [u, v] = [(x[row] as number) - middle, (y[row] as number) - middle];
    xy += u * v;
    xx += u * u;
    yy += v * v;
  }
  return xy / Math.sqrt(xx * yy);
}
