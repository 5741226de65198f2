/** The keyboard among targets, words or classes: the focus previews one, the arrows move it in the order of the page. */

import type { ViewContext } from "../context";
import { nearest, onKeys, targetSteps } from "../input";
import { sideOf, tokenTip } from "../tips";
import { boxOf, indexOf, isTarget, targetsIn } from "./boxes";

/** `leave` ends a preview at once. */
export function followKeys({ store, signal, tooltip }: ViewContext, root: HTMLElement, leave: () => void): void {
  let quiet = false; // the next focus is no preview
  const colOf = (box: HTMLElement) => indexOf(box) - store.firstTarget.value;
  const tell = (box: HTMLElement) =>
    tooltip.show(box, tokenTip(store, indexOf(box), null), sideOf(store, indexOf(box)));

  function moveTo(place: number): void {
    const targets = targetsIn(root);
    const box = targets[nearest(place, targets.length)];
    if (box === undefined) return;
    store.hoverCol.value = colOf(box);
    store.hoverRow.value = null;
    box.focus();
    tell(box);
  }

  function goBack(): void {
    leave();
    quiet = true; // going back to the pinned target is not a new preview
    targetsIn(root)
      .find((box) => indexOf(box) === store.shown.value?.token)
      ?.focus();
    quiet = false;
  }

  function press(): void {
    quiet = true; // a press with the mouse brings the focus too
  }

  function focus(event: Event): void {
    const box = boxOf(event);
    if (!quiet && isTarget(box)) {
      store.hoverCol.value = colOf(box);
      tell(box);
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
    const place = targetsIn(root).indexOf(box);
    return { ...targetSteps(place, 1, moveTo, () => store.pin(colOf(box))), Escape: goBack };
  });
}
