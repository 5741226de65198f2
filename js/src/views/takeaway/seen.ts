/** The content of a saved page: columns, numbers and the boxes of the text, as the reader sees them. */

import { partMark, percent, share } from "../../format";
import type { Caption, Told } from "../../hover";
import { firstWhere, type Span } from "../../layout";
import { isolated, labelOf } from "../../pieces";
import type { Store } from "../../store";
import { aboutOf, joinedText, nameOf, numberOf, stepOf } from "../words";

/** A target with its columns and the joined score of each unit of the rows. */
export type Target = { cols: Span; name: string; scores: Float32Array };
/** A box of the text: tokens of one unit and one target, either all or none left out of the shares. */
export type Box = Span & { leftOut: boolean };

/**
 * `told`: the boxes' rows and columns, and the label. `numbers`: one column for each caption, with one number for each
 * name. `shown`: the column on show. `targets`: the computed ones; `inputs`: the names of their rows.
 */
export type Seen = {
  told: Told;
  numbers: readonly ArrayLike<number>[];
  shown: number;
  boxes: readonly Box[];
  targets: readonly Target[];
  inputs: readonly string[];
};

const OTHERS = 4; // alternatives in the caption
const LITTLE = 0.0005; // smaller shares of a column are not mentioned

/** Returns the content. Throws if no target on show is computed. */
export function seenOf(store: Store): Seen {
  const { units, nRowUnits, map, hiddenRows, isSigned, scale, threshold, firstTarget, inputs: chosen } = store;
  const { value: first } = firstTarget;
  const spans = units.value.spans.slice(0, nRowUnits(map.value));
  const all = targetsOf(store);
  const targets = all.flatMap((cols): Target[] => {
    const scores = store.unitScores(map.value, cols);
    return scores === null ? [] : [{ cols, name: nameInText(store, moved(cols, first)), scores }];
  });
  if (targets.length === 0)
    throw new Error("No target is computed whole: read by tokens, let go of what is pinned as one, or wait.");
  const inputs = spans.map((span) => nameInText(store, span));
  const boxes = boxesOf(store, all);
  const question =
    chosen.value === null ? aboutTargets(store, targets, inputs) : aboutInputs(store, targets, spans, chosen.value);
  const { rowAt, colAt, ...about } = question;
  const told: Told = {
    signed: map.value !== null && isSigned(map.value),
    scale: scale.value,
    threshold: threshold.value,
    rows: boxes.map(({ start }) => (hiddenRows.value?.[start] ? null : rowAt(start))),
    cols: boxes.map(({ start }) => colAt(start).index),
    ended: boxes.map(({ start }) => colAt(start).ended),
    ...about.told,
  };
  return { ...about, told, boxes, targets, inputs };
}

/** Returns the targets: tokens, or words if the units are; and the pinned columns as one, which may split a word. */
function targetsOf({ nTargets, unitCols, pinnedCols, extent, inputs }: Store): Span[] {
  const starts = new Set([nTargets.value]);
  for (let col = 0; col < nTargets.value; col = unitCols(col).end) starts.add(col);
  // With chosen inputs each target is separate: the pin belongs to the other direction.
  const pin = extent.value > 1 && inputs.value === null ? pinnedCols.value : null;
  if (pin !== null) {
    for (let col = pin.start + 1; col < pin.end; col++) starts.delete(col);
    starts.add(pin.start).add(pin.end);
  }
  return tiles(starts);
}

/** Returns the boxes. Every token is in one box. */
function boxesOf({ tokens, units, hidden, hiddenRows, firstTarget }: Store, targets: readonly Span[]): Box[] {
  const { length: n } = tokens.value;
  const ends = [...units.value.spans, ...hidden.value, ...targets.map((cols) => moved(cols, firstTarget.value))];
  const edges = new Set(ends.flatMap(({ start, end }) => [Math.min(start, n), Math.min(end, n)]));
  return tiles(edges).map((span) => ({ ...span, leftOut: hiddenRows.value?.[span.start] === 1 }));
}

/** The columns of the page. `rowAt` and `colAt` return a box's row and column, given its first token. */
type Question = Pick<Seen, "numbers" | "shown"> & {
  told: Pick<Told, "about" | "calm" | "floors" | "label" | "names" | "captions">;
  rowAt: (token: number) => number | null;
  colAt: (token: number) => Place;
};

