/** Which boxes of a text are painted, and when: those in sight at once, those near it once the reader rests. */

import { expect, it, vi } from "vitest";
import { about, token, viewing } from "./help";

const ROW = 20; // px: one token a row
const FRAME = 100; // px of the text that are in sight
const REST = 120; // ms, as in views/text/paint.ts
const BARE = ["", "rgb(255, 255, 255)"];
const view = viewing();

/** A text of so many rows in a frame of five, and two targets: after the first no row counts that did for the other. */
function longText(n: number) {
  vi.spyOn(HTMLElement.prototype, "getBoundingClientRect").mockImplementation(function (this: HTMLElement) {
    const top = -(this.closest(".sw-text")?.scrollTop ?? 0);
    if (this.dataset.position !== undefined) return new DOMRect(0, top + ROW * Number(this.dataset.position), 300, ROW);
    return this.matches(".sw-line") ? new DOMRect(0, top, 300, ROW * (n + 2)) : new DOMRect(0, 0, 300, FRAME);
  });
  const list = Array.from({ length: n }, (_, i) => token(` w${i}`, { word: i }));
  const targets = [token(" x", { word: n, role: "generated" }), token(" y", { word: n + 1, role: "generated" })];
  const columns = [
    [...list.map(() => 1), Number.NaN],
    [...list.map(() => 0), 1],
  ];
  const { store, box } = view(about([...list, ...targets], n, columns));
  const root = box(0).closest(".sw-text") as HTMLElement;
  vi.advanceTimersByTime(1000);
  return {
    store,
    root,
    /** Of these boxes, those that show the first target, whose column has a colour everywhere. */
    coloured: (...boxes: number[]) => boxes.filter((i) => !BARE.includes(box(i).style.backgroundColor)),
    look: (col: number) => store.preview(null, col),
  };
}

it("what is in sight is painted at once, all else of a short text when nothing has moved for a while", () => {
  const { coloured, look } = longText(50);
  look(1);
  vi.advanceTimersByTime(REST);
  expect(coloured(0, 4, 5, 6, 49)).toEqual([]);
  look(0);
  expect(coloured(0, 4, 5, 6, 49)).toEqual([0, 4, 5]);
  vi.advanceTimersByTime(REST - 1);
  expect(coloured(6, 49)).toEqual([]);
  vi.advanceTimersByTime(1);
  expect(coloured(0, 4, 5, 6, 49)).toEqual([0, 4, 5, 6, 49]);
});

it("a mouse that moves on puts off what is out of sight, which then shows where it came to rest", () => {
  const { coloured, look } = longText(50);
  look(1);
  vi.advanceTimersByTime(REST);
  look(0);
  vi.advanceTimersByTime(REST - 1);
  look(1);
  vi.advanceTimersByTime(REST - 1);
  look(0);
  vi.advanceTimersByTime(REST - 1);
  expect(coloured(0, 6, 49)).toEqual([0]);
  vi.advanceTimersByTime(1);
  expect(coloured(0, 6, 49)).toEqual([0, 6, 49]);
});

it("of a long text half a frame more is near, above and below; the rest is painted when it comes into sight", async () => {
  const { root, coloured, look } = longText(900);
  const scroll = async (top: number) => {
    root.scrollTop = top;
    root.dispatchEvent(new Event("scroll"));
    await new Promise((done) => requestAnimationFrame(done));
  };
  look(1);
  await scroll(400 * ROW);
  vi.advanceTimersByTime(REST);
  look(0);
  expect(coloured(396, 398, 399, 400, 405, 406, 407, 409)).toEqual([399, 400, 405]);
  vi.advanceTimersByTime(REST);
  expect(coloured(396, 398, 399, 400, 405, 406, 407, 409)).toEqual([398, 399, 400, 405, 406, 407]);
  await scroll(600 * ROW);
  expect(coloured(500, 598, 600, 603, 608)).toEqual([600, 603]);
});
