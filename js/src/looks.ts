/** The colours of the boxes of a text, derived from the scores of units. */

import { computed, type ReadonlySignal } from "@preact/signals-core";
import { STEPS } from "./color";
import type { Span } from "./layout";
import { isWhole, type MapData, type Measure } from "./map";
import { endOfNoise, isNoise, LEAST_DIFFERENCE, type ScaleName, scaleOf } from "./scale";
import { shareOf, statsOf } from "./scores";
import type { Units } from "./units";

/**
 * The colours of the boxes of a text. `about`: the tokens of the targets or of the chosen inputs. `step`: the step of
 * the ramp for a token, or null for none. `max`: the number at the far end of the ramp, in the measure on show; `top`:
 * the largest number, which is below `max` if the column may be noise. `floor`: numbers of a smaller size are noise and
 * have no colour; 0 where nothing tells it.
 */
export type Look = {
  about: Span | null;
  turned: boolean;
  ready: boolean;
  signed: boolean;
  max: number;
  top: number;
  floor: number;
  step: (token: number) => number | null;
};

export type Chain = {
  units: ReadonlySignal<Units>;
  unitCols: (col: number) => Span;
  unitScores: (of: MapData | null, cols: Span) => Float32Array | null;
  /** Tells whether a token is not in the text that a map is of: another one stands in its place there. */
  isForeign: (of: MapData | null, token: number) => boolean;
  targetCols: ReadonlySignal<Span | null>;
  firstTarget: ReadonlySignal<number>;
  nTargets: ReadonlySignal<number>;
  isSigned: (map: MapData) => boolean;
  measure: ReadonlySignal<Measure>;
  scale: ReadonlySignal<ScaleName>;
  threshold: ReadonlySignal<number>;
  /** The chosen inputs, or null. */
  turned: ReadonlySignal<Span | null>;
};

export function createLooks(chain: Chain) {
  const { units, unitCols, unitScores, isForeign, targetCols, firstTarget, nTargets } = chain;
  const { isSigned, measure, scale, threshold, turned } = chain;

  /** Returns the number of a unit in the measure on show. */
  function measured(of: Float32Array, unit: number): number {
    return measure.value === "raw" ? (of[unit] ?? Number.NaN) : shareOf(of, unit);
  }

  /** Returns the colours of a map as a signal, because several maps may be side by side. */
  function lookAt(of: ReadonlySignal<MapData | null>): ReadonlySignal<Look> {
    // A signal of its own, because most columns that arrive are not on show.
    const scores = computed(() => targetCols.value && unitScores(of.value, targetCols.value));
    return computed(() => {
      const { value: rows } = turned;
      return rows === null ? targetLook(of.value, scores.value) : turnedLook(of.value, rows);
    });
  }

  function targetLook(of: MapData | null, found: Float32Array | null): Look {
    const { value: cols } = targetCols;
    const values = new Float64Array(found?.length ?? 0);
    for (let unit = 0; unit < values.length; unit++) values[unit] = measured(found as Float32Array, unit);
    const { of: unitOf, spans } = units.value;
    const end = firstTarget.value + (cols?.end ?? 0);
    /** Returns the unit with a token's score, or null for a token that the target did not see. */
    function unitAt(token: number): number | null {
      const unit = unitOf[token] ?? -1;
      return token >= end && (spans[unit]?.start ?? 0) < end ? null : unit;
    }
    return looking(of, {
      about: cols && { start: firstTarget.value + cols.start, end },
      turned: false,
      ready: found !== null,
      end: found === null ? 0 : endOf(found),
      floor:
        found === null || cols === null
          ? 0
          : floorOf(of, cols) / (measure.value === "raw" ? 1 : statsOf(found).l1 || 1),
      values,
      at: (token) => (token < (of?.info.n_rows ?? 0) && !isForeign(of, token) ? unitAt(token) : null),
    });
  }

  /** Returns the ramp's end for a column that may be noise, in the measure on show; 0 for others, which use it all. */
  function endOf(scores: Float32Array): number {
    const { max, visible, l1 } = statsOf(scores);
    return isNoise(max, visible) ? endOfNoise(visible) * (measure.value === "raw" ? l1 : 1) : 0;
  }

  /** Returns the size below which the scores of targets are noise; 0 where nothing tells it. */
  function floorOf(of: MapData | null, { start, end }: Span): number {
    if (of === null || of.difference !== undefined) return 0;
    return Math.max(0, ...of.floors.slice(start, end).map((floor) => floor ?? 0));
  }

  function turnedLook(of: MapData | null, rows: Span): Look {
    const first = (col: number) => unitCols(col).start;
    // A word of several tokens is one target with one number, at its first token.
    const owed = (col: number) => (first(col) === col ? fedBy(of, rows, unitCols(col)) : Number.NaN);
    const values = Array.from({ length: nTargets.value }, (_, col) => owed(col));
    return looking(of, {
      about: rows,
      turned: true,
      // An input that no target can see has no number even in a complete map.
      ready: values.some((value) => !Number.isNaN(value)) || (of !== null && isWhole(of)),
      end: 0,
      floor: 0,
      values,
      at: (token) => (token >= firstTarget.value ? first(token - firstTarget.value) : null),
    });
  }

  /** Returns the score of the inputs `rows` for the targets `cols`; NaN if not visible or not computed yet. */
  function fedBy(of: MapData | null, rows: Span, cols: Span): number {
    const found = unitScores(of, cols);
    if (found === null) return Number.NaN;
    const { of: unitOf } = units.value;
    let [sum, seen] = [0, 0];
    for (let unit = unitOf[rows.start] ?? 0; unit <= (unitOf[rows.end - 1] ?? 0); unit++) {
      const value = measured(found, unit);
      if (Number.isNaN(value)) continue;
      sum += value;
      seen++;
    }
    return seen === 0 ? Number.NaN : sum;
  }

  function looking(
    of: MapData | null,
    look: Omit<Look, "step" | "max" | "top" | "signed"> & {
      end: number;
      values: ArrayLike<number>;
      at: (token: number) => number | null;
    },
  ): Look {
    const { values, at, end, ...rest } = look;
    const { floor } = look;
    let top = 0;
    for (let i = 0; i < values.length; i++) top = Math.max(top, Math.abs(values[i] || 0)); // NaN counts as nothing
    if (!Number.isFinite(top)) top = 0;
    const max = top === 0 ? 0 : Math.max(top, of?.difference === undefined ? end : LEAST_DIFFERENCE);
    const place = scaleOf(scale.value, values, top, threshold.value);
    const reach = max === 0 ? 0 : (STEPS * top) / max;
    return {
      ...rest,
      signed: of !== null && isSigned(of),
      max,
      top,
      step(token) {
        const value = values[at(token) ?? -1];
        if (value === undefined || Number.isNaN(value)) return null;
        return Math.abs(value) < floor ? 0 : Math.round(reach * place(value));
      },
    };
  }

  return { measured, fedBy, floorOf, lookAt };
}
