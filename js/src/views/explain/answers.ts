/** The history, the newest answer first. */

import { signal as signalOf } from "@preact/signals-core";
import type { Answer } from "../../protocol";
import type { ViewContext } from "../context";
import { h, keyed, watch } from "../dom";
import { answerView } from "./answer";

/** So many are in sight; the others wait behind a button, or what comes below them would be far away. */
const IN_SIGHT = 3;

export function answersView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const list = h("div");
  const more = h("button", { type: "button", className: "sw-link sw-earlier" });
  const root = h("div", {}, list, more);
  const all = signalOf(false);

  function begin(first: Answer, lifetime: AbortSignal) {
    const answer = signalOf(first);
    return { answer, element: answerView({ ...context, signal: lifetime }, answer) };
  }
  const show = keyed(list, signal, ({ id }: Answer) => id, begin);

  function showMore(): void {
    const first = list.children[IN_SIGHT];
    all.value = true;
    first?.querySelector<HTMLElement>("button")?.focus(); // the button that was pressed is gone
  }
  more.addEventListener("click", showMore, { signal });

  watch(signal, () => {
    const answers = store.answers.value.toReversed();
    for (const [i, { answer, element }] of show(answers).entries()) {
      answer.value = answers[i] as Answer;
      element.hidden = !all.value && i >= IN_SIGHT;
    }
    root.hidden = answers.length === 0;
    const hidden = all.value ? 0 : Math.max(0, answers.length - IN_SIGHT);
    more.hidden = hidden === 0;
    more.textContent = `${hidden} earlier answer${hidden === 1 ? "" : "s"}`;
  });
  return root;
}
