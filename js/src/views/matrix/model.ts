/** The model of a matrix, derived from the store: rows and columns are units, and each cell has a step of the ramp. */

import { computed, type ReadonlySignal, signal } from "@preact/signals-core";
import { parseColor, type Ramp, STEPS, swatchOf } from "../../color";
import type { Span } from "../../layout";
import { LEAST_DIFFERENCE, type Scale, scaleOf } from "../../scale";
import { statsOf } from "../../scores";
import type { Store } from "../../store";
import { unitsWithin } from "../../units";
import { addTo, sortedRows, totalsOf } from "./totals";

const SLICE = 8; // ms for summing within one frame

/** The marked cells, as columns and places of rows. */
export type Marks = {
  /** Columns on show and pinned columns, outlined as a whole. */
  outlined: readonly Span[];
  /** Chosen inputs, as rows in any order. */
  inputs: Span | null;
  row: number | null;
  col: number | null;
  /** The first written row; 0 for no line before it. */
  border: number;
};

export type Model = ReturnType<typeof matrixModel>;

export function matrixModel(store: Store, ramp: ReadonlySignal<Ramp>) {
  /** The target column that the rows are sorted by, and the text it belongs to. */
  const sorting = signal<{ doc: number; target: number } | null>(null);

  const nRows = computed(() => store.nRowUnits(store.map.value));
  const firstUnit = computed(() => unitsWithin(store.targetUnits.value, store.firstTarget.value));
  /** The targets of each column. */
  const cols = computed<readonly Span[]>(() => {
    const first = store.firstTarget.value;
    const nCols = store.map.value?.info.n_cols ?? 0;
    return store.targetUnits.value.spans
      .slice(firstUnit.value)
      .map(({ start, end }) => ({ start: start - first, end: end - first }))
      .filter(({ start }) => start < nCols);
  });
  /** The number of rows of the text before each column. */
  const depths = computed(() =>
    cols.value.map(({ start }) =>
      Math.min(nRows.value, unitsWithin(store.units.value, store.firstTarget.value + start)),
    ),
  );

  /** Returns the column that contains a target. */
  function colAt(target: number | null): number | null {
    const unit = target === null ? undefined : store.targetUnits.value.of[store.firstTarget.value + target];
    const col = (unit ?? -1) - firstUnit.value;
    return col >= 0 && col < cols.value.length ? col : null;
  }

  /** Returns the scores of a column, one for each row; null before they arrive. */
  function scoresAt(col: number): Float32Array | null {
    const span = cols.value[col];
    return span === undefined ? null : store.unitScores(store.map.value, span);
  }

  const sortedBy = computed(() =>
    sorting.value?.doc === store.document.value?.doc ? colAt(sorting.value?.target ?? null) : null,
  );
  /** The row at each place, or null in the order of the text. */
  const order = computed(() => {
    const scores = sortedBy.value === null ? null : scoresAt(sortedBy.value);
    return scores === null ? null : sortedRows(scores);
  });

  /** Sorts the rows by a column, or puts them back if they are sorted by it. */
  function sort(col: number | null): void {
    const target = col === null || col === sortedBy.value ? undefined : cols.value[col]?.start;
    sorting.value = target === undefined ? null : { doc: store.document.value?.doc ?? 0, target };
  }

  const totals = computed(() => {
    void [store.map.value, store.units.value, store.hiddenRows.value, store.pool.value, store.joint.value];
    void store.measure.value;
    return totalsOf(nRows.value, cols.value.length);
  });
  const scales = computed(() => {
    void [store.scale.value, store.threshold.value];
    return new WeakMap<object, Scale>();
  });

  let added = { sums: totals.value, done: 0 };
  /** The largest |score| of the summed columns. */
  const largest = signal(0);

  /** Sums arrived columns for the time of one frame. Returns whether any are left. */
  function addUp(): boolean {
    const { value: sums } = totals;
    const done = store.map.value?.done.value ?? 0;
    if (sums === added.sums && done === added.done) return false;
    const raw = store.measure.value === "raw";
    const end = performance.now() + SLICE;
    for (let col = 0; col < sums.cols.length; col++) {
      const scores = Number.isNaN(sums.cols[col]) ? scoresAt(col) : null;
      if (scores === null) continue;
      if (performance.now() > end) return true;
      addTo(sums, col, scores, raw);
      scales.value.delete(sums);
    }
    added = { sums, done };
    largest.value = sums.max;
    return false;
  }

  /** Returns the scale of a column: its own, or for raw scores that of all columns. */
  function scaleAt(scores: Float32Array): Scale {
    const { value: sums } = totals;
    const raw = store.measure.value === "raw";
    const key = raw ? sums : scores;
    const { l1, max } = statsOf(scores);
    const end = store.map.value?.difference === undefined || max === 0 ? max * l1 : Math.max(max, LEAST_DIFFERENCE);
    const known =
      scales.value.get(key) ??
      scaleOf(store.scale.value, raw ? sums.sample : scores, raw ? sums.max : end, store.threshold.value);
    scales.value.set(key, known);
    return known;
  }

  /** Returns the size below which a column's scores are noise; 0 where nothing tells it. */
  const floorAt = (col: number) => store.floorOf(store.map.value, cols.value[col] ?? { start: 0, end: 0 });

  /** The colour of step k of the ramp at k + STEPS, as CSS and as the bytes of a pixel. */
  const colours = computed(() =>
    Array.from({ length: 2 * STEPS + 1 }, (_, i) => swatchOf(ramp.value, i - STEPS, store.signed.value).background),
  );
  const pixels = computed(() => {
    const bytes = Uint8ClampedArray.from(colours.value.flatMap((css) => [...(parseColor(css) ?? [0, 0, 0]), 255]));
    return new Uint32Array(bytes.buffer);
  });

  const placeOf = (row: number) => order.value?.places[row] ?? row;
  const unitOf = (token: number) => store.units.value.of[token] ?? 0;
  const marks = computed<Marks>(() => {
    const { value: turned } = store.inputs;
    const row = unitOf(store.hoverRow.value ?? 0);
    const outlined = [store.targetCols.value, store.pinnedCols.value].flatMap((targets): Span[] => {
      const [first, last] = [colAt(targets?.start ?? null), colAt((targets?.end ?? 0) - 1)];
      return first === null || last === null ? [] : [{ start: first, end: last + 1 }];
    });
    return {
      outlined,
      inputs: turned && { start: unitOf(turned.start), end: Math.min(unitOf(turned.end - 1) + 1, nRows.value) },
      row: store.hoverRow.value === null || row >= nRows.value ? null : placeOf(row),
      col: outlined[0]?.start ?? null,
      border: unitOf(store.targetStart.value ?? 0),
    };
  });

  return {
    nRows,
    cols,
    depths,
    colAt,
    scoresAt,
    sortedBy,
    order,
    sort,
    totals,
    largest,
    addUp,
    scales,
    scaleAt,
    floorAt,
    colours,
    pixels,
    marks,
    placeOf,
    rowAt: (place: number) => order.value?.rows[place] ?? place,
    /** Return the tokens of a row or of a column, or undefined. */
    rowTokens: (row: number | null) => store.units.value.spans[row ?? -1],
    colTokens: (col: number | null) => store.targetUnits.value.spans[firstUnit.value + (col ?? Number.NaN)],
  };
}
