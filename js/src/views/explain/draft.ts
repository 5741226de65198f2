/** The reader's draft of a question. It is kept with the store, so it outlives the drawer, and all views share it. */

import { type Signal, signal } from "@preact/signals-core";
import type { WireExplainer, WirePrompt } from "../../protocol";
import type { Store } from "../../store";

export type Draft = {
  explainer: Signal<string | null>;
  prompt: Signal<string | null>;
  /** The templates that were edited, by the id of their prompt. */
  templates: Signal<ReadonlyMap<string, string>>;
  /** The text, where it was edited. */
  review: Signal<string | null>;
};

/** The question that a draft would ask now. */
export type Question = { explainer: WireExplainer; prompt: WirePrompt; template: string; review: string };

const drafts = new WeakMap<Store, Draft>();

export function draftOf(store: Store): Draft {
  const found = drafts.get(store);
  if (found !== undefined) return found;
  const draft: Draft = {
    explainer: signal(null),
    prompt: signal(null),
    templates: signal(new Map()),
    review: signal(null),
  };
  drafts.set(store, draft);
  return draft;
}

/** null while there is no explainer. A choice that is missing, or no longer there, is replaced by the first one. */
export function questionOf(store: Store): Question | null {
  const [draft, menu] = [draftOf(store), store.explainers.value];
  if (menu === null || menu.reason !== null) return null;
  const explainer = menu.explainers.find(({ id }) => id === draft.explainer.value) ?? menu.explainers[0];
  const prompt = menu.prompts.find(({ id }) => id === draft.prompt.value) ?? menu.prompts[0];
  if (explainer === undefined || prompt === undefined) return null;
  return {
    explainer,
    prompt,
    template: draft.templates.value.get(prompt.id) ?? prompt.text,
    review: draft.review.value ?? menu.review,
  };
}

/** `text` is now the template of this prompt, or (null) the one it came with. */
export function editTemplate(draft: Draft, { id, text: own }: WirePrompt, text: string | null): void {
  const next = new Map(draft.templates.value);
  if (text === null || text === own) next.delete(id);
  else next.set(id, text);
  draft.templates.value = next;
}
