/** The column on show as the background of the boxes. Sets colours alone, never a size; only what is in sight. */

import { type Ramp, STEPS, stepOf, swatchOf } from "../../color";
import type { Span } from "../../layout";
import { shareOf } from "../../scores";
import type { ViewContext } from "../context";
import { BLIND, chipText, heldBy, type Item, PLAIN, TARGET } from "./boxes";

export type Painter = {
  /** The column or the ramp changed. */
  repaint(): void;
  /** Other boxes came into sight. */
  paintInSight(): void;
};

export function createPainter(
  { store, ramp }: ViewContext,
  root: HTMLElement,
  items: readonly Item[],
  inSight: () => Span,
): Painter {
  let version = 0;
  let usedRamp: Ramp | null = null;

  function lookOf(item: Item): number {
    const shown = store.shown.value;
    if (shown === null) return PLAIN;
    if (!item.chip && item.start === shown.token) return TARGET;
    if (shown.scores === null) return item.start > shown.token ? BLIND : PLAIN;
    if (item.start >= shown.scores.length || Number.isNaN(shown.scores[item.start])) return BLIND;
    const domain = store.domain.value;
    if (domain === 0) return PLAIN;
    return stepOf(item.chip ? heldBy(item, shown.scores) : shareOf(shown.scores, item.start), domain);
  }

  function paint(item: Item): void {
    if (item.version === version) return;
    item.version = version;
    if (item.chip) {
      const text = chipText(item, store.specialName.value, heldBy(item, store.shown.value?.scores));
      if (item.element.textContent !== text) item.element.textContent = text;
    }
    const look = lookOf(item);
    if (look === item.painted) return;
    item.painted = look;
    const { style, classList } = item.element;
    if (look <= STEPS) {
      const { background, color } = swatchOf(ramp.value, look);
      style.backgroundColor = background;
      style.color = color;
    } else item.element.removeAttribute("style");
    classList.toggle("sw-target", look === TARGET);
    classList.toggle("sw-blind", look === BLIND);
  }

  function paintInSight(): void {
    const { start, end } = inSight();
    for (let k = start; k < end; k++) paint(items[k] as Item);
  }

  function repaint(): void {
    if (usedRamp !== ramp.value) {
      usedRamp = ramp.value;
      for (const item of items) item.painted = item.painted <= STEPS ? Number.NaN : item.painted; // same step, other colour
    }
    version++;
    root.classList.toggle("sw-pending", store.shown.value !== null && store.shown.value.scores === null);
    paintInSight();
  }

  return { repaint, paintInSight };
}
