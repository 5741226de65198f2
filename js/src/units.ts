/** Units (tokens, words, sentences or segments), and the pooling of their tokens' scores. Pure. */

import { firstWhere, type Span } from "./layout";
import type { Place, WireToken } from "./protocol";

export const GRANULARITIES = ["token", "word", "sentence", "segment"] as const;
export type Granularity = (typeof GRANULARITIES)[number];

export type Pool = "sum" | "mean" | "max";

/** Spans that tile all tokens. `of[i]`: the unit of token i; `levels[k]`: the coarseness of unit k. */
export type Units = { spans: readonly Span[]; levels: readonly number[]; of: Int32Array };

/**
 * The units of a text, as Python has them (models/units.py; tests/data/units.json holds both to it). Input and output are
 * never put together, nor (in words) a special token and its neighbour; what was `replaced` is one. A unit whose `keyOf` is in `opened` is shown by
 * units of a finer kind instead: the next that cuts it.
 */
export function unitsOf(
  tokens: readonly WireToken[],
  firstTarget: number,
  granularity: Granularity,
  opened: ReadonlySet<number> = new Set(),
  replaced: readonly Place[] = [],
): Units {
  const within = new Set(
    replaced.flatMap(([start, , end]) => Array.from({ length: end - start - 1 }, (_, k) => start + 1 + k)),
  );
  const of = new Int32Array(tokens.length);
  const spans: Span[] = [];
  const levels: number[] = [];
  function cut(start: number, end: number, level: number, opens = false): void {
    for (let from = start; from < end; ) {
      let to = from + 1;
      while (to < end && to !== firstTarget && (within.has(to) || isOne(tokens[from], tokens[to], level))) to++;
      const isUncut = opens && to - from === end - start;
      if (level > 0 && (isUncut || opened.has(keyOf(from, level)))) cut(from, to, level - 1, true);
      else {
        of.fill(spans.length, from, to);
        spans.push({ start: from, end: to });
        levels.push(level);
      }
      from = to;
    }
  }
  cut(0, tokens.length, GRANULARITIES.indexOf(granularity));
  return { spans, levels, of };
}

/** Tells whether each unit is a token. */
export function areTokens({ spans, of }: Units): boolean {
  return spans.length === of.length;
}

/** A sentence may begin where its first word does: both can be opened. */
function keyOf(start: number, level: number): number {
  return start * GRANULARITIES.length + level;
}

/** Returns the opened units and the one at a token; the same set if that unit is a token. */
export function opening({ spans, levels, of }: Units, token: number, opened: ReadonlySet<number>): ReadonlySet<number> {
  const unit = of[token] ?? -1;
  const [span, level] = [spans[unit], levels[unit] ?? 0];
  return span === undefined || level === 0 ? opened : new Set(opened).add(keyOf(span.start, level));
}

function isOne(a: WireToken | undefined, b: WireToken | undefined, level: number): boolean {
  if (a === undefined || b === undefined || level === 0) return false;
  if (level === 1) return a.word === b.word && a.role === b.role;
  return level === 2 ? a.sentence === b.sentence : a.segment === b.segment;
}

/** Returns the unit that contains a token, as a span of tokens. */
export function unitAt({ spans, of }: Units, token: number): Span | null {
  return spans[of[token] ?? -1] ?? null;
}

/** Returns the smallest run of whole units that covers a span. */
export function wholeUnits(units: Units, { start, end }: Span): Span {
  return { start: unitAt(units, start)?.start ?? start, end: unitAt(units, end - 1)?.end ?? end };
}

/** Returns the number of units with a token among the first n. */
export function unitsWithin({ spans }: Units, n: number): number {
  return firstWhere(spans.length, (k) => (spans[k]?.start ?? n) >= n);
}

const TAKE: Record<Pool, (sum: number, count: number, largest: number) => number> = {
  sum: (sum) => sum,
  mean: (sum, count) => sum / count,
  max: (_sum, _count, largest) => largest,
};

/**
 * Pools scores of tokens to scores of units; NaN if no token of a unit has one. Only visible tokens are pooled.
 */
export function pooled(scores: Float32Array, units: Units, pool: Pool): Float32Array {
  const out = new Float32Array(unitsWithin(units, scores.length));
  const take = TAKE[pool];
  for (let k = 0; k < out.length; k++) {
    const { start, end } = units.spans[k] as Span;
    let [sum, count, largest] = [0, 0, Number.NEGATIVE_INFINITY];
    for (let i = start; i < Math.min(end, scores.length); i++) {
      const score = scores[i] as number;
      if (Number.isNaN(score)) continue;
      sum += score;
      count++;
      if (score > largest) largest = score;
    }
    out[k] = count === 0 ? Number.NaN : take(sum, count, largest);
  }
  return out;
}

/**
 * Returns the standard error of the score that `pooled` gives to tokens [start, end), or NaN if one of theirs is not known.
 * Those of a sum are added up: exact for the tokens of one unit of an estimate, and else the most that they can be.
 */
export function pooledError(scores: Float32Array, errors: Float32Array, { start, end }: Span, pool: Pool): number {
  let [sum, count, largest, ofLargest] = [0, 0, Number.NEGATIVE_INFINITY, Number.NaN];
  for (let i = start; i < Math.min(end, scores.length); i++) {
    const [score, error] = [scores[i] as number, errors[i] as number];
    if (Number.isNaN(score)) continue;
    sum += error;
    count++;
    if (score > largest) [largest, ofLargest] = [score, error];
  }
  return count === 0 ? Number.NaN : TAKE[pool](sum, count, ofLargest);
}

/** Joins several columns to their sum or mean over the columns that can see the row. */
export function joined(columns: readonly Float32Array[], how: "sum" | "mean"): Float32Array {
  const out = new Float32Array(columns[0]?.length ?? 0);
  for (let row = 0; row < out.length; row++) {
    let [sum, count] = [0, 0];
    for (const column of columns) {
      const score = column[row] as number;
      if (Number.isNaN(score)) continue;
      sum += score;
      count++;
    }
    out[row] = count === 0 ? Number.NaN : how === "sum" ? sum : sum / count;
  }
  return out;
}

/** Returns the column with NaN in hidden rows. */
export function masked(scores: Float32Array, hidden: Uint8Array): Float32Array {
  const out = scores.slice();
  for (let row = 0; row < out.length; row++) if (hidden[row]) out[row] = Number.NaN;
  return out;
}
