/**
 * The text as prose, with the column on show as background.
 *
 * It stays smooth with many thousand tokens: only tokens after the first changed one are drawn again (text/lines); a
 * hover repaints only the visible boxes, and the others once the mouse rests or they become visible (text/sight,
 * text/paint); painting changes only colours, no sizes; and lines out of view have no layout (content-visibility).
 */

import { untracked } from "@preact/signals-core";
import { visible } from "../format";
import type { Span } from "../layout";
import type { WhatIf } from "../protocol";
import type { Store } from "../store";
import { unitAt } from "../units";
import { isHidden } from "./chosen";
import type { ViewContext } from "./context";
import { h, hasFocus, watch } from "./dom";
import { searchView } from "./search";
import type { Item } from "./text/boxes";
import { followEyes } from "./text/eyes";
import { followKeys } from "./text/keyboard";
import { createLines } from "./text/lines";
import { createPainter } from "./text/paint";
import { followPointer } from "./text/pointer";
import { createSight } from "./text/sight";
import { stripView } from "./text/strip";

const NOTHING: WhatIf["written"] = [];

/** Sent to the text by who is about to copy it as it looks, also where it is out of sight. */
export const WHOLE = "sw-whole";

/** Returns the text. `look`: the colours of its boxes. Of several texts side by side only the first can be searched. */
export function textView(context: ViewContext, look = context.store.look): HTMLElement {
  const { store, signal, tooltip } = context;
  const root = h("div", { className: "sw-text", role: "group", ariaLabel: "Text" });
  const leave = followPointer(context, root, fold);
  const lines = createLines(store, root, leave);
  const sight = createSight(context, root, lines, () => painter.paintInSight());
  const search = look === store.look ? searchView(context, root, lines) : null;
  const isMain = look === store.look;
  const painter = isMain
    ? createPainter({ ...context, of: store.painted }, root, lines.items, sight, store.lookAt(store.painted), marksOf)
    : createPainter(context, root, lines.items, sight, look, marksOf);
  followKeys(context, root, leave);
  const nameEyes = followEyes(context, root);

  const elementAt = (token: number | undefined) => lines.itemAt(token ?? -1)?.element;
  const markTabStop = marking((box, on) => {
    box.tabIndex = on ? 0 : -1;
  });
  const markPinned = marking((box, on) => {
    box.setAttribute("aria-pressed", String(on));
    box.classList.toggle("sw-pinned", on);
  });
  let hot: Span | null = null;
  let joinedAbout: Span | null = null;
  let inserted = NOTHING;
  let added: HTMLElement[] = [];
  let struck: ReadonlySet<number> = new Set();

  /** Returns the bits of MARKS for a box. */
  function marksOf({ start, end }: Item): number {
    const isHot = hot !== null && start < hot.end && end > hot.start;
    const isOff = isHidden(store, { start, end });
    const isStruck = struck.has(start) && struck.has(end - 1);
    return Number(isHot) | (Number(isOff) << 1) | ((search?.found(start, end) ?? 0) << 2) | (Number(isStruck) << 4);
  }

  /** Returns whether a token joins the one before it: in one unit, target, hit, or span left out of the shares. */
  function isOne(token: number): boolean {
    const { value: hidden } = store.hidden;
    if (store.replaced.value.some((place) => place.includes(token))) return false; // it stands above or below
    const whole = [look.value.about, pinnedTokens(store), ...hidden].filter((span) => span !== null);
    if (whole.some(({ start, end }) => token === start || token === end)) return false;
    if (whole.some(({ start, end }) => token > start && token < end) || search?.joins(token)) return true;
    const { of } = store.units.value;
    return of[token - 1] === of[token];
  }

  function rebuild(from: number): void {
    sight.during(from, () => lines.rebuild(from));
    lines.joinUnits(isOne);
    nameEyes();
  }

  function draw(): void {
    const { value: pinned } = store.pinnedCols;
    const { value: first } = store.firstTarget;
    hot = underMouse(store);
    const { about } = look.value;
    for (const span of [joinedAbout, about]) if (span !== null) untracked(() => lines.joinUnits(isOne, span));
    joinedAbout = about;
    struck = new Set(store.whatIf.value?.rows);
    if (isMain) insert(store.whatIf.value?.written ?? NOTHING);
    painter.repaint();
    markTabStop([elementAt(store.shown.value?.token)]);
    const n = pinned === null ? 0 : pinned.end - pinned.start;
    markPinned(Array.from({ length: n }, (_, k) => elementAt(first + (pinned?.start ?? 0) + k)));
  }

  /** Shows an edit as a change of the text. */
  function insert(written: WhatIf["written"]): void {
    if (written === inserted && added.every((mark) => mark.isConnected)) return;
    for (const mark of added) mark.remove();
    inserted = written;
    added = written.flatMap(([at, text]) => {
      const before = lines.itemAt(at - 1)?.element ?? null;
      const mark = h("ins", { className: "sw-inserted" }, visible(text));
      if (before === null) lines.itemAt(at)?.element.before(mark);
      else before.after(mark);
      return mark;
    });
  }

  function fold(start: number): void {
    const hadFocus = hasFocus(root);
    lines.fold(start);
    tooltip.hide();
    rebuild(start);
    draw();
    // The pressed chip, which had the focus, is gone: focus the button that undoes it.
    if (hadFocus && !hasFocus(root)) root.querySelector<HTMLElement>(`[data-chip="${start}"]`)?.focus();
  }

  watch(signal, () => {
    const from = lines.changed();
    if (from !== null) rebuild(from);
    draw();
  });
  watch(signal, () => {
    void [store.units.value, store.hidden.value, store.pinnedCols.value, search?.hits.value];
    untracked(() => lines.joinUnits(isOne)); // not at each hover, because it visits the whole text
  });
  if (isMain) watch(signal, () => root.classList.toggle("sw-faded", store.isFaded.value));
  for (const [target, event] of [[window, "beforeprint"] as const, [root, WHOLE] as const])
    target.addEventListener(event, painter.paintAll, { signal });
  if (search === null) return root;
  return h("div", {}, search.element, h("div", { className: "sw-text-frame" }, root, stripView(context, root)));
}

function pinnedTokens({ pinnedCols, firstTarget }: Store): Span | null {
  const [{ value: cols }, { value: first }] = [pinnedCols, firstTarget];
  return cols && { start: first + cols.start, end: first + cols.end };
}

/** Returns the unit under the mouse; for a target its unit of targets. */
function underMouse({ hoverRow, firstTarget, targetUnits, units }: Store): Span | null {
  const { value: row } = hoverRow;
  return row === null ? null : unitAt(row < firstTarget.value ? units.value : targetUnits.value, row);
}

/** Returns a function that sets a mark on these boxes, and removes it from all others. */
function marking(mark: (box: HTMLElement, on: boolean) => void): (boxes: (HTMLElement | undefined)[]) => void {
  let marked = new Set<HTMLElement | undefined>();
  return (boxes) => {
    const next = new Set(boxes);
    for (const box of marked) if (box !== undefined && !next.has(box)) mark(box, false);
    for (const box of next) if (box !== undefined && !marked.has(box)) mark(box, true);
    marked = next;
  };
}
