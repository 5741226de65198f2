/** Words for tokens, for the numbers of a map, and for notes that they mean little. */

import { percent, plural, share, significant } from "../format";
import type { Span } from "../layout";
import { nameOfSpan } from "../pieces";
import type { WireMethod, WireStep } from "../protocol";
import { isNoise, randomTop } from "../scale";
import { statsOf } from "../scores";
import type { Shown, Store } from "../store";
import type { Granularity, Pool } from "../units";

/** The name of a unit in a line of numbers. */
export function nameOf({ tokens }: Store, span: Span): string {
  return nameOfSpan(tokens.value, span);
}

/** The name of the targets of these columns. */
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

/** "layer 3", "head 5": the layer and head of a map, where one was chosen. */
export function chosenParts({ map }: Store): string[] {
  return (map.value?.info.settings ?? [])
    .filter(([name]) => name === "layer" || name === "head")
    .map((setting) => setting.join(" "));
}

/** The objective, where the method uses one. */
export function objectiveText({ menu, map, method }: Store): string | undefined {
  const asked = method.value?.uses_objective && map.value?.info.objective;
  return menu.value?.objectives.find(({ id }) => id === asked)?.label;
}

/** What that objective is, in words. */
export function objectiveMeaning({ menu, map, method }: Store): string | undefined {
  const asked = method.value?.uses_objective && map.value?.info.objective;
  return menu.value?.objectives.find(({ id }) => id === asked)?.means;
}

/** The head of a file: the model, method and objective, and the layer and head, where one was chosen. */
export function headline(store: Store): string[] {
  const { document, method, map, alive } = store;
  // Of finished maps no method is asked anything: what theirs explained, the map says itself.
  const objective = objectiveText(store) ?? (alive.value ? "" : map.value?.info.objective.replaceAll("_", "-"));
  return [document.value?.model, method.value?.label, ...chosenParts(store), objective].flatMap((words) => words || []);
}

/** The name of the scale; empty where the colours are in proportion to the numbers. */
export function scaleText({ scale, threshold }: Store): string {
  return { linear: "", quantile: "by rank", threshold: `≥ ${percent(threshold.value)}` }[scale.value];
}

/** A number in the measure on show. */
export function figure({ measure }: Store, value: number): string {
  return measure.value === "raw" ? significant(value) : share(value);
}

/** The step of a target; undefined in a difference of maps, which each have their own. */
export function stepOf({ steps, method }: Store, col: number): WireStep | undefined {
  return method.value?.family === "difference" ? undefined : steps.value[col];
}

/** The same once what is tried is done; where nothing is, or the target itself is struck out, as it was. */
export function stepNow(store: Store, col: number): WireStep | undefined {
  const [step, { value: whatIf }] = [stepOf(store, col), store.whatIf];
  const now = whatIf?.after[col] ?? null;
  if (step === undefined || whatIf === null || now === null) return step;
  if (step.probability === null) return { ...step, value: now };
  return { ...step, probability: now, alternatives: whatIf.others[col] ?? step.alternatives };
}

/** The names of a classifier's columns: of one, and of all. */
export function outputsOf({ raw, nTargets }: Store): { one: string; label: string } {
  if (!raw.value) return { one: "class", label: "classes" };
  return { one: "output", label: nTargets.value === 1 ? "output" : "outputs" };
}

/** The probability of these targets together, or null while that of one is not known. */
export function probabilityOf(store: Store, { cols }: Pick<Shown, "cols">, of = stepOf): number | null {
  let product = 1;
  for (let col = cols.start; col < cols.end; col++) {
    const step = of(store, col);
    if (step === undefined || step.probability === null) return null;
    product *= step.probability;
  }
  return product;
}

/**
 * A probability, or the value that a model gives in its place: its name, "p" or empty, and its figure, ".342" or
 * "1.73".
 */
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

/** The method's notes about the targets on show, or, with the question turned round, about the map as a whole. */
export function notesOn({ notes, map, look, targetCols }: Store): string[] {
  const { value: shown } = targetCols;
  const isShown = (col: number) => !look.value.turned && shown !== null && col >= shown.start && col < shown.end;
  const known = notes.value.get(map.value?.info.map ?? "") ?? [];
  return known.filter(({ cols }) => cols === null || cols.some(isShown)).map(({ text }) => text);
}

/** A note where no input of the column on show stands out from noise. */
export function noise({ shown, domain, granularity, method }: Store): string | null {
  if (method.value?.family === "difference") return null; // of two maps it may well be that nothing is different
  const scores = shown.value?.scores ?? null;
  const n = scores === null ? 0 : statsOf(scores).visible;
  const max = domain.value;
  if (!isNoise(max, n)) return null;
  const over = plural(n, granularity.value);
  return `Nothing stands out: the largest share, ${share(max)}, is no more than noise over ${over} would give (${share(randomTop(n))}).`;
}