/** Returns columns of targets, with inputs as rows. */
function aboutTargets(store: Store, targets: readonly Target[], names: readonly string[]): Question {
  const { units, firstTarget, target, measure, map, floorOf } = store;
  const label = map.value?.difference !== undefined ? "difference" : measure.value === "raw" ? "score" : "share";
  const at = placesOf(targets.map(({ cols }) => cols));
  return {
    told: {
      about: "target",
      label,
      calm: label !== "difference",
      floors: targets.map(({ cols }) => floorOf(map.value, cols) || null),
      names,
      captions: targets.map((target) => captionOf(store, target)),
    },
    numbers: targets.map(({ scores }) => scores),
    shown: at(target.value ?? 0).index ?? 0,
    rowAt: (token) => within(units.value.of[token], names.length),
    colAt: (token) => at(token - firstTarget.value),
  };
}

/** Returns columns of inputs, with targets as rows. The `chosen` inputs are one column, whatever the units. */
function aboutInputs(store: Store, targets: readonly Target[], spans: readonly Span[], chosen: Span): Question {
  const { firstTarget, fedBy, measure, map } = store;
  const rest = spans.filter(({ start, end }) => end <= chosen.start || start >= chosen.end);
  const inputs = [chosen, ...rest]
    .sort((a, b) => a.start - b.start)
    .map((span) => ({ span, fed: targets.map(({ cols }) => fedBy(map.value, span, cols)) }))
    .filter(({ fed }) => fed.some((value) => !Number.isNaN(value)));
  const shown = inputs.findIndex(({ span }) => span === chosen);
  if (shown < 0) throw new Error("What is chosen feeds no target that is computed: go back to the target, or wait.");
  const as = measure.value === "raw" ? "score" : "fed";
  const [col, row] = [placesOf(inputs.map(({ span }) => span)), placesOf(targets.map(({ cols }) => cols))];
  return {
    told: {
      about: "input",
      label: map.value?.difference === undefined ? as : "difference",
      names: targets.map(({ name }) => name),
      captions: inputs.map(({ span }) => ({
        name: nameInText(store, span),
        detail: " feeds",
        alternatives: "",
        hidden: "",
      })),
    },
    numbers: inputs.map(({ fed }) => fed),
    shown,
    rowAt: (token) => row(token - firstTarget.value).index,
    colAt: col,
  };
}

function captionOf(store: Store, { cols, name }: Target): Caption {
  const [n, number] = [cols.end - cols.start, numberOf(store, { cols })];
  const held = store.hiddenShareOf(cols) ?? 0;
  const own = store.tokens.value[store.firstTarget.value + cols.start]?.id;
  const others = (n > 1 ? [] : (stepOf(store, cols.start)?.alternatives ?? []))
    .filter(({ id }) => id !== own)
    .slice(0, OTHERS)
    .map(({ text, probability }) => `${isolated(labelOf({ text }))} ${share(probability)}`);
  const about = aboutOf(store);
  return {
    name: about === null ? name : isolated(about),
    detail: `${number === null ? "" : ` ${number}`}${n > 1 ? ` · ${joinedText(store, cols)}` : ""}`,
    alternatives: others.length === 0 ? "" : ` instead of ${others.join(" · ")}`,
    hidden: held < LITTLE ? "" : ` · not counted: ${percent(held)}`,
  };
}

/** Returns a name for plain text, with the part of a character and marks of direction. */
function nameInText(store: Store, span: Span): string {
  const part = span.end - span.start === 1 ? store.tokens.value[span.start]?.part : null;
  return isolated(`${nameOf(store, span)}${part ? ` (${partMark(...part)})` : ""}`);
}

function tiles(edges: Iterable<number>): Span[] {
  const sorted = [...edges].sort((a, b) => a - b);
  return sorted.slice(1).map((end, k) => ({ start: sorted[k] ?? 0, end }));
}

function moved({ start, end }: Span, by: number): Span {
  return { start: start + by, end: end + by };
}

function within(unit: number | undefined, n: number): number | null {
  return unit !== undefined && unit < n ? unit : null;
}

/** A position among spans: the index of the span that contains it, or null, and the number of spans that end before. */
type Place = { index: number | null; ended: number };

/** Returns a function from a position to its place among these spans, which are in order. */
function placesOf(spans: readonly Span[]): (position: number) => Place {
  return (position) => {
    const ended = firstWhere(spans.length, (k) => (spans[k]?.end ?? 0) > position);
    return { index: (spans[ended]?.start ?? position + 1) <= position ? ended : null, ended };
  };
}
