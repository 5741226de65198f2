/** What every view is given, and the few lines of DOM help they share. */

import { effect, type ReadonlySignal } from "@preact/signals-core";
import type { Ramp } from "../color";
import type { ToKernel } from "../protocol";
import type { Store } from "../store";
import type { Tooltip } from "./tooltip";

export type ViewContext = {
  store: Store;
  send: (message: ToKernel) => void;
  /** Aborts when the view goes; every listener and effect hangs on it. */
  signal: AbortSignal;
  ramp: ReadonlySignal<Ramp>;
  tooltip: Tooltip;
  /** Where popovers live: inside the view's root, outside whatever clips. */
  layer: HTMLElement;
};

/** An effect that ends with the view. */
export function watch(signal: AbortSignal, run: () => void): void {
  if (signal.aborted) return;
  signal.addEventListener("abort", effect(run), { once: true });
}

/** An element with properties and children; strings become text nodes. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = Object.assign(document.createElement(tag), properties);
  element.append(...children);
  return element;
}

/** Runs `draw` once in the next frame, however often it is called before. */
export function coalesced(signal: AbortSignal, draw: () => void): () => void {
  let frame = 0;
  signal.addEventListener("abort", () => cancelAnimationFrame(frame), { once: true });
  return () => {
    if (frame !== 0 || signal.aborted) return;
    frame = requestAnimationFrame(() => {
      frame = 0;
      draw();
    });
  };
}
