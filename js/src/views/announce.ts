/**
 * Announces to screen readers, after a pause, the target, its strongest inputs and the notes on it; and answers of an
 * LLM.
 */

import { share } from "../format";
import type { Span } from "../layout";
import { labelOf, partOf } from "../pieces";
import type { Answer } from "../protocol";
import { isUnderWay, type Store } from "../store";
import { feeds } from "./chosen";
import type { ViewContext } from "./context";
import { liveRegion, rested, watch } from "./dom";
import { classOf, explainerName, summary, verdict } from "./explain/said";
import { contrastOf } from "./target/contrast";
import { figure, nameOf, nameOfTargets, noise, notesOn, numberOf, probabilityOf } from "./words";

const REST = 500; // ms

function announcement(store: Store): string {
  const { value: inputs } = store.inputs;
  return inputs !== null && store.look.value.turned ? turnedRound(store, inputs) : aboutTarget(store);
}

function turnedRound(store: Store, rows: Span): string {
  const said = feeds(store, rows).map(({ name, value }) => `${name} ${value}`);
  return `Input ${nameOf(store, rows)} feeds: ${said.join(", ") || "nothing that is known"}.`;
}

function aboutTarget(store: Store): string {
  const { value: shown } = store.shown;
  const token = shown === null ? undefined : store.tokens.value[shown.token];
  if (shown === null || token === undefined) return "";
  const name = (of: typeof token) => [labelOf(of), partOf(of)].filter((text) => text !== "").join(", ");
  const { cols, scores } = shown;
  const p = probabilityOf(store, shown);
  const said =
    p === null
      ? numberOf(store, shown)?.replace("=", "Value")
      : `${cols.end - cols.start > 1 ? "Joint probability" : "Probability"} ${share(p)}`;
  const { value: granularity } = store.granularity;
  const target = cols.end - cols.start > 1 ? nameOfTargets(store, shown.cols) : name(token);
  const inputs =
    scores === null
      ? []
      : store.top.value.flatMap((unit) => {
          const span = store.units.value.spans[unit];
          const input = span === undefined ? undefined : store.tokens.value[span.start];
          if (span === undefined || input === undefined) return [];
          const called = span.end - span.start > 1 ? nameOf(store, span) : name(input);
          return [`${called} ${figure(store, store.measured(scores, unit))}`];
        });
  const about = contrastOf(store);
  const foil = about !== null && (about.col ?? shown.col) === shown.col ? ` and not ${about.foil}` : "";
  return [
    `${token.role !== "class" ? "Target" : store.raw.value ? "Output" : "Class"} ${target}${foil}.`,
    said === undefined ? "" : `${said}.`,
    inputs.length > 0
      ? `Most important${granularity === "token" ? "" : ` ${granularity}s`}: ${inputs.join(", ")}.`
      : "Not computed yet.",
    noise(store) ?? "",
  ]
    .filter((text) => text !== "")
    .join(" ");
}

/** Returns a live region that announces words after a pause, and not again while they are the same. */
function restful({ store, signal }: ViewContext, words: (store: Store) => string): HTMLElement {
  const root = liveRegion();
  let text = "";
  const say = rested(signal, REST, () => {
    if (root.textContent !== text) root.textContent = text;
  });
  watch(signal, () => {
    text = words(store);
    say();
  });
  return root;
}

export function announcer(context: ViewContext): HTMLElement {
  return restful(context, announcement);
}

/** Announces notes on the whole map once, apart from those on each target. */
export function noteAnnouncer(context: ViewContext): HTMLElement {
  return restful(context, (store) => notesOn(store).join(" "));
}

/** Returns the announcement of an answer, without its text, which is in the drawer and may be long. */
export function answered(store: Store, answer: Answer): string {
  const name = explainerName(store, answer.explainer);
  if (answer.state === "failed") return `${name} failed. ${answer.failure?.message ?? ""}`.trimEnd();
  if (answer.state === "cancelled") return `${name} was stopped.`;
  const words = answer.words === null ? "" : ` ${summary(answer)}.`;
  return answer.decides ? `${name} has answered: ${classOf(answer)}.${words}` : `${name} has answered.${words}`;
}

/** Announces answers that arrive while the page is open, but not earlier ones that a new page receives. */
export function answerAnnouncer({ store, signal }: ViewContext): HTMLElement {
  const root = liveRegion();
  const underWay = new Set<number>();
  watch(signal, () => {
    for (const answer of store.answers.value) {
      if (isUnderWay(answer)) underWay.add(answer.id);
      else if (underWay.delete(answer.id)) root.textContent = answered(store, answer);
    }
  });
  watch(signal, () => {
    const { value: comparison } = store.comparison;
    if (comparison !== null && store.explaining.peek()) root.textContent = verdict(comparison);
  });
  return root;
}
