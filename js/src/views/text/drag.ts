/** Dragging over tokens, which pins targets or chooses inputs. */

import { chooseInputs, colsBetween, pinCols } from "../chosen";
import type { ViewContext } from "../context";
import { coalesced } from "../dom";
import { boxOf, focusToken, indexOf, runOf } from "./boxes";

const SPEED = 0.2; // scroll in a frame, as a fraction of the mouse's distance beyond the edge
const INSIDE = 6; // px inside the edge where the token under a mouse beyond it is

export type Drag = {
  /** Returns whether the mouse has left the pressed token. */
  isOn(): boolean;
  /** Returns, once, whether a click is only the end of a drag. */
  ended(): boolean;
};

/** Follows drags. `begin` is called when the mouse leaves the pressed token; until then it may be a click. */
export function followDrag({ store, signal }: ViewContext, root: HTMLElement, begin: () => void): Drag {
  let pressed: number | null = null;
  let reached: number | null = null;
  let before = store.inputs.value;
  let clickDue = false;
  let mouse: PointerEvent | null = null;

  const isTarget = (token: number) => token >= store.firstTarget.value;

  /** Returns the token under the mouse, or at the edge if the mouse is beyond it: a captured pointer has no target. */
  function under(event: PointerEvent): number | null {
    const { top, bottom } = root.getBoundingClientRect();
    const y = Math.min(bottom - INSIDE, Math.max(top + INSIDE, event.clientY));
    const found = (root.getRootNode() as Document | ShadowRoot).elementFromPoint(event.clientX, y);
    const box = boxOf(event) ?? found?.closest<HTMLElement>("[data-position]") ?? null;
    return box === null || runOf(box) !== null || !root.contains(box) ? null : indexOf(box);
  }

  /** Scrolls the text while the mouse is held beyond its edge. */
  const creep = coalesced(signal, () => {
    if (mouse === null || reached === null) return;
    const { top, bottom } = root.getBoundingClientRect();
    const before = root.scrollTop;
    root.scrollTop += SPEED * (Math.min(0, mouse.clientY - top) + Math.max(0, mouse.clientY - bottom));
    if (root.scrollTop === before) return;
    reach(mouse);
    creep();
  });

  function press(event: PointerEvent): void {
    const box = boxOf(event);
    const isOurs = event.button === 0 && event.pointerType !== "touch" && !hasKeys(event);
    pressed = isOurs && box !== null && runOf(box) === null ? indexOf(box) : null;
    if (pressed !== null && isTarget(pressed) && store.kind.value === "classes") pressed = null; // they have no order
    reached = null;
    clickDue = false;
  }

  function move(event: PointerEvent): void {
    if ((event.buttons & 1) === 0) pressed = null; // released outside the text
    if (pressed === null) return;
    mouse = event;
    reach(event);
    creep();
  }

  function reach(event: PointerEvent): void {
    const token = under(event);
    if (pressed === null || token === null || token === (reached ?? pressed) || isTarget(token) !== isTarget(pressed))
      return;
    if (reached === null) {
      before = store.inputs.value;
      root.setPointerCapture(event.pointerId);
      begin();
    }
    reached = token;
    if (isTarget(token)) store.dragged.value = colsBetween(store, pressed, token);
    else chooseInputs(store, pressed, token);
  }

  function end(): void {
    const { value: cols } = store.dragged;
    if (reached !== null) clickDue = true;
    if (reached !== null && cols !== null) pinCols(store, cols);
    else if (reached !== null) focusOn(reached);
    stop();
  }

  /** Focuses a token, as a click does, so that keys act on the chosen tokens. */
  function focusOn(token: number): void {
    const box = root.querySelector<HTMLElement>(`[data-position="${token}"]`);
    if (box !== null) focusToken(box, store.tokens.value[token]);
  }

  function cancel(): void {
    if (reached !== null) store.inputs.value = before;
    stop();
  }

  function stop(): void {
    if (reached !== null) store.dragged.value = null;
    pressed = reached = null;
  }

  root.addEventListener("pointerdown", press, { signal });
  root.addEventListener("pointermove", move, { signal });
  root.addEventListener("pointerup", end, { signal });
  root.addEventListener("pointercancel", cancel, { signal });
  // A drag from a token chooses tokens; with Ctrl or Alt, or between two tokens, the browser selects text.
  root.addEventListener("selectstart", (event) => pressed !== null && event.preventDefault(), { signal });
  root.addEventListener("mousedown", (event) => event.shiftKey && boxOf(event) !== null && event.preventDefault(), {
    signal,
  });
  signal.addEventListener("abort", cancel, { once: true });
  return {
    isOn: () => reached !== null,
    ended() {
      const due = clickDue;
      clickDue = false;
      return due;
    },
  };
}

function hasKeys({ ctrlKey, metaKey, altKey, shiftKey }: PointerEvent): boolean {
  return ctrlKey || metaKey || altKey || shiftKey;
}
