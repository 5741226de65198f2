/**
 * Where a panel or a tooltip goes beside its anchor. Both are drawn in the top layer at fixed places, so the platform that
 * Floating UI asks for measures is the window, and the half of that library which looks for clipping parents is not needed.
 */

import { computePosition, flip, offset, type Placement, type Platform, shift, size } from "@floating-ui/core";

/** An element, or anything that knows where it is. */
export type Anchor = { getBoundingClientRect(): DOMRect };

const whole = (element: HTMLElement) => ({ width: element.offsetWidth, height: element.offsetHeight });

const WINDOW: Platform = {
  getElementRects: ({ reference, floating }: { reference: Anchor; floating: HTMLElement }) => ({
    reference: reference.getBoundingClientRect(),
    floating: { x: 0, y: 0, ...whole(floating) },
  }),
  getClippingRect: () => ({ x: 0, y: 0, width: document.documentElement.clientWidth, height: innerHeight }),
  getDimensions: whole,
};

/** `edge`: px kept free to the edge of the window. `fits`: no higher than the room there is; the rest is scrolled to. */
export async function place(
  anchor: Anchor,
  element: HTMLElement,
  { placement, gap, edge, fits = false }: { placement: Placement; gap: number; edge: number; fits?: boolean },
): Promise<{ left: string; top: string }> {
  const fit = size({
    padding: edge,
    apply({ availableHeight }) {
      element.style.maxHeight = `${Math.max(0, availableHeight)}px`;
    },
  });
  const { x, y } = await computePosition(anchor, element, {
    strategy: "fixed",
    placement,
    platform: WINDOW,
    middleware: [offset(gap), flip(), shift({ padding: edge }), fits && fit],
  });
  return { left: `${x}px`, top: `${y}px` };
}
