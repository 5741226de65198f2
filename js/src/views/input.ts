/** Mouse and key handlers that text and matrix share. */

import type { ViewContext } from "./context";

/** The action of each key, by the key's name. */
export type Steps = Readonly<Record<string, () => void>>;

/** Returns whether a key has a modifier: such keys belong to the notebook and the browser. */
export function isChord({ ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return ctrlKey || metaKey || altKey;
}

/** Handles the keys that have an action here, and no others. */
export function onKeys(
  element: HTMLElement,
  signal: AbortSignal,
  stepsAt: (event: KeyboardEvent) => Steps | null,
): void {
  element.addEventListener(
    "keydown",
    (event) => {
      const step = isChord(event) ? undefined : stepsAt(event)?.[event.key];
      if (step === undefined) return;
      event.preventDefault();
      step();
    },
    { signal },
  );
}

/** Returns the keys that move from the target at `place` to another. `moveTo` limits the place to existing targets. */
export function targetSteps(place: number, stride: number, moveTo: (place: number) => void, pin: () => void): Steps {
  return {
    ArrowLeft: () => moveTo(place - stride),
    ArrowRight: () => moveTo(place + stride),
    Home: () => moveTo(0),
    End: () => moveTo(Number.POSITIVE_INFINITY),
    Enter: pin,
    " ": pin,
  };
}

/** Lets the arrow keys move the focus among the buttons of a menu, cyclically. */
export function menuKeys(menu: HTMLElement, signal: AbortSignal): void {
  onKeys(menu, signal, ({ target }) => {
    const all = [...menu.querySelectorAll<HTMLElement>("button")];
    const at = all.indexOf(target as HTMLElement);
    const to = (place: number) => () => all[(place + all.length) % all.length]?.focus();
    return { ArrowDown: to(at + 1), ArrowUp: to(at - 1), Home: to(0), End: to(-1) };
  });
}

/** Returns the index below `n` nearest to `place`. */
export function nearest(place: number, n: number): number {
  return Math.min(n - 1, Math.max(0, place));
}

/** Ends a preview: the pinned target is on show again. */
export function endPreview({ store, tooltip }: ViewContext): void {
  store.preview(null, null);
  tooltip.hide();
}

/**
 * Moves the focus from an element that is removed to the target on show, without a preview if several are pinned.
 */
export function focusTarget(context: ViewContext, from: Element): void {
  from.closest(".sw-body")?.querySelector<HTMLElement>('.sw-column[tabindex="0"]')?.focus();
  endPreview(context);
}
