/**
 * The reader's choices (what is pinned, hovered and hidden, the units, the scale) and everything that is derived from
 * them and the store: the units, the targets on show, and their scores (pooling.ts has the chain from a map's columns).
 * Nothing is stored twice.
 */

import { batch, computed, type ReadonlySignal, signal } from "@preact/signals-core";
import { firstWord } from "./first-word";
import type { Span } from "./layout";
import { createLooks } from "./looks";
import { colsKey, type MapData, type Measure } from "./map";
import { createPooling } from "./pooling";
import type { WireStep } from "./protocol";
import type { ScaleName } from "./scale";
import { shareOf, statsOf, topRows } from "./scores";
import { createText, type Told } from "./text";
import {
  type Granularity,
  masked,
  opening,
  type Pool,
  type Units,
  unitAt,
  unitsOf,
  unitsWithin,
  wholeUnits,
} from "./units";

/**
 * The targets on show: those under the mouse, otherwise the pinned ones, otherwise the first (the likeliest class).
 * `cols`: their columns; `col`, `token`: the first of them. `scores`: one for each unit.
 */
export type Shown = { cols: Span; col: number; token: number; scores: Float32Array | null };

const [LONG, LONGEST] = [400, 2000]; // tokens that were read, beyond which sentences, segments are read
const SOME = 3; // units, without which there is nothing to tell apart

/** The reader's choices; a missing one is as at first. */
export type View = Partial<{
  by: Granularity;
  pool: Pool;
  joint: "sum" | "mean";
  scale: ScaleName;
  threshold: number;
  measure: Measure;
  left_out: [number, number][];
  turned: [number, number] | null;
}>;

export type Facts = Told & {
  steps: ReadonlySignal<readonly (WireStep | undefined)[]>;
  map: ReadonlySignal<MapData | null>;
  /** Tells whether a map is signed. */
  isSigned: (map: MapData) => boolean;
};

