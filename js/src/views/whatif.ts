/** Shows the probabilities of the same targets after a change of the text. */

import type { ViewContext } from "./context";
import { h } from "./dom";
import { editorView } from "./whatif/editor";
import { triedView } from "./whatif/tried";

export { undoWhatIf } from "./whatif/tried";

export function whatIfView(context: ViewContext): HTMLElement {
  return h("div", { className: "sw-what-if" }, triedView(context), editorView(context));
}
