/** Texts for tokens, for the numbers of a map, and for notes. */

import { percent, plural, share, significant } from "../format";
import type { Span } from "../layout";
import { colsKey } from "../map";
import { nameOfSpan } from "../pieces";
import type { WireMethod, WireStep } from "../protocol";
import { isNoise, randomTop } from "../scale";
import { statsOf } from "../scores";
import type { Shown, Store } from "../store";
import type { Granularity, Pool } from "../units";

/** The name of a unit in a line of numbers: of what was replaced, as the text of this map has it, or as both have it. */
export function nameOf({ tokens, onlyIn, sideOf, map }: Store, span: Span, of = map.value): string {
  const { value: all } = tokens;
  if (onlyIn.value.size === 0 || span.end - span.start === 1) return nameOfSpan(all, span);
  const as = (side: number) => {
    const own = all.slice(span.start, span.end).filter((_, k) => onlyIn.value.get(span.start + k) !== 1 - side);
    return nameOfSpan(own, { start: 0, end: own.length });
  };
  const side = sideOf(of);
  return [...new Set(side === null ? [as(0), as(1)] : [as(side)])].join(" / ");
}

/** The name of the targets of these columns; of the map of what an LLM decided, what it decided. */
export function nameOfTargets(store: Store, cols: Span): string {
  const { value: first } = store.firstTarget;
  const { start, end } = cols;
  if (isWholeAnswer(store, cols)) return "the whole answer";
  return aboutOf(store) ?? nameOf(store, { start: first + start, end: first + end });
}

/** Tells whether these targets are the whole answer, whose scores were computed as those of one target. */
export function isWholeAnswer({ map, nTargets }: Store, cols: Span): boolean {
  return cols.end === nTargets.value && map.value?.together.has(colsKey(cols)) === true;
}

/** Returns what the map is about in place of its targets, or null. */
export const aboutOf = ({ map }: Store): string | null => map.value?.info.about ?? null;

const POOLED: Record<Pool, (unit: Granularity) => string> = {
  sum: (unit) => `summed over ${unit}s`,
  mean: (unit) => `mean per token of each ${unit}`,
  max: (unit) => `the largest of each ${unit}`,
};

export function pooledText({ granularity, poolOf, map }: Store): string {
  return granularity.value === "token" ? "" : POOLED[poolOf(map.value)](granularity.value);
}

/** Returns the unit of the numbers: "share of the gradient norm, summed over words". */
export function unitText(store: Store, card: WireMethod | null = store.method.value): string {
  const pooled = pooledText(store);
  const unit = card?.unit ?? "score";
  const asItIs = store.measure.value === "raw" || card?.family === "difference";
  return `${asItIs ? unit : `share of the ${unit}`}${pooled === "" ? "" : `, ${pooled}`}`;
}

/** "layer 3", "head 5", "operator mask": what was chosen for the map that is seen, where it is not the usual. */
export function chosenParts({ seen }: Store): string[] {
  return (seen.value?.info.settings ?? [])
    .filter(([name, value]) => name === "layer" || name === "head" || (name === "operator" && value !== "replace"))
    .map((setting) => setting.join(" "));
}

/** Returns the objective, if the method uses one. */
export function objectiveText({ menu, map, method }: Store): string | undefined {
  const asked = method.value?.uses_objective && map.value?.info.objective;
  return menu.value?.objectives.find(({ id }) => id === asked)?.label;
}

/** Returns a description of that objective. */
export function objectiveMeaning({ menu, map, method }: Store): string | undefined {
  const asked = method.value?.uses_objective && map.value?.info.objective;
  return menu.value?.objectives.find(({ id }) => id === asked)?.means;
}

/** The head of a file: the model, method and objective, and the layer and head, where one was chosen. */
export function headline(store: Store): string[] {
  const { document, method, map, alive } = store;
  // Finished maps without a model have their own objective.
  const objective = objectiveText(store) ?? (alive.value ? "" : map.value?.info.objective.replaceAll("_", "-"));
  return [document.value?.model, method.value?.label, ...chosenParts(store), objective].flatMap((words) => words || []);
}

