/** The drawer where the reader asks an LLM for an explanation: the form, the answers, and the comparison. */

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
  // The newest answer stands next to the form: below a long history a reader would miss it.
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
