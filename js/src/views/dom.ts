/** The few lines of DOM help that the views share. */

import { effect } from "@preact/signals-core";

/** An effect that ends with the view. */
export function watch(signal: AbortSignal, run: () => void): void {
  if (signal.aborted) return;
  signal.addEventListener("abort", effect(run), { once: true });
}

/** An element with properties and children; strings become text nodes. ARIA goes into attributes, which all browsers know. */
export function h<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    const aria = /^aria(\w+)$/.exec(name);
    if (aria === null) Object.assign(element, { [name]: value });
    else element.setAttribute(`aria-${aria[1]?.toLowerCase()}`, String(value));
  }
  element.append(...children);
  return element;
}

/** Whether the focus is in an element, or on it; through shadow roots, too. */
export function hasFocus(element: Element): boolean {
  return element.contains((element.getRootNode() as Document | ShadowRoot).activeElement);
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

/** An observer of one element that ends with the view. */
export function observed(signal: AbortSignal, element: Element, observer: ResizeObserver | IntersectionObserver): void {
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
}