/** Returns the name of the scale; "" for the linear one. */
export function scaleText({ scale, threshold }: Store): string {
  return { linear: "", quantile: "by rank", threshold: `≥ ${percent(threshold.value)}` }[scale.value];
}

/** Returns a number as text in the measure on show. */
export function figure({ measure }: Store, value: number): string {
  return measure.value === "raw" ? significant(value) : share(value);
}

/** The step of a target; undefined in a difference of maps, which each have their own, and where it is not the target. */
export function stepOf(store: Store, col: number): WireStep | undefined {
  const { steps, method } = store;
  return method.value?.family === "difference" || aboutOf(store) !== null ? undefined : steps.value[col];
}

/** Said of a target that one of two texts does not have. */
export const NOT_THERE = "not a target there";

/** The probability (or value) of these targets in each of two texts, and what it is called there; none of one text. */
export function numbersBeside(
  { exhibited, methodCalled }: Store,
  cols: Span,
): [map: string, name: string, said: string | null][] {
  return (exhibited.value?.steps ?? []).map(({ map, steps }) => {
    const own = steps.slice(cols.start, cols.end);
    const value = own[0]?.value ?? null;
    const p = own.reduce<number | null>(
      (all, { probability: one }) => (all === null || one === null ? null : all * one),
      1,
    );
    return [
      map,
      methodCalled(map)?.label ?? map,
      p !== null ? `${pOf(cols)} = ${share(p)}` : value !== null ? `= ${significant(value)}` : null,
    ];
  });
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

/** The name of the probability of some targets: of several it is the product, whatever is done with their shares. */
export function pOf({ start, end }: Span): string {
  return end - start > 1 ? "joint p" : "p";
}

/** Returns how several targets are one column; empty for a single one. */
export function joinedText(store: Store, cols: Span): string {
  const { joint } = store;
  const { start, end } = cols;
  if (isWholeAnswer(store, cols)) return `all ${plural(end - start, "token")} as one target`;
  return end - start > 1 ? `shares: ${joint.value} of ${plural(end - start, "token")}` : "";
}

/**
 * Returns a probability, or the raw value in its place: its name, "p" or "", and its number, ".342" or "1.73".
 */
export function worthOf(store: Store, shown: Pick<Shown, "cols">): { name: string; said: string } | null {
  if (isWholeAnswer(store, shown.cols)) return null; // a product of so many says nothing
  const p = probabilityOf(store, shown);
  if (p !== null) return { name: pOf(shown.cols), said: share(p) };
  const value = stepOf(store, shown.cols.start)?.value ?? null;
  return value === null ? null : { name: "", said: significant(value) };
}

/** Returns the label beside a target: "p = .342", or "= 1.73" without probabilities; null while unknown. */
export function numberOf(store: Store, shown: Pick<Shown, "cols">): string | null {
  const worth = worthOf(store, shown);
  return worth && `${worth.name} = ${worth.said}`.trimStart();
}

/** Returns the method's notes on the targets on show, or with chosen inputs those on the whole map. */
export function notesOn({ notes, map, look, targetCols }: Store): string[] {
  const { value: shown } = targetCols;
  const isShown = (col: number) => !look.value.turned && shown !== null && col >= shown.start && col < shown.end;
  const known = notes.value.get(map.value?.info.map ?? "") ?? [];
  return known.filter(({ cols }) => cols === null || cols.some(isShown)).map(({ text }) => text);
}

/** Returns a note if no input of the column on show stands out from noise, otherwise null. */
export function noise({ shown, domain, granularity, method }: Store): string | null {
  if (method.value?.family === "difference") return null; // two maps may be equal
  const scores = shown.value?.scores ?? null;
  const n = scores === null ? 0 : statsOf(scores).visible;
  const max = domain.value;
  if (!isNoise(max, n)) return null;
  const over = plural(n, granularity.value);
  return `Nothing stands out: the largest share, ${share(max)}, is no more than noise over ${over} would give (${share(randomTop(n))}).`;
}
