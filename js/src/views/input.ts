/** The reader's mouse and keys, where the text and the matrix take them alike. */

import type { Store } from "../store";
import type { ViewContext } from "./context";

/** What to do at a key, by its name. */
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

/** The keys that choose a target. `moveTo` keeps within the columns there are. */
export function targetSteps(store: Store, col: number, stride: number, moveTo: (col: number) => void): Steps {
  return {
    ArrowLeft: () => moveTo(col - stride),
    ArrowRight: () => moveTo(col + stride),
    Home: () => moveTo(0),
    End: () => moveTo(Number.POSITIVE_INFINITY),
    Enter: () => store.pin(col),
    " ": () => store.pin(col),
  };
}

/** The column of `n` nearest to `col`. */
export function nearestCol(col: number, n: number): number {
  return Math.min(n - 1, Math.max(0, col));
}

/** The mouse or the focus went away: back to the pinned target. */
export function endPreview({ store, tooltip }: ViewContext): void {
  store.hoverCol.value = null;
  store.hoverRow.value = null;
  tooltip.hide();
}
