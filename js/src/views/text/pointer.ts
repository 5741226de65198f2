/** The mouse over text or classes: what lies under it is previewed, a click pins a target or unfolds a chip. */

import type { ViewContext } from "../context";
import { endPreview } from "../input";
import { chipTip, sideOf, tokenTip } from "../tips";
import { boxOf, heldBy, indexOf, runOf } from "./boxes";

const GRACE = 140; // ms over the gap between two words before a preview ends

/** Returns what ends the preview at once. */
export function followPointer(
  context: ViewContext,
  root: HTMLElement,
  unfold: (start: number) => void = () => {},
): () => void {
  const { store, signal, tooltip } = context;
  let leaving: ReturnType<typeof setTimeout> | undefined;

  function look(box: HTMLElement): void {
    const run = runOf(box);
    if (run !== null) {
      store.hoverCol.value = null;
      store.hoverRow.value = null;
      tooltip.show(box, chipTip(store, run.start, run.end, heldBy(run, store.shown.value?.scores)));
      return;
    }
    const i = indexOf(box);
    const col = i - store.firstTarget.value;
    const { value: pinned } = store.pinned;
    store.hoverRow.value = i;
    store.hoverCol.value = col >= 0 ? col : null;
    // A target shows its own column, and says what it weighs itself as an input of the pinned one.
    tooltip.show(
      box,
      tokenTip(store, i, col < 0 ? store.target.value : pinned !== null && col < pinned ? pinned : null),
      sideOf(store, i),
    );
  }

  function leave(): void {
    clearTimeout(leaving);
    endPreview(context);
  }

  function over(event: Event): void {
    const box = boxOf(event);
    clearTimeout(leaving);
    if (box !== null) look(box);
    else leaving = setTimeout(leave, GRACE);
  }

  function click(event: Event): void {
    const box = boxOf(event);
    if (box === null) return;
    const run = runOf(box);
    const col = indexOf(box) - store.firstTarget.value;
    if (run !== null) unfold(run.start);
    else if (col >= 0) store.pin(col);
  }

  root.addEventListener("pointerover", over, { signal });
  root.addEventListener("pointerleave", leave, { signal });
  root.addEventListener("click", click, { signal });
  // The store lives on for the other views: nothing of this one may reach it later.
  signal.addEventListener("abort", () => clearTimeout(leaving), { once: true });
  return leave;
}
