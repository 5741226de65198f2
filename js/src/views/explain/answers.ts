/** The history, the newest answer first. */

import { type Signal, signal as signalOf } from "@preact/signals-core";
import type { Answer } from "../../protocol";
import type { ViewContext } from "../context";
import { h, watch } from "../dom";
import { answerView } from "./answer";

/** So many are in sight; the others wait behind a button, or what comes below them would be far away. */
const IN_SIGHT = 3;

type Shown = { answer: Signal<Answer>; element: HTMLElement; lifetime: AbortController };

export function answersView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const list = h("div", { className: "sw-answers" });
  const more = h("button", { type: "button", className: "sw-link sw-earlier" });
  const root = h("div", {}, list, more);
  const shown = new Map<number, Shown>();
  const all = signalOf(false);

  function begin(first: Answer): Shown {
    const lifetime = new AbortController();
    const answer = signalOf(first);
    const own = { ...context, signal: AbortSignal.any([signal, lifetime.signal]) };
    return { answer, lifetime, element: answerView(own, answer) };
  }

  function showMore(): void {
    const first = list.children[IN_SIGHT];
    all.value = true;
    first?.querySelector<HTMLElement>("button")?.focus(); // the button that was pressed is gone
  }
  more.addEventListener("click", showMore, { signal });

  watch(signal, () => {
    const answers = store.answers.value.toReversed();
    for (const [id, { element, lifetime }] of shown) {
      if (answers.some((answer) => answer.id === id)) continue;
      lifetime.abort();
      element.remove();
      shown.delete(id);
    }
    for (const [i, answer] of answers.entries()) {
      const known = shown.get(answer.id) ?? begin(answer);
      shown.set(answer.id, known);
      known.answer.value = answer;
      known.element.hidden = !all.value && i >= IN_SIGHT;
      // In its place, without moving what is there: that would lose its scroll and its focus.
      if (list.children[i] !== known.element) list.insertBefore(known.element, list.children[i] ?? null);
    }
    root.hidden = answers.length === 0;
    const hidden = all.value ? 0 : Math.max(0, answers.length - IN_SIGHT);
    more.hidden = hidden === 0;
    more.textContent = `${hidden} earlier answer${hidden === 1 ? "" : "s"}`;
  });
  return root;
}
