/**
 * The text as prose, the column on show as background.
 *
 * Many thousand tokens stay smooth because work is done only where it shows: new tokens are appended behind the first
 * one that changed (text/lines); a hover repaints only the boxes on screen, the others when they come into sight
 * (text/sight, text/paint); painting sets colours alone, never a size; and in a long text lines out of sight have no
 * layout (content-visibility).
 */

import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { followKeys } from "./text/keyboard";
import { createLines } from "./text/lines";
import { createPainter } from "./text/paint";
import { followPointer } from "./text/pointer";
import { createSight } from "./text/sight";

export function textView(context: ViewContext): HTMLElement {
  const { store, signal, tooltip } = context;
  const root = h("div", { className: "sw-text", role: "group", ariaLabel: "Text" });
  const leave = followPointer(context, root, unfold);
  const lines = createLines(store, root, leave);
  const sight = createSight(context, root, lines, () => painter.paintInSight());
  const painter = createPainter(context, root, lines.items, sight.span);
  followKeys(context, root, leave);

  const elementAt = (token: number | null | undefined) =>
    token === null || token === undefined ? null : (lines.itemAt(token)?.element ?? null);
  const markTabStop = onlyOne((box, on) => {
    box.tabIndex = on ? 0 : -1;
  });
  const markPinned = onlyOne((box, on) => {
    box.setAttribute("aria-pressed", String(on));
    box.classList.toggle("sw-pinned", on);
  });
  const markHot = onlyOne((box, on) => box.classList.toggle("sw-hot", on));

  function rebuild(from: number): void {
    sight.during(from, () => lines.rebuild(from));
  }

  function draw(): void {
    const { value: pinned } = store.pinned;
    painter.repaint();
    markTabStop(elementAt(store.shown.value?.token));
    markPinned(elementAt(pinned === null ? null : store.firstTarget.value + pinned));
  }

  function unfold(start: number): void {
    const hadFocus = root.contains(document.activeElement);
    lines.unfold(start);
    tooltip.hide();
    rebuild(start);
    draw();
    // The chip is gone, and with it the focus of who opened it by key.
    if (hadFocus && !root.contains(document.activeElement)) elementAt(store.shown.value?.token)?.focus();
  }

  watch(signal, () => {
    const from = lines.changed();
    if (from !== null) rebuild(from);
    draw();
  });
  watch(signal, () => markHot(elementAt(store.hoverRow.value)));
  return root;
}

/** A mark that no more than one box carries: setting it on one takes it from the other. */
function onlyOne(mark: (box: HTMLElement, on: boolean) => void): (box: HTMLElement | null) => void {
  let marked: HTMLElement | null = null;
  return (box) => {
    if (box === marked) return;
    if (marked !== null) mark(marked, false);
    if (box !== null) mark(box, true);
    marked = box;
  };
}