export function createReading({ document, tokens, segments, steps, exhibited, map, isSigned }: Facts) {
  // ── what the reader chose ───────────────────────────────────────────────────────────────────────────────────────

  /** The pinned target column, the first of `extent`. Python sees both, as traits. */
  const selection = signal<number | null>(null);
  const extent = signal(1);
  /** The target under the mouse or the keyboard. */
  const hoverCol = signal<number | null>(null);
  /** The target columns that the reader drags over. */
  const dragged = signal<Span | null>(null);
  /** The input under the mouse. */
  const hoverRow = signal<number | null>(null);
  /** Chosen inputs, as tokens of whole units: then the text shows which targets they influence. */
  const inputs = signal<Span | null>(null);
  /** Spans of the input that the reader leaves out of the shares. */
  const hidden = signal<readonly Span[]>([]);
  const granularity = signal<Granularity>("token");
  let isChosen = false; // else the length of the text says by which units it is read
  const pool = signal<Pool>("sum");
  /** Says how the columns of several targets are joined. */
  const joint = signal<"sum" | "mean">("mean");
  /** The units that are opened into finer ones. */
  const opened = signal<ReadonlySet<number>>(new Set());
  const scale = signal<ScaleName>("linear");
  /** On the scale "threshold", the fraction of the largest share below which there is no colour. */
  const threshold = signal(0.5);
  const measure = signal<Measure>("share");

  // ── the text ────────────────────────────────────────────────────────────────────────────────────────────────────

  const text = createText({ document, tokens, segments, exhibited });
  const { firstTarget, nTargets, kind, thinking, replaced, isForeign } = text;
  const signed = computed(() => map.value !== null && isSigned(map.value));

  /** Units of the rows, and of the targets: these are read by words at most, for each is a target of its own. */
  const units = computed<Units>(() =>
    unitsOf(tokens.value, firstTarget.value, granularity.value, opened.value, replaced.value),
  );
  const targetUnits = computed<Units>(() =>
    granularity.value === "word" && kind.value !== "classes"
      ? units.value
      : unitsOf(tokens.value, firstTarget.value, "token"),
  );

  // ── the targets on show ─────────────────────────────────────────────────────────────────────────────────────────

  const pinned = computed(() => inRange(selection.value, nTargets.value));
  /**
   * The columns to look at before anything is chosen: of a text its first word that says something by itself (see
   * first_word in export/reading.py; tests/data/first_words.json holds both to it), after the thinking; or the whole
   * answer where that was computed as one target; of classes the likeliest counts.
   */
  const atRest = computed<Span | null>(() => {
    if (nTargets.value === 0) return null;
    if (kind.value !== "classes") {
      const begin = Math.max(0, (thinking.value.at(-1)?.end ?? 0) - firstTarget.value);
      const whole = { start: begin, end: nTargets.value };
      if (map.value?.together.has(colsKey(whole))) return whole;
      return shifted(firstWord(tokens.value.slice(firstTarget.value + begin)), begin);
    }
    const start = likeliest(steps.value.slice(0, nTargets.value));
    return { start, end: start + 1 };
  });

  /** Returns the columns of the unit that contains a column. */
  function unitCols(col: number): Span {
    const at = unitAt(targetUnits.value, firstTarget.value + col);
    return at === null ? { start: col, end: col + 1 } : shifted(at, -firstTarget.value);
  }
  const pinnedCols = computed<Span | null>(() => {
    const { value: start } = pinned;
    if (start === null) return null;
    if (extent.value === 1) return unitCols(start);
    return { start, end: Math.min(nTargets.value, start + extent.value) };
  });
  /** The targets that are looked at while nothing is previewed. */
  const restCols = computed<Span | null>(() => pinnedCols.value ?? atRest.value);
  const targetCols = computed<Span | null>(() => {
    if (dragged.value !== null) return dragged.value;
    const hovered = inRange(hoverCol.value, nTargets.value);
    if (hovered !== null) return unitCols(hovered);
    return restCols.value;
  });
  const target = computed(() => targetCols.value?.start ?? null);

  // ── scores ──────────────────────────────────────────────────────────────────────────────────────────────────────

  const hiddenRows = computed<Uint8Array | null>(() => {
    if (hidden.value.length === 0) return null;
    const rows = new Uint8Array(tokens.value.length);
    for (const { start, end } of hidden.value) rows.fill(1, start, end);
    return rows;
  });

  const { columnOf, unitScores, unitError, joinedOnce, poolOf } = createPooling({
    units,
    granularity,
    pool,
    joint,
    hiddenRows,
    firstTarget,
    nTargets,
  });
  const column = (col: number) => columnOf(map.value, col);

  const scores = computed(() => (targetCols.value === null ? null : unitScores(map.value, targetCols.value)));
  const shown = computed<Shown | null>(() => {
    const { value: cols } = targetCols;
    if (cols === null) return null;
    return { cols, col: cols.start, token: firstTarget.value + cols.start, scores: scores.value };
  });
  /** The largest |share| of the column on show. */
  const domain = computed(() => (scores.value === null ? 0 : statsOf(scores.value).max));
  /** The indices of the three units with the largest |score|. */
  const top = computed(() => (scores.value === null ? [] : topRows(scores.value, 3)));

  /** Returns one score for each token of the rows, including hidden ones. */
  function tokenScores(cols: Span | null): Float32Array | null {
    // A difference is computed from shares of units without hidden rows, so it has no scores of tokens.
    return cols !== null && map.value?.difference === undefined ? joinedOnce(map.value, cols) : null;
  }
  /** Returns the share of a column on the rows for which `counts` is true, or null if none is visible. */
  function heldBy(all: Float32Array | null, counts: (row: number) => boolean): number | null {
    if (all === null) return null;
    let [sum, seen] = [0, 0];
    for (let row = 0; row < all.length; row++) {
      const own = counts(row) ? shareOf(all, row) : Number.NaN;
      if (Number.isNaN(own)) continue;
      sum += Math.abs(own);
      seen++;
    }
    return seen === 0 ? null : sum;
  }
  /** The share of the column on tokens of the template, without hidden rows. */
  const templateShare = computed(() => {
    const [{ value: all }, { value: rows }, column] = [tokens, hiddenRows, tokenScores(targetCols.value)];
    const seen = column === null || rows === null ? column : masked(column, rows);
    return heldBy(seen, (row) => all[row]?.role === "special");
  });
  /** Returns the share of the columns `cols` on hidden rows; the shares on show are of the rest. */
  function hiddenShareOf(cols: Span | null): number | null {
    const { value: rows } = hiddenRows;
    return rows === null ? null : heldBy(tokenScores(cols), (row) => rows[row] === 1);
  }
  const hiddenShare = computed(() => hiddenShareOf(targetCols.value));

  const chain = {
    units,
    unitCols,
    unitScores,
    isForeign,
    targetCols,
    firstTarget,
    nTargets,
    measure,
    scale,
    threshold,
  };
  const looks = createLooks({
    ...chain,
    isSigned,
    /** The chosen inputs, unless a target is previewed. */
    turned: computed(() => {
      const previews = dragged.value !== null || inRange(hoverCol.value, nTargets.value) !== null;
      return previews ? null : inputs.value;
    }),
  });
  const look = looks.lookAt(map);

  // ── intents ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** Sets the input and the target under the mouse or the keyboard (null for none) in one change. */
  function preview(row: number | null, col: number | null): void {
    batch(() => {
      hoverRow.value = row;
      hoverCol.value = col;
    });
  }

  /** Pins a target column and the `length - 1` after it, or unpins them if they were pinned. */
  function pin(col: number, length = 1): void {
    batch(() => {
      const same = selection.value === col && extent.value === length;
      selection.value = same ? null : col;
      extent.value = same ? 1 : length;
      inputs.value = null;
    });
  }

  /** Pins all targets from the pinned one to this one. */
  function pinTo(col: number): void {
    const to = unitCols(col);
    const from = pinnedCols.value ?? to;
    const [start, end] = [Math.min(from.start, to.start), Math.max(from.end, to.end)];
    if (start === selection.value && end - start === extent.value) return;
    batch(() => {
      selection.value = start;
      extent.value = end - start;
      inputs.value = null;
    });
  }

  /** Chooses the inputs of these rows, to show which targets they influence; null, or the same again, ends that. */
  function turn(rows: Span | null): void {
    const next = rows === null ? null : wholeUnits(units.value, rows);
    const same = next?.start === inputs.value?.start && next?.end === inputs.value?.end;
    inputs.value = same ? null : next;
  }

  /** Leaves these rows out of the shares; overlapping spans are merged. */
  function hide(rows: Span): void {
    const apart = ({ start, end }: Span) => end <= rows.start || start >= rows.end;
    const one = [rows, ...hidden.value.filter((span) => !apart(span))];
    const [start, end] = [Math.min(...one.map((span) => span.start)), Math.max(...one.map((span) => span.end))];
    hidden.value = [...hidden.value.filter(apart), { start, end }];
  }

  /** Counts these rows again; without rows, all hidden ones. */
  function unhide(rows?: Span): void {
    hidden.value =
      rows === undefined ? [] : hidden.value.filter(({ start, end }) => end <= rows.start || start >= rows.end);
  }

  /** Opens a unit into finer ones. */
  function open(token: number): void {
    opened.value = opening(units.value, token, opened.value);
  }

  /** The units of a text that nobody has chosen any for: so large that it can be taken in, so small that there are some. */
  function suited(): Granularity {
    const { value: n } = firstTarget;
    const wanted: Granularity[] = n > LONGEST ? ["segment", "sentence"] : n > LONG ? ["sentence"] : [];
    const many = (by: Granularity) => unitsWithin(unitsOf(tokens.value, n, by), n) >= SOME;
    return wanted.find(many) ?? "token";
  }

  function suit(): void {
    if (!isChosen) granularity.value = suited();
  }

  /** Takes over how another page, or Python, looks at the same text; Python has checked it. */
  function takeView(view: View): void {
    const spans = (view.left_out ?? []).map(([start, end]) => ({ start, end }));
    batch(() => {
      readBy(view.by ?? suited());
      pool.value = view.pool ?? "sum";
      joint.value = view.joint ?? "mean";
      scale.value = view.scale ?? "linear";
      threshold.value = view.threshold ?? 0.5;
      measure.value = view.measure ?? "share";
      hidden.value = spans;
      inputs.value = view.turned ? wholeUnits(units.value, { start: view.turned[0], end: view.turned[1] }) : null;
    });
  }

  function readBy(next: Granularity): void {
    isChosen = true;
    batch(() => {
      granularity.value = next;
      opened.value = new Set();
      inputs.value &&= wholeUnits(units.value, inputs.value);
    });
  }

  /** Forgets the choices, which belong to the last text. */
  function forgetChoices(): void {
    preview(null, null);
    dragged.value = null;
    inputs.value = null;
    hidden.value = [];
    opened.value = new Set();
  }

  return {
    selection,
    extent,
    hoverCol,
    dragged,
    hoverRow,
    inputs,
    hidden,
    granularity,
    pool,
    poolOf,
    joint,
    opened,
    ...text,
    signed,
    targetUnits,
    pinned,
    pinnedCols,
    restCols,
    atRest,
    target,
    column,
    unitError,
    ...chain,
    ...looks,
    shown,
    domain,
    top,
    templateShare,
    hiddenRows,
    hiddenShare,
    hiddenShareOf,
    look,
    nRowUnits: (of: MapData | null) => unitsWithin(units.value, of?.info.n_rows ?? 0),
    preview,
    pin,
    pinTo,
    turn,
    hide,
    unhide,
    open,
    readBy,
    suit,
    suited,
    takeView,
    forgetChoices,
  };
}

function shifted({ start, end }: Span, by: number): Span {
  return { start: start + by, end: end + by };
}

/** The first of the largest probabilities; 0 while none is known. */
function likeliest(steps: readonly (WireStep | undefined)[]): number {
  const probabilities = Array.from(steps, (step) => step?.value ?? step?.probability ?? Number.NEGATIVE_INFINITY);
  return Math.max(0, probabilities.indexOf(Math.max(...probabilities)));
}

function inRange(value: number | null, n: number): number | null {
  return value !== null && value >= 0 && value < n ? value : null;
}
