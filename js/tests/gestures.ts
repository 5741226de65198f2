/** The mouse over a text, what it leaves to be seen, and two texts that are more than a line of words. */

import type { WireSegment, WireToken } from "../src/protocol";
import { about, token, tokens } from "./help";

const NAN = Number.NaN;

export const mouse = (type: string, box: Element, more: PointerEventInit = {}) => {
  const event = new PointerEvent(type, { bubbles: true, composed: true, cancelable: true, buttons: 1, ...more });
  box.dispatchEvent(event);
  return event;
};
export const click = (box: Element, more: MouseEventInit = {}) =>
  box.dispatchEvent(new MouseEvent("click", { bubbles: true, composed: true, ...more }));
/** Pressed on the first box, drawn over the others, let go over the last: as browsers tell it, a click at the end included. */
export function drag(boxes: Element[], more: PointerEventInit = {}): void {
  const [first, last] = [boxes[0] as Element, boxes.at(-1) as Element];
  mouse("pointerdown", first, more);
  for (const box of boxes.slice(1)) mouse("pointermove", box, more);
  mouse("pointerup", last, { ...more, buttons: 0 });
  click(last.parentElement as Element, more);
}
export const pressedBoxes = (el: Element) =>
  [...el.querySelectorAll<HTMLElement>(".sw-token[aria-pressed=true]")].map((box) => Number(box.dataset.position));
export const classed = (el: Element, name: string) =>
  [...el.querySelectorAll<HTMLElement>(`.sw-token.${name}`)].map((box) => Number(box.dataset.position));
export const bar = (el: Element) => el.querySelector<HTMLElement>(".sw-actions") as HTMLElement;
export const said = (el: Element) => bar(el).textContent?.replace(/\s+/g, " ").trim();
export function button(el: Element, name: string): HTMLElement {
  const found = [...el.querySelectorAll<HTMLElement>("button")].find(
    (each) => (each.getAttribute("aria-label") ?? each.textContent) === name,
  );
  if (found === undefined) throw new Error(`no button ${name}`);
  return found;
}

/** "un|real news." in two sentences of two words, and what was written, "O|K". */
export const WORDS: WireToken[] = [
  token("Un", { word: 0 }),
  token("real", { word: 0 }),
  token(" news", { word: 1 }),
  token(" No", { word: 2, sentence: 1 }),
  token("pe", { word: 2, sentence: 1 }),
  token(" O", { word: 3, sentence: 2, segment: 1, role: "generated" }),
  token("K", { word: 3, sentence: 2, segment: 1, role: "generated" }),
  token(" bye", { word: 4, sentence: 2, segment: 1, role: "generated" }),
];
export const words = () =>
  about(WORDS, 5, [
    [1, 2, 3, 0, 4, NAN, NAN],
    [1, 1, 1, 1, 1, 5, NAN],
    [2, 2, 2, 2, 2, 0, 0],
  ]);

/** Two turns that were read, one that is written after a template. */
export const SEGMENTS: WireSegment[] = [
  { kind: "system", name: "system", start: 0, end: 2 },
  { kind: "user", name: "user", start: 2, end: 4 },
  { kind: "assistant", name: "assistant", start: 4, end: 7 },
];
export const chat = () =>
  about(
    tokens(["Be", " kind", "Hi", " you", "<a>", "Oh", " hi"], 5, { 4: "special" }).map((each, i) => ({
      ...each,
      segment: i < 2 ? 0 : i < 4 ? 1 : 2,
    })),
    5,
    [
      [1, 2, 3, 4, 0, NAN],
      [1, 1, 1, 1, 1, 5],
    ],
    { segments: SEGMENTS },
  );
