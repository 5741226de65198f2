/** One column of scores, with its shares, ranks and strongest rows. Pure; imports nothing. */

/**
 * `l1`: the sum of |score| over the `visible` rows. A share is score / l1; `max` is the largest |share|. If l1 is 0 or
 * not finite there are no shares, and `max` is 0.
 */
export type ColumnStats = { l1: number; max: number; visible: number };

/** Returns whether two columns hold the same numbers, with NaN in the same places. */
export function isSame(a: Float32Array | null, b: Float32Array | null): boolean {
  return a === b || (a !== null && b !== null && a.every((value, row) => Object.is(value, b[row])));
}

/** Returns a column extended to n rows with NaN: its target cannot see rows that were added later. */
export function withRows(scores: Float32Array, n: number): Float32Array {
  if (scores.length === n) return scores;
  const out = new Float32Array(n).fill(Number.NaN);
  out.set(scores);
  return out;
}

const known = new WeakMap<Float32Array, ColumnStats>();

/** Returns a column's statistics, computed once: its numbers never change (a better estimate is another column). */
export function statsOf(scores: Float32Array): ColumnStats {
  const found = known.get(scores);
  if (found !== undefined) return found;
  let [l1, largest, visible] = [0, 0, 0];
  for (const score of scores) {
    if (Number.isNaN(score)) continue;
    const size = Math.abs(score);
    visible++;
    l1 += size;
    if (size > largest) largest = size;
  }
  const stats = { l1, max: hasShares(l1) ? largest / l1 : 0, visible };
  known.set(scores, stats);
  return stats;
}

export function hasShares(l1: number): boolean {
  return l1 > 0 && Number.isFinite(l1);
}

/** Returns the divisor from a score to its share; NaN if the column has no shares. */
function sumOf(scores: Float32Array): number {
  const { l1 } = statsOf(scores);
  return hasShares(l1) ? l1 : Number.NaN;
}

/** Returns the share of a row; NaN if the target cannot see it or the column has no shares. */
export function shareOf(scores: Float32Array, row: number): number {
  return (scores[row] ?? Number.NaN) / sumOf(scores);
}

/** Returns the shares of one column minus those of another. They are not divided by a sum again. */
export function differenceOfShares(a: Float32Array, b: Float32Array): Float32Array {
  const [sumA, sumB] = [sumOf(a), sumOf(b)];
  const out = a.map((score, row) => score / sumA - (b[row] ?? Number.NaN) / sumB);
  const { l1, max, visible } = statsOf(out);
  known.set(out, { l1: 1, max: max * l1, visible });
  return out;
}

/** Returns the rank of a row by |score|, from 1; equal rows share a rank. null if the target cannot see the row. */
export function rankOf(scores: Float32Array, row: number): number | null {
  const own = Math.abs(scores[row] ?? Number.NaN);
  if (Number.isNaN(own)) return null;
  let rank = 1;
  for (const score of scores) if (Math.abs(score) > own) rank++;
  return rank;
}

/** Returns the k rows of largest |score|, largest first, earlier rows first among equals, without rows of 0. */
export function topRows(scores: Float32Array, k: number): number[] {
  const top: number[] = [];
  const weight = (row: number) => Math.abs(scores[row] ?? 0);
  for (let row = 0; row < scores.length; row++) {
    if (!(weight(row) > 0)) continue;
    let place = top.length;
    while (place > 0 && weight(top[place - 1] ?? 0) < weight(row)) place--;
    if (place < k) top.splice(place, 0, row);
    if (top.length > k) top.pop();
  }
  return top;
}
