/**
 * The kinds of export: each has a description, a reason if it is impossible, and a function that makes the file.
 */

import { plural } from "../../format";
import type { Span } from "../../layout";
import { differenceOfShares, rankOf, shareOf } from "../../scores";
import type { Store } from "../../store";
import { type Columns, csv, json, shortest, tsv } from "../../takeaway/table";
import { areTokens, masked, pooled } from "../../units";
import { copy } from "../clipboard";
import type { ViewContext } from "../context";
import { h } from "../dom";
import { headline, nameOf } from "../words";
import { pageOf } from "./page";
import { type Picture, pictureOf } from "./picture";
import { noPython, pythonOf } from "./python";
import { download, gathered, png } from "./save";

const MOST_BOXES = 3000;

export type Way = [
  label: string,
  gives: string,
  /** Returns the reason why this export is impossible, or null. */
  lacks: (store: Store) => string | null,
  /** Makes the file. Resolves to a sentence for the reader. */
  take: (context: ViewContext) => Promise<string>,
];

const noColumn = ({ map }: Store) => (map.value?.done.value ? null : "no column is computed yet");
const noTarget = ({ shown }: Store) => (shown.value?.scores ? null : "this column is not computed");
const noPicture = (store: Store) => {
  const { length } = store.tokens.value;
  return length > MOST_BOXES
    ? `${plural(length, "token")} are too many for a picture: take HTML or CSV`
    : noTarget(store);
};

export const WAYS: readonly Way[] = [
  ["HTML", "a page of its own to hover", noColumn, async (context) => save(context, "html", page(context))],
  ["SVG", "what is drawn here", noPicture, async (context) => save(context, "svg", svg(context))],
  ["PNG", "the same, twice the size", noPicture, async (context) => save(context, "png", await png(draw(context)))],
  [
    "CSV",
    "a line for each cell, as in to_dataframe()",
    noColumn,
    async (context) => save(context, "csv", await gathered(asCsv(context.store))),
  ],
  [
    "JSON",
    "tokens, probabilities, scores and shares",
    noColumn,
    async (context) => save(context, "json", await gathered(asJson(context.store))),
  ],
  [
    "Copy Python",
    "code that shows exactly this",
    noPython,
    async ({ store, layer }) => {
      await copy(pythonOf(store), layer);
      return "The Python is copied: paste it into a cell.";
    },
  ],
  [
    "Copy as table",
    "this column, for a spreadsheet",
    (store) => (store.look.value.turned ? "this is of an input" : noTarget(store)),
    table,
  ],
];

function save({ store }: ViewContext, ending: string, file: Blob): string {
  const name = ["saliency", store.document.value?.model, store.map.value?.info.method].join("-");
  return download(`${name.replace(/[^\p{L}\p{N}.]+/gu, "-").slice(0, 100)}.${ending}`, file);
}

function page({ store }: ViewContext): Blob {
  return new Blob([pageOf(store)]);
}

function draw({ store, layer, ramp }: ViewContext): Picture {
  const parts = [".sw-text", ".sw-classes", ".sw-actions-text", ".sw-about"].flatMap(
    (query) => layer.parentElement?.querySelector<HTMLElement>(`.sw-body ${query}:not([hidden])`) ?? [],
  );
  const title = headline(store).join(" · ");
  const head = h("div", {}, h("span", { className: "sw-muted" }, title));
  parts[0]?.before(head); // only while the layout is read; the reader sees it elsewhere
  const picture = pictureOf([head, ...parts], title, ramp.value.plain[0]?.background ?? "white");
  head.remove();
  return picture;
}

function svg(context: ViewContext): Blob {
  return new Blob([draw(context).text]);
}

/** Returns the columns as they are now, without those that arrive while the file is written. */
function columnsOf({ map }: Store, seen = (scores: Float32Array) => scores): Columns {
  const { value: of } = map;
  if (of === null) return [];
  return Array.from({ length: of.info.n_cols }, (_, col) => {
    const [a, b] = (of.difference ?? [of]).map(({ columns }) => columns[col]);
    return () => (a && b ? differenceOfShares(seen(a), seen(b)) : a && seen(a));
  });
}

/** Returns the standard errors of the columns as they are now; null if no column has any. */
function errorsOf({ map }: Store): Columns | null {
  const { value: of } = map;
  if (of === null || of.difference !== undefined || !of.errors.some((errors) => errors)) return null;
  return Array.from({ length: of.info.n_cols }, (_, col) => {
    const errors = of.errors[col] ?? undefined;
    return () => errors;
  });
}

function rowsOf({ tokens, map }: Store) {
  return tokens.value.slice(0, map.value?.info.n_rows).map(({ text, role }, position) => ({ text, role, position }));
}

/** Returns the columns with their probabilities and alternatives, which a difference of two maps lacks. */
function colsOf({ tokens, firstTarget, steps, map }: Store) {
  const [first, known] = [firstTarget.value, map.value?.difference ? [] : steps.value];
  return tokens.value.slice(first).map(({ text }, col) => ({ text, position: first + col, ...known[col] }));
}

function asCsv(store: Store): Iterable<string> {
  return csv(rowsOf(store), colsOf(store), columnsOf(store), errorsOf(store));
}

/** Returns the reader's choices for the JSON file. */
function viewOf(store: Store) {
  const { granularity, units, poolOf, map, pinnedCols, extent, joint, hidden, scale, threshold, measure, inputs } =
    store;
  const ends = ({ start, end }: Span): [number, number] => [start, end];
  return {
    by: granularity.value,
    units: areTokens(units.value) ? null : units.value.spans.map(({ start }) => start),
    pool: poolOf(map.value),
    pinned: pinnedCols.value !== null && extent.value > 1 ? ends(pinnedCols.value) : null,
    joint: joint.value,
    left_out: hidden.value.map(ends),
    scale: scale.value,
    threshold: threshold.value,
    measure: measure.value,
    turned: inputs.value && ends(inputs.value),
  };
}

function asJson(store: Store): Iterable<string> {
  const { method, objective, settings, foil } = store.map.value?.info ?? {};
  const [view, units, hidden] = [viewOf(store), store.units.value, store.hiddenRows.value];
  const head = {
    model: store.document.value?.model,
    method,
    objective,
    settings: Object.fromEntries(settings ?? []),
    foil,
    rows: rowsOf(store),
    cols: colsOf(store),
    view,
  };
  const seen = (scores: Float32Array) => {
    const counted = hidden === null ? scores : masked(scores, hidden);
    return view.units === null ? counted : pooled(counted, units, view.pool);
  };
  return json(head, columnsOf(store), columnsOf(store, seen), errorsOf(store));
}

async function table({ store, layer }: ViewContext): Promise<string> {
  const scores = store.shown.value?.scores ?? new Float32Array();
  const rows = store.units.value.spans.flatMap<[string, ...number[]]>((span, unit) => {
    const rank = rankOf(scores, unit);
    return rank === null
      ? []
      : [[nameOf(store, span), shortest(shareOf(scores, unit)), shortest(scores[unit] ?? 0), rank]];
  });
  await copy(tsv([[store.granularity.value, "share", "score", "rank"], ...rows]), layer);
  return `${plural(rows.length, "row")} copied.`;
}
