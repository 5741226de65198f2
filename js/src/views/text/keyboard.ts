/**
 * The keyboard among targets (words or classes): the focus previews one, and the arrows move it in the order of the
 * page. Arrow up moves to the inputs, the strongest first, and Escape back.
 */

import { canOpen, chooseInput, chooseInputs, chosenOr, colsBetween, pinCols, strikeOut, toggleHidden } from "../chosen";
import type { ViewContext } from "../context";
import { watch } from "../dom";
import { nearest, onKeys, type Steps, targetSteps } from "../input";
import { sideOf, tokenTip } from "../tips";
import { boxOf, focusToken, indexOf, isTarget, runOf, targetsIn } from "./boxes";

/** Handles the keys. `leave` ends a preview at once. */
export function followKeys(context: ViewContext, root: HTMLElement, leave: () => void): void {
  const { store, signal, tooltip, of = context.store.map } = context;
  let quiet = false; // whether the next focus is no preview
  let anchor: number | null = null; // the target where Shift was first pressed
  let input: HTMLElement | null = null; // the input with the focus

  const colOf = (box: HTMLElement) => indexOf(box) - store.firstTarget.value;
  /** Returns the element with text and classes: the inputs of a class are in the text. */
  const page = () => root.closest<HTMLElement>(".sw-body") ?? root;
  /** Returns the first box of each unit of targets. */
  const targets = () => targetsIn(root).filter((box) => store.unitCols(colOf(box)).start === colOf(box));

  function tell(box: HTMLElement): void {
    const i = indexOf(box);
    tooltip.show(box, () => tokenTip(store, i, isTarget(box) ? null : store.targetCols.value, of.value), sideOf(box));
  }

  function focusOn(box: HTMLElement): void {
    focusToken(box, store.tokens.value[indexOf(box)]);
  }

  function moveTo(place: number): void {
    const all = targets();
    const box = all[nearest(place, all.length)];
    if (box === undefined) return;
    anchor = null;
    store.preview(null, colOf(box));
    box.focus();
    tell(box);
  }

  function goBack(): void {
    leave();
    quiet = true; // returning to the pinned target is no preview
    targetsIn(page())
      .find((box) => indexOf(box) === store.shown.value?.token)
      ?.focus();
    quiet = false;
  }

  /** Undoes one step. */
  function stepBack(): void {
    if (store.inputs.value === null) goBack();
    else store.turn(null);
  }

  /** Returns the first box of a unit that is not folded. */
  function boxIn(unit: number): HTMLElement | null {
    const { start, end } = store.units.value.spans[unit] ?? { start: 0, end: 0 };
    for (let i = start; i < Math.min(end, store.firstTarget.value); i++) {
      const box = page().querySelector<HTMLElement>(`.sw-text [data-position="${i}"]`);
      if (box !== null) return box;
    }
    return null;
  }

  /** Returns the input in the next or previous unit. */
  function beside(token: number, step: 1 | -1): HTMLElement | null {
    const { spans, of } = store.units.value;
    for (let unit = (of[token] ?? 0) + step; spans[unit] !== undefined; unit += step) {
      const box = boxIn(unit);
      if (box !== null) return box;
    }
    return null;
  }

  function toInputs(): void {
    const units = [...store.top.value, store.units.value.of[store.firstTarget.value - 1] ?? 0];
    for (const unit of units) {
      const box = boxIn(unit);
      if (box === null) continue;
      focusOn(box);
      return;
    }
  }

  function inputSteps(box: HTMLElement, shifted: boolean): Steps {
    const token = indexOf(box);
    const walk = (step: 1 | -1) => () => {
      const next = beside(token, step);
      anchor = shifted ? (anchor ?? token) : null;
      if (next === null) return;
      if (anchor !== null) chooseInputs(store, anchor, indexOf(next));
      focusOn(next);
    };
    const turn = () => chooseInput(store, token, false);
    return {
      ArrowLeft: walk(-1),
      ArrowRight: walk(1),
      ArrowDown: goBack,
      Enter: turn,
      " ": turn,
      ...acts(token),
    };
  }

  function stepsOfTarget(box: HTMLElement, shifted: boolean): Steps {
    const all = targets();
    const place = all.findIndex((head) => colOf(head) === store.unitCols(colOf(box)).start);
    const classes = store.kind.value === "classes";
    const extend = (step: number) => () => {
      const next = all[nearest(place + step, all.length)];
      if (next === undefined) return;
      anchor ??= indexOf(box);
      quiet = true;
      next.focus();
      quiet = false;
      leave();
      pinCols(store, colsBetween(store, anchor, indexOf(next)));
    };
    const extending = { ArrowLeft: extend(-1), ArrowRight: extend(1) };
    return {
      ...targetSteps(place, 1, moveTo, () => store.pin(store.unitCols(colOf(box)).start)),
      ...(shifted && !classes ? extending : {}),
      ...(classes ? {} : { t: () => chooseInput(store, indexOf(box), false) }),
      ArrowUp: toInputs,
      i: toInputs,
      ...acts(indexOf(box)),
    };
  }

  /** Returns the actions on the chosen inputs, or else on the focused one. */
  function acts(token: number): Steps {
    const isInput = store.inputs.value !== null || token < store.firstTarget.value;
    const rows = chosenOr(store, token);
    return {
      Escape: stepBack,
      ...(canOpen(store, token) ? { o: () => store.open(token) } : {}),
      ...(isInput ? { h: () => toggleHidden(store, rows) } : {}),
      ...(isInput && store.alive.value ? { s: () => strikeOut(context, rows) } : {}),
    };
  }

  function press(): void {
    quiet = true; // a mouse press focuses too
    anchor = null;
  }

  function focus(event: Event): void {
    const box = boxOf(event);
    input = null;
    if (box !== null && runOf(box) === null) {
      if (!isTarget(box)) input = box;
      if (!quiet) {
        if (isTarget(box)) store.hoverCol.value = colOf(box);
        else store.hoverRow.value = indexOf(box);
        tell(box);
      }
    }
    markPressed();
    quiet = false;
  }

  function blur({ relatedTarget }: FocusEvent): void {
    input = null;
    const to = relatedTarget instanceof Element ? relatedTarget.closest(".sw-text, .sw-classes") : null;
    if (to === null || !page().contains(to)) leave();
  }

  function markPressed(): void {
    const { value: chosen } = store.inputs;
    if (input === null) return;
    const i = indexOf(input);
    input.setAttribute("aria-pressed", String(chosen !== null && i >= chosen.start && i < chosen.end));
  }

  root.addEventListener("pointerdown", press, { signal });
  root.addEventListener("focusin", focus, { signal });
  root.addEventListener("focusout", blur, { signal });
  watch(signal, markPressed);
  onKeys(root, signal, (event) => {
    const box = boxOf(event);
    if (box === null || runOf(box) !== null) return null;
    return isTarget(box) ? stepsOfTarget(box, event.shiftKey) : inputSteps(box, event.shiftKey);
  });
}
