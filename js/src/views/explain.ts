/** The drawer where an LLM is asked why: the question, what was answered, and what that is worth. */

import type { ViewContext } from "./context";
import { h } from "./dom";
import { answersView } from "./explain/answers";
import { comparisonView } from "./explain/comparison";
import { formView } from "./explain/form";

export function explainView(context: ViewContext): HTMLElement {
  return h("div", { className: "sw-explain" }, formView(context), answersView(context), comparisonView(context));
}
