/** Handlers of mouse and keys that text and matrix share. */

import type { ViewContext } from "./context";

/** The action of each key, by the key's name. */
export type Steps = Readonly<Record<string, () => void>>;

/** Chords belong to the notebook and the browser. */
export function isChord({ ctrlKey, metaKey, altKey }: KeyboardEvent): boolean {
  return ctrlKey || metaKey || altKey;
}

/** Takes the keys that mean something here, and lets all others pass. */
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

/** The keys that choose a target from the one at `place`. `moveTo` keeps within those there are. */
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

/** The arrows move the focus among the buttons of a menu, round and round. */
export function menuKeys(menu: HTMLElement, signal: AbortSignal): void {
  onKeys(menu, signal, ({ target }) => {
    const all = [...menu.querySelectorAll<HTMLElement>("button")];
    const at = all.indexOf(target as HTMLElement);
    const to = (place: number) => () => all[(place + all.length) % all.length]?.focus();
    return { ArrowDown: to(at + 1), ArrowUp: to(at - 1), Home: to(0), End: to(-1) };
  });
}

/** The index below `n` nearest to `place`. */
export function nearest(place: number, n: number): number {
  return Math.min(n - 1, Math.max(0, place));
}

/** The mouse or the focus went away: back to the pinned target. */
export function endPreview({ store, tooltip }: ViewContext): void {
  store.preview(null, null);
  tooltip.hide();
}

/**
 * The element with the focus goes: move the focus to the target on show, without a preview where several are pinned.
 */
export function focusTarget(context: ViewContext, from: Element): void {
  from.closest(".sw-body")?.querySelector<HTMLElement>('.sw-column[tabindex="0"]')?.focus();
  endPreview(context);
}
