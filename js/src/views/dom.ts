/** DOM helpers that the views share. */

import { effect, untracked } from "@preact/signals-core";

/** Runs an effect until the view is removed. */
export function watch(signal: AbortSignal, run: () => void): void {
  if (signal.aborted) return;
  signal.addEventListener("abort", effect(run), { once: true });
}

/** Returns an element with properties and children; strings become text nodes. ARIA is set as attributes. */
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

/** Returns an element whose changes screen readers read aloud after their current speech. */
export function liveRegion(): HTMLElement {
  return h("div", { className: "sw-unseen", role: "status", ariaLive: "polite" });
}

/** Returns whether the focus is on or in an element, also in shadow roots. */
export function hasFocus(element: Element): boolean {
  return element.contains((element.getRootNode() as Document | ShadowRoot).activeElement);
}

/** Returns a function that runs `draw` once in the next frame, however often it is called. */
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

/** Returns a function that runs `act` after so many milliseconds without another call. */
export function rested(signal: AbortSignal, ms: number, act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return () => {
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(act, ms);
  };
}

/** Observes one element until the view is removed. */
export function observed(signal: AbortSignal, element: Element, observer: ResizeObserver | IntersectionObserver): void {
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
}

/** An element of a keyed list, and what belongs to it. */
export type Made = { element: HTMLElement };

/**
 * Returns a function that updates the children of an element, one for each item. A child is made once for its key and
 * removed with it; it is moved only if necessary, because a moved element loses scroll and focus.
 */
export function keyed<Item, M extends Made>(
  parent: HTMLElement,
  signal: AbortSignal,
  keyOf: (item: Item) => string | number,
  make: (item: Item, lifetime: AbortSignal) => M,
): (items: readonly Item[]) => M[] {
  const known = new Map<string | number, { made: M; life: AbortController }>();

  function begin(item: Item) {
    const life = new AbortController();
    return { made: untracked(() => make(item, AbortSignal.any([signal, life.signal]))), life };
  }

  return (items) => {
    const keys = new Set(items.map(keyOf));
    for (const [key, { made, life }] of known) {
      if (keys.has(key)) continue;
      life.abort();
      made.element.remove();
      known.delete(key);
    }
    return items.map((item, place) => {
      const one = known.get(keyOf(item)) ?? begin(item);
      known.set(keyOf(item), one);
      const { element } = one.made;
      if (parent.children[place] !== element) parent.insertBefore(element, parent.children[place] ?? null);
      return one.made;
    });
  };
}
