/** The drawer where an LLM is asked why: the question, what was answered, and what that is worth. */

import type { Comparison } from "../protocol";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { answersView } from "./explain/answers";
import { comparisonView } from "./explain/comparison";
import { formView } from "./explain/form";

/** The newest answer that was there when a comparison came; kept with it, so that it outlives the drawer. */
const before = new WeakMap<Comparison, number>();

export function explainView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const form = formView(context);
  const comparison = comparisonView(context);
  const root = h("div", { className: "sw-explain" }, form, answersView(context), comparison);
  // What came last is next to the question: below a long history it would not be seen.
  watch(signal, () => {
    const { value: shown } = store.comparison;
    const newest = store.answers.value.at(-1)?.id ?? 0;
    if (shown === null) return;
    if (!before.has(shown)) before.set(shown, newest);
    const isLast = newest <= (before.get(shown) ?? 0);
    if (isLast && comparison.previousElementSibling !== form) form.after(comparison);
    if (!isLast && root.lastElementChild !== comparison) root.append(comparison);
  });
  return root;
}
