/**
 * The mouse over text or classes: it previews the box under it; a click pins a target, chooses an input, or unfolds or
 * folds a chip; with Shift it extends the selection.
 */

import { unitAt } from "../../units";
import { canOpen, chooseInput, strikeOut } from "../chosen";
import type { ViewContext } from "../context";
import { endPreview } from "../input";
import { chipTip, inputTip, sideOf, tokenTip } from "../tips";
import { boxOf, focusToken, heldBy, indexOf, runOf } from "./boxes";
import { followDrag } from "./drag";

const GRACE = 140; // ms over the gap between two words before a preview ends
const BESIDE = 14; // px from a tip to a mouse that is on the way to what can be pressed in it

function isBeside(tip: HTMLElement, { clientX: x, clientY: y }: PointerEvent): boolean {
  const { left, right, top, bottom, width } = tip.getBoundingClientRect();
  return width > 0 && x > left && x < right && y > top - BESIDE && y < bottom + BESIDE;
}

/** Follows the mouse. Returns a function that ends the preview at once. */
export function followPointer(
  context: ViewContext,
  root: HTMLElement,
  fold: (start: number) => void = () => {},
): () => void {
  const { store, signal, tooltip, of = context.store.map } = context;
  let leaving: ReturnType<typeof setTimeout> | undefined;
  let justPinned = false; // whether several targets were just pinned, which stay on show until the mouse leaves

  function look(box: HTMLElement): void {
    const run = runOf(box);
    if (run !== null) {
      justPinned = false;
      store.preview(null, null);
      tooltip.show(box, () => chipTip(store, run.start, run.end, heldBy(store, run, of.value)));
      return;
    }
    const i = indexOf(box);
    const col = i - store.firstTarget.value;
    const { value: pinned } = store.pinnedCols;
    justPinned &&= pinned !== null && col >= pinned.start && col < pinned.end;
    store.preview(i, col >= 0 && !justPinned ? col : null);
    // A target shows its own column; its tooltip has its score as an input of the pinned one.
    const seenFrom = () => {
      if (col < 0) return store.targetCols.value;
      const { value: cols } = store.pinnedCols;
      return cols !== null && col < cols.start ? cols : null;
    };
    const strike = () => {
      leave();
      strikeOut(context, unitAt(store.units.value, i) ?? { start: i, end: i + 1 });
    };
    const tip = () =>
      context.of === undefined ? inputTip(store, i, seenFrom(), strike) : tokenTip(store, i, seenFrom(), of.value);
    tooltip.show(box, tip, sideOf(box));
  }

  function leave(): void {
    clearTimeout(leaving);
    endPreview(context);
  }

  /** Soon, unless the mouse comes to another word, or to what can be pressed in the tip. */
  function leaveSoon(): void {
    clearTimeout(leaving);
    leaving = setTimeout(leave, GRACE);
  }

  const drag = followDrag(context, root, () => {
    justPinned = true;
    leave();
  });

  function over(event: Event): void {
    if (drag.isOn()) return;
    const box = boxOf(event);
    clearTimeout(leaving);
    if (box !== null) look(box);
    else leaveSoon();
  }

  function click(event: MouseEvent): void {
    const box = boxOf(event);
    if (drag.ended() || box === null) return;
    const run = runOf(box);
    const token = indexOf(box);
    const col = token - store.firstTarget.value;
    const classes = store.kind.value === "classes";
    if (run !== null) fold(run.start);
    else if (col < 0 || (event.altKey && !classes)) {
      chooseInput(store, token, event.shiftKey);
      if (col < 0) focusToken(box, store.tokens.value[token]);
    } else if (event.shiftKey && !classes) {
      store.pinTo(col);
      justPinned = true;
      look(box);
    } else store.pin(store.unitCols(col).start);
  }

  function open(event: Event): void {
    const box = boxOf(event);
    if (box !== null && runOf(box) === null && canOpen(store, indexOf(box))) store.open(indexOf(box));
  }

  root.addEventListener("pointerover", over, { signal });
  root.addEventListener(
    "pointerleave",
    (event) => {
      justPinned = false;
      if (isBeside(tooltip.element, event)) leaveSoon();
      else leave();
    },
    { signal },
  );
  tooltip.element.addEventListener("pointerenter", () => clearTimeout(leaving), { signal });
  tooltip.element.addEventListener("pointerleave", leaveSoon, { signal });
  root.addEventListener("click", click, { signal });
  root.addEventListener("dblclick", open, { signal });
  // The store is shared with other views, so no timer of this one may change it later.
  signal.addEventListener("abort", () => clearTimeout(leaving), { once: true });
  return leave;
}
