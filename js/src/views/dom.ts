/** DOM helpers that the views share. */

import { effect, untracked } from "@preact/signals-core";

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

/** What is written into it is read aloud, once the screen reader has said what it was about to say. */
export function liveRegion(): HTMLElement {
  return h("div", { className: "sw-unseen", role: "status", ariaLive: "polite" });
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

/** Runs `act` once nobody has called for so many milliseconds. */
export function rested(signal: AbortSignal, ms: number, act: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return () => {
    clearTimeout(timer);
    if (!signal.aborted) timer = setTimeout(act, ms);
  };
}

/** An observer of one element that ends with the view. */
export function observed(signal: AbortSignal, element: Element, observer: ResizeObserver | IntersectionObserver): void {
  observer.observe(element);
  signal.addEventListener("abort", () => observer.disconnect(), { once: true });
}

/** An element that comes and goes, and what belongs to it. */
export type Made = { element: HTMLElement };

/**
 * The children of an element, one an item. Returns what brings them up to date: each is made once for its key, lives until
 * that key is gone, and stays in its place if it can, for who is moved loses scroll and focus.
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
