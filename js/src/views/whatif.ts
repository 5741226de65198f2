/** What if: how probable the same words would be, had the model read something else. */

import type { ViewContext } from "./context";
import { h } from "./dom";
import { editorView } from "./whatif/editor";
import { triedView } from "./whatif/tried";

export { undoWhatIf } from "./whatif/tried";

export function whatIfView(context: ViewContext): HTMLElement {
  return h("div", { className: "sw-what-if" }, triedView(context), editorView(context));
}
