/** Keyboard focus that stays in the widget. */

import { computed } from "@preact/signals-core";
import type { ViewContext } from "./context";
import { hasFocus, watch } from "./dom";
import { focusTarget } from "./input";

/** Moves the focus to the target on show when another text replaces the element that had it. */
export function keepFocus(context: ViewContext, root: HTMLElement, body: HTMLElement): void {
  const { store, signal } = context;
  let isHere = false;
  document.addEventListener(
    "focusin",
    (event) => {
      isHere = event.composedPath().includes(root);
    },
    { signal },
  );
  const hasTarget = computed(() => store.shown.value !== null);
  watch(signal, () => {
    if (hasTarget.value) queueMicrotask(() => isHere && !hasFocus(root) && focusTarget(context, body));
  });
}
