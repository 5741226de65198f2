/** What tokens are called, and what the numbers of a map are, in words; and whether these say anything. */

import { percent, plural, share, significant } from "../format";
import type { Span } from "../layout";
import { nameOfSpan } from "../pieces";
import type { WireMethod, WireStep } from "../protocol";
import { isNoise, randomTop } from "../scale";
import { statsOf } from "../scores";
import type { Shown, Store } from "../store";
import type { Granularity, Pool } from "../units";

/** A unit as it is called in a line of numbers. */
export function nameOf({ tokens }: Store, span: Span): string {
  return nameOfSpan(tokens.value, span);
}

/** Targets as they are called, by their columns. */
export function nameOfTargets(store: Store, { start, end }: Span): string {
  const { value: first } = store.firstTarget;
  return nameOf(store, { start: first + start, end: first + end });
}

const POOLED: Record<Pool, (unit: Granularity) => string> = {
  sum: (unit) => `summed over ${unit}s`,
  mean: (unit) => `mean per token of each ${unit}`,
  max: (unit) => `the largest of each ${unit}`,
};

export function pooledText({ granularity, pool }: Store): string {
  return granularity.value === "token" ? "" : POOLED[pool.value](granularity.value);
}

/** "share of the gradient norm, summed over words". */
export function unitText(store: Store, card: WireMethod | null = store.method.value): string {
  const pooled = pooledText(store);
  const unit = card?.unit ?? "score";
  const asItIs = store.measure.value === "raw" || card?.family === "difference";
  return `${asItIs ? unit : `share of the ${unit}`}${pooled === "" ? "" : `, ${pooled}`}`;
}

/** "layer 3", "head 5": of what a map is, where it is not of all of them. */
export function chosenParts({ map }: Store): string[] {
  return (map.value?.info.settings ?? [])
    .filter(([name]) => name === "layer" || name === "head")
    .map((setting) => setting.join(" "));
}

/** What is explained, where the method looks at it. */
export function objectiveText({ menu, map, method }: Store): string | undefined {
  const asked = method.value?.uses_objective && map.value?.info.objective;
  return menu.value?.objectives.find(({ id }) => id === asked)?.label;
}

/** What was asked of which model, and of which of its layers and heads, if not of all: the head of a file. */
export function headline(store: Store): string[] {
  const { document, method, map, alive } = store;
  // Of finished maps no method is asked anything: what theirs explained, the map says itself.
  const objective = objectiveText(store) ?? (alive.value ? "" : map.value?.info.objective.replaceAll("_", "-"));
  return [document.value?.model, method.value?.label, ...chosenParts(store), objective].flatMap((words) => words || []);
}

/** Nothing where the colours are in proportion to the numbers. */
export function scaleText({ scale, threshold }: Store): string {
  return { linear: "", quantile: "by rank", threshold: `≥ ${percent(threshold.value)}` }[scale.value];
}

/** A number in the measure on show. */
export function figure({ measure }: Store, value: number): string {
  return measure.value === "raw" ? significant(value) : share(value);
}

/** What is known of a target; where two maps are set against each other each has its own, and there is none of both. */
export function stepOf({ steps, method }: Store, col: number): WireStep | undefined {
  return method.value?.family === "difference" ? undefined : steps.value[col];
}

/** What the columns of a classifier are called: one of them, and above all of them. */
export function outputsOf({ raw, nTargets }: Store): { one: string; label: string } {
  if (!raw.value) return { one: "class", label: "classes" };
  return { one: "output", label: nTargets.value === 1 ? "output" : "outputs" };
}

/** Of all these targets together, or null while it is not known of each. */
export function probabilityOf(store: Store, { cols }: Pick<Shown, "cols">): number | null {
  let product = 1;
  for (let col = cols.start; col < cols.end; col++) {
    const step = stepOf(store, col);
    if (step === undefined || step.probability === null) return null;
    product *= step.probability;
  }
  return product;
}

/** A probability, or the value that a model gives in its place: how it is called, "p" or nothing, and ".342" or "1.73". */
export function worthOf(store: Store, shown: Pick<Shown, "cols">): { name: string; said: string } | null {
  const p = probabilityOf(store, shown);
  if (p !== null) return { name: "p", said: share(p) };
  const value = stepOf(store, shown.cols.start)?.value ?? null;
  return value === null ? null : { name: "", said: significant(value) };
}

/** The label beside a target: "p = .342", or "= 1.73" from a model without probabilities; null while neither is known. */
export function numberOf(store: Store, shown: Pick<Shown, "cols">): string | null {
  const worth = worthOf(store, shown);
  return worth && `${worth.name} = ${worth.said}`.trimStart();
}

/** What the method says of its own result, as far as it concerns the targets on show; turned round, the map as a whole. */
export function notesOn({ notes, map, look, targetCols }: Store): string[] {
  const { value: shown } = targetCols;
  const isShown = (col: number) => !look.value.turned && shown !== null && col >= shown.start && col < shown.end;
  const known = notes.value.get(map.value?.info.map ?? "") ?? [];
  return known.filter(({ cols }) => cols === null || cols.some(isShown)).map(({ text }) => text);
}

/** Says so where the column on show singles nothing out. */
export function noise({ shown, domain, granularity, method }: Store): string | null {
  if (method.value?.family === "difference") return null; // of two maps it may well be that nothing is different
  const scores = shown.value?.scores ?? null;
  const n = scores === null ? 0 : statsOf(scores).visible;
  const max = domain.value;
  if (!isNoise(max, n)) return null;
  const over = plural(n, granularity.value);
  return `Nothing stands out: the largest share, ${share(max)}, is no more than noise over ${over} would give (${share(randomTop(n))}).`;
}
