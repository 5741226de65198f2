/** A map that takes long: the whole answer first, then the words that are looked at; the rest at its price. */

import { describe, expect, it, vi } from "vitest";
import { COLUMNS, conversation, over, texts, viewing } from "./help";

const view = viewing();
const TOGETHER = [0.1, 0.2, 0.4, 0.1, 0.2, 0.9, 0.9]; // also for tokens of the answer itself, which explain nothing
const whole = { type: "column", floor: null, map: "m1", seq: 1, col: 0, n_cols: 3, n_rows: 7 };
const rest = (n_cols: number, seconds: number) => ({ type: "rest", map: "m1", n_cols, seconds });
const done = { type: "status", phase: "done", what: "Gradient", done: 0, total: null, unit: "", seconds_left: null };

function begun() {
  const page = view(conversation().filter(([message]) => message.type !== "column"));
  page.model.hear(whole, TOGETHER);
  page.model.hear(rest(3, 240));
  page.model.hear(done);
  return page;
}

describe("the whole answer", () => {
  it("is on show first, as one target, and is called so", () => {
    const { el, store } = begun();
    expect(store.shown.value?.cols).toEqual({ start: 0, end: 3 });
    const shares = Array.from(store.shown.value?.scores ?? [], (score) => (Number.isNaN(score) ? null : score));
    expect(shares).toEqual([...Float32Array.from(TOGETHER.slice(0, 5)), null, null]);
    const line = texts(el, ".sw-target-line")[0];
    expect(line).toContain("the whole answer");
    expect(line).toContain("all 3 tokens as one target");
    expect(line).not.toContain("joint p");
  });
  it("gives way to a word that is hovered, whose column the kernel is told to compute, and comes back", () => {
    const { el, store, model, box } = begun();
    over(box(6));
    vi.advanceTimersByTime(200);
    expect(model.sent.at(-1)).toEqual({ type: "focus", col: 1, n_cols: 1 });
    model.hear({ ...whole, seq: 2, col: 1, n_cols: 1 }, COLUMNS[1]);
    expect(store.shown.value?.scores).toEqual(Float32Array.from(COLUMNS[1] as number[]));
    store.preview(null, null);
    expect(store.shown.value?.cols).toEqual({ start: 0, end: 3 });
    expect(el.querySelector(".sw-text")?.classList.contains("sw-pending")).toBe(false);
  });
  it("is asked about nowhere: the kernel has not been told to compute all of its words", () => {
    const { model } = begun();
    vi.advanceTimersByTime(200);
    expect(model.sent.filter(({ type }) => type === "focus")).toEqual([]);
  });
});

describe("the rest", () => {
  it("stands below with its price, and comes on a click", () => {
    const { el, model } = begun();
    const button = el.querySelector<HTMLElement>(".sw-all");
    expect(texts(el, ".sw-all")).toEqual(["all 3 tokens: about 4 min"]);
    model.hear(rest(2, 160));
    expect(texts(el, ".sw-all")).toEqual(["all other 2 tokens: about 3 min"]);
    button?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "saliency", objective: "probability", all: true });
  });
  it("is offered no more once all columns are here, nor where nothing can be computed", () => {
    const { el, model } = begun();
    for (const [col, scores] of COLUMNS.entries()) model.hear({ ...whole, seq: 2 + col, col, n_cols: 1 }, scores);
    expect(el.querySelector<HTMLElement>(".sw-rest")?.hidden).toBe(true);
  });
});
