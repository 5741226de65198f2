/** Maps a share (or a raw score) to a position on the colour ramp, -1 … 1. Pure. */

import { firstWhere } from "./layout";

export type ScaleName = "linear" | "quantile" | "threshold";
export type Scale = (value: number) => number;

/**
 * linear: in proportion to the largest |value|, `max`. quantile: by rank among the |values|, so that every step of the ramp
 * is used. threshold: linear, but nothing below `threshold` × max. A domain of nothing has no colour.
 */
export function scaleOf(name: ScaleName, values: ArrayLike<number>, max: number, threshold: number): Scale {
  if (!(max > 0)) return () => 0;
  const linear: Scale = (value) => (Number.isNaN(value) ? 0 : Math.min(1, Math.max(-1, value / max)));
  if (name === "linear") return linear;
  if (name === "threshold") return (value) => (Math.abs(value) >= threshold * max ? linear(value) : 0);
  const sizes = Float64Array.from(values, Math.abs)
    .filter((size) => size > 0)
    .sort();
  return (value) => {
    const size = Math.abs(value);
    const notAbove = firstWhere(sizes.length, (k) => (sizes[k] as number) > size);
    return size > 0 ? (Math.sign(value) * notAbove) / sizes.length : 0;
  };
}

/**
 * The largest share that noise would have: of n uniform numbers in (0, 1), the expected largest, n / (n + 1), over the
 * expected sum, n / 2. A column whose top is no higher singles nothing out.
 */
export function randomTop(n: number): number {
  return 2 / (n + 1);
}

const FEW = 4; // of three rows the largest share of noise is a half: below that nothing can be told

/** Whether a column of `n` shares, the largest of which is `max`, singles nothing out. */
export function isNoise(max: number, n: number): boolean {
  return n >= FEW && max > 0 && max <= randomTop(n);
}

/** A difference smaller than this never has the whole colour: of two maps it may well be that hardly anything differs. */
export const LEAST_DIFFERENCE = 0.1;

/** Where the ramp of such a column ends: at so much that its own largest share has half the colour, at most. */
export function endOfNoise(n: number): number {
  return 2 * randomTop(n);
}
