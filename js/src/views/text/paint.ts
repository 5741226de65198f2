/**
 * Paints the column on show as background of the boxes. It sets only colours, no sizes: visible boxes at once, near
 * ones after a pause.
 */

import type { ReadonlySignal } from "@preact/signals-core";
import { type Ramp, STEPS, swatchOf } from "../../color";
import type { Span } from "../../layout";
import type { Look } from "../../store";
import { isHidden } from "../chosen";
import type { ViewContext } from "../context";
import { rested } from "../dom";
import { BLIND, chipText, heldBy, type Item, MARKS, nameOfRun, PLAIN, TARGET } from "./boxes";
import type { Sight } from "./sight";

const REST = 120; // ms

export type Painter = {
  /** Paints again, because the column or the ramp changed. */
  repaint(): void;
  /** Paints boxes that became visible. */
  paintInSight(): void;
  /** Paints all boxes, because the text is printed or copied as a whole. */
  paintAll(): void;
};

export function createPainter(
  { store, ramp, signal, of = store.map }: ViewContext,
  root: HTMLElement,
  items: readonly Item[],
  sight: Sight,
  look: ReadonlySignal<Look>,
  marksOf: (item: Item) => number,
): Painter {
  let version = 0;
  let usedRamp: Ramp | null = null;
  let usedSign = false;

  function lookOf({ start, end, chip }: Item): number {
    const { about, turned, ready, max, step } = look.value;
    if (about === null) return PLAIN;
    if (start < about.end && end > about.start) return TARGET;
    if (isHidden(store, { start, end })) return BLIND;
    if (!ready) return !turned && start > about.start ? BLIND : PLAIN;
    const own = chip ? strongest({ start, end }, step) : step(end - 1);
    if (own === null) return BLIND;
    return max === 0 ? PLAIN : own;
  }

  /** Returns the step of a chip's strongest token: on the scale of single tokens, a sum would be the darkest. */
  function strongest({ start, end }: Span, step: Look["step"]): number | null {
    let found: number | null = null;
    for (let token = start; token < end; token++) {
      const own = step(token);
      if (own !== null && (found === null || Math.abs(own) > Math.abs(found))) found = own;
    }
    return found;
  }

  function paint(item: Item): void {
    if (item.version === version) return;
    item.version = version;
    const held = item.chip && !look.value.turned ? heldBy(store, item, of.value) : Number.NaN;
    if (item.chip) {
      const text = chipText(item, nameOfRun(store, item.start), held);
      if (item.element.textContent !== text) item.element.textContent = text;
    }
    const marks = marksOf(item);
    if (marks !== item.marks)
      for (const [k, name] of MARKS.entries()) item.element.classList.toggle(name, ((marks >> k) & 1) === 1);
    item.marks = marks;
    const own = lookOf(item);
    if (own === item.painted) return;
    item.painted = own;
    const { style, classList } = item.element;
    if (own <= STEPS) {
      const { background, color } = swatchOf(ramp.value, own, look.value.signed);
      style.backgroundColor = background;
      style.color = color;
    } else item.element.removeAttribute("style");
    classList.toggle("sw-target", own === TARGET);
    classList.toggle("sw-blind", own === BLIND);
  }

  function paintSpan({ start, end }: Span): void {
    for (let k = start; k < end; k++) paint(items[k] as Item);
  }
  const paintNear = rested(signal, REST, () => paintSpan(sight.near()));

  function paintInSight(): void {
    paintSpan(sight.span());
    paintNear();
  }

  function paintAll(): void {
    for (const item of items) paint(item);
  }

  function repaint(): void {
    if (usedRamp !== ramp.value || usedSign !== look.value.signed) {
      [usedRamp, usedSign] = [ramp.value, look.value.signed];
      for (const item of items) item.painted = item.painted <= STEPS ? Number.NaN : item.painted; // the ramp changed, so paint the same step again
    }
    version++;
    root.classList.toggle("sw-pending", look.value.about !== null && !look.value.ready);
    paintInSight();
  }

  return { repaint, paintInSight, paintAll };
}
