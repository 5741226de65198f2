/** The reader's draft of a question. It is kept with the store, so it outlives the drawer, and all views share it. */

import { type Signal, signal } from "@preact/signals-core";
import type { Explainers, WireExplainer, WirePrompt } from "../../protocol";
import type { Store } from "../../store";
import { nameOfTargets } from "../words";

export type Draft = {
  explainer: Signal<string | null>;
  prompt: Signal<string | null>;
  /** The templates that were edited, by the id of their prompt. */
  templates: Signal<ReadonlyMap<string, string>>;
  /** The text, where it was edited. */
  review: Signal<string | null>;
  /** The labels to choose between, as they are typed: with commas, or one a line; null before that. */
  labels: Signal<string | null>;
};

/** A draft made whole: what would be asked now. */
export type Question = {
  explainer: WireExplainer;
  prompt: WirePrompt;
  template: string;
  /** The target on show, where the prompt has a place for it, and the place of its only column. */
  target: string;
  col: number | null;
  /** The labels to choose between; null where the prompt is not about any. */
  labels: string[] | null;
  /** The text, and what it was before it was edited. */
  review: string;
  own: string;
};

/** The prompt that asks about the target on show; the others ask about the whole text, as a review. */
export const isWhy = ({ id }: WirePrompt) => id === "why";

/** The prompts that ask for one of the reader's own labels. */
export const isChoice = ({ id }: WirePrompt) => id.startsWith("choose");

/** The prompts of the course, edited or not. */
export const isOfHomework = (prompt: WirePrompt) => !isWhy(prompt) && !isChoice(prompt);

/** The labels in what was typed, each once. */
export function labelsIn(typed: string): string[] {
  const labels = typed.split(/[,;，、；\n]/).map((label) => label.trim());
  return [...new Set(labels.filter((label) => label !== ""))];
}

/** The labels as they are typed; at first those that a server's model chose between for its map. */
export function typedLabels(store: Store): string {
  const { tokens, firstTarget, kind, alive } = store;
  const own = kind.value === "classes" && !alive.value ? tokens.value.slice(firstTarget.value) : [];
  return draftOf(store).labels.value ?? own.map(({ text }) => text).join(", ");
}

const drafts = new WeakMap<Store, Draft>();

export function draftOf(store: Store): Draft {
  const found = drafts.get(store);
  if (found !== undefined) return found;
  const draft: Draft = {
    explainer: signal(null),
    prompt: signal(null),
    templates: signal(new Map()),
    review: signal(null),
    labels: signal(null),
  };
  drafts.set(store, draft);
  return draft;
}

/** null while there is no explainer. A choice that is missing, or no longer there, is replaced by the first one. */
export function questionOf(store: Store): Question | null {
  const [draft, menu] = [draftOf(store), store.explainers.value];
  if (menu === null || menu.reason !== null) return null;
  const explainer = menu.explainers.find(({ id }) => id === draft.explainer.value) ?? menu.explainers[0];
  const prompts = promptsOf(store, menu);
  const prompt = prompts.find(({ id }) => id === draft.prompt.value) ?? prompts[0];
  if (explainer === undefined || prompt === undefined) return null;
  const cols = store.pinnedCols.value ?? store.targetCols.value;
  const own = isWhy(prompt) && cols !== null ? textBefore(store, menu.review, cols.start) : menu.review;
  return {
    explainer,
    prompt,
    template: draft.templates.value.get(prompt.id) ?? prompt.text,
    target: cols === null ? "" : nameOfTargets(store, cols),
    col: cols !== null && cols.end - cols.start === 1 ? cols.start : null,
    labels: isChoice(prompt) ? labelsIn(typedLabels(store)) : null,
    review: draft.review.value ?? own,
    own,
  };
}

/** A class was not written after anything. */
export function promptsOf({ kind }: Store, { prompts }: Explainers): WirePrompt[] {
  return kind.value === "classes" ? prompts.filter((prompt) => !isWhy(prompt)) : prompts;
}

/** Returns the question and what was written up to a target. */
function textBefore({ tokens, firstTarget }: Store, asked: string, col: number): string {
  const { value: first } = firstTarget;
  const written = tokens.value.slice(first, first + col).filter(({ role }) => role !== "special");
  return asked + written.map(({ text }) => text).join("");
}

/** The template with the target in its place. */
export function withTarget({ template, target }: Question): string {
  return template.replaceAll("{target}", () => target);
}

/** `text` is now the template of this prompt, or (null) the one it came with. */
export function editTemplate(draft: Draft, { id, text: own }: WirePrompt, text: string | null): void {
  const next = new Map(draft.templates.value);
  if (text === null || text === own) next.delete(id);
  else next.set(id, text);
  draft.templates.value = next;
}
