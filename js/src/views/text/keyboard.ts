/** The keyboard in the text: the focus previews a target, the arrows move it. */

import type { ViewContext } from "../context";
import { nearestCol, onKeys, targetSteps } from "../input";
import { tokenTip } from "../tips";
import { boxOf, indexOf, isTarget } from "./boxes";
import type { Lines } from "./lines";

export function followKeys(
  { store, signal, tooltip }: ViewContext,
  root: HTMLElement,
  itemAt: Lines["itemAt"],
  leave: () => void,
): void {
  let quiet = false; // the next focus is no preview

  function moveTo(col: number): void {
    const n = store.nTargets.value;
    if (n === 0) return;
    const to = nearestCol(col, n);
    const box = itemAt(store.firstTarget.value + to)?.element;
    if (box === undefined) return;
    store.hoverCol.value = to;
    store.hoverRow.value = null;
    box.focus();
    tooltip.show(box, tokenTip(store, store.firstTarget.value + to, null));
  }

  function goBack(): void {
    leave();
    quiet = true; // going back to the pinned target is not a new preview
    if (store.shown.value !== null) itemAt(store.shown.value.token)?.element.focus();
    quiet = false;
  }

  function press(): void {
    quiet = true; // a press with the mouse brings the focus too
  }

  function focus(event: Event): void {
    const box = boxOf(event);
    if (!quiet && isTarget(box)) {
      store.hoverCol.value = indexOf(box) - store.firstTarget.value;
      tooltip.show(box, tokenTip(store, indexOf(box), null));
    }
    quiet = false;
  }

  function blur({ relatedTarget }: FocusEvent): void {
    if (!(relatedTarget instanceof Node && root.contains(relatedTarget))) leave();
  }

  root.addEventListener("pointerdown", press, { signal });
  root.addEventListener("focusin", focus, { signal });
  root.addEventListener("focusout", blur, { signal });
  onKeys(root, signal, (event) => {
    const box = boxOf(event);
    if (!isTarget(box)) return null;
    return { ...targetSteps(store, indexOf(box) - store.firstTarget.value, 1, moveTo), Escape: goBack };
  });
}
