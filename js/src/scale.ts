/** Maps a share (or a raw score) to a position on the colour ramp, -1 … 1. Pure. */

import { firstWhere } from "./layout";

export type ScaleName = "linear" | "quantile" | "threshold";
export type Scale = (value: number) => number;

/**
 * linear: proportional to the largest |value|, `max`. quantile: by rank among the |values|, so that every step of the
 * ramp is used. threshold: linear, but 0 below `threshold` × max. An empty domain has no colour.
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
 * Returns the largest share that noise would have: for n uniform numbers in (0, 1), the expected maximum, n / (n + 1),
 * over the expected sum, n / 2. In a column with no larger share no input stands out.
 */
export function randomTop(n: number): number {
  return 2 / (n + 1);
}

const FEW = 4; // rows, at least: for three the largest share of noise is already a half

/** Returns whether in a column of `n` shares with the largest share `max` no input stands out from noise. */
export function isNoise(max: number, n: number): boolean {
  return n >= FEW && max > 0 && max <= randomTop(n);
}

/** A difference smaller than this never has the whole colour: of two maps it may well be that hardly anything differs. */
export const LEAST_DIFFERENCE = 0.1;

/** Says where the ramp of such a column ends: at so much that its own largest share has half the colour, at most. */
export function endOfNoise(n: number): number {
  return 2 * randomTop(n);
}
