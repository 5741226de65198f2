/** The thinking of a model: folded in the text, and the switch between the direct map and the steps back. */

import { describe, expect, it } from "vitest";
import type { WireSegment } from "../src/protocol";
import { about, METHOD, mapOf, type Said, texts, tokens, viewing } from "./help";
import { pageIn } from "./paging";

const view = viewing();
const NAN = Number.NaN;
const TEXT = ["Who", "?", "<think>", " hm", "</think>", " George", "."];
const FIRST = 2;
const COLUMNS = [
  [1, 1, NAN, NAN, NAN, NAN],
  [1, 1, 1, NAN, NAN, NAN],
  [1, 1, 1, 1, NAN, NAN],
  [2, 1, 1, 5, 1, NAN],
  [1, 1, 1, 1, 1, 5],
];
const SEGMENTS: WireSegment[] = [
  { kind: "paragraph", name: "paragraph 1", start: 0, end: 2 },
  { kind: "thinking", name: "thinking", start: 2, end: 5 },
  { kind: "paragraph", name: "paragraph 1", start: 5, end: 7 },
];
const thought = (segments = SEGMENTS): Said[] => about(tokens(TEXT, FIRST), FIRST, COLUMNS, { segments });
const ways = (el: Element) => [...el.querySelectorAll<HTMLButtonElement>(".sw-through button")];

describe("thinking in the text", () => {
  it("is one chip with its share, and opens and folds again", () => {
    const { el } = view(thought());
    expect(texts(el, ".sw-chip")).toEqual(["thinking · 3 tokens · 70 %"]);
    el.querySelector<HTMLElement>(".sw-chip")?.click();
    expect(texts(el, ".sw-chip")).toEqual(["fold thinking"]);
    expect(texts(el, ".sw-line").join(" ")).toContain("hm");
    el.querySelector<HTMLElement>(".sw-chip")?.click();
    expect(texts(el, ".sw-chip")).toEqual(["thinking · 3 tokens · 70 %"]);
  });
  it("is looked past at rest: the first word of the answer is on show", () => {
    const { store } = view(thought());
    expect(store.targetCols.value).toEqual({ start: 3, end: 4 });
  });
  it("stays open while nothing follows it, and is folded when the answer begins", () => {
    const list = tokens(TEXT, FIRST);
    const [prompt, own, answer] = SEGMENTS as [WireSegment, WireSegment, WireSegment];
    const { el, model } = view(about(list.slice(0, 5), FIRST, [], { segments: [prompt, own] }));
    expect(texts(el, ".sw-chip")).toEqual([]);
    model.hear({ type: "tokens", doc: 1, start: 5, tokens: list.slice(5), segments: [prompt, own, answer] });
    expect(texts(el, ".sw-chip")).toEqual(["thinking · 3 tokens"]);
  });
  it("is folded on a saved page, with its share, and open there where the target is in it", () => {
    const { store } = view(thought());
    const saved = () => {
      const { page, texts: boxes } = pageIn(store);
      const fold = page.querySelector<HTMLDetailsElement>("details.sw-thinking");
      const inside = [...(fold?.querySelectorAll(".sw-token") ?? [])].map((box) => box.textContent?.trim());
      return { open: fold?.open, line: fold?.querySelector("summary")?.textContent, inside, n: boxes.length };
    };
    const inside = ["<think>", "hm", "</think>"];
    expect(saved()).toEqual({ open: false, line: "thinking · 3 tokens · 70 %", inside, n: 7 });
    store.pin(1);
    expect(saved()).toEqual({ open: true, line: "thinking · 3 tokens · 33 %", inside, n: 7 });
  });
  it("is within a turn, whose name is not said twice", () => {
    const turn = (start: number, end: number): WireSegment => ({ kind: "assistant", name: "assistant", start, end });
    const { el } = view(thought([turn(0, 2), SEGMENTS[1] as WireSegment, turn(5, 7)]));
    expect(texts(el, ".sw-turn")).toEqual(["assistant"]);
  });
});

describe("the switch", () => {
  it("is there where a text has thinking, and only there", () => {
    expect(ways(view(thought()).el).map(({ textContent }) => textContent?.trim())).toEqual([
      "direct", "through the thinking", "two steps back",
    ]); // biome-ignore format: a table
    const { el } = view(thought([]));
    expect(el.querySelector<HTMLElement>(".sw-through")?.hidden).toBe(true);
  });
  it("asks for a step back, shows it when it comes, and has the way back without the kernel", () => {
    const { el, model, store } = view(thought());
    ways(el)[1]?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "saliency", objective: "probability", hop: 1 });
    expect(ways(el)[1]?.getAttribute("aria-pressed")).toBe("true");
    model.hear(mapOf("m1-1", { hop: 1, due: 2, n_rows: 6, n_cols: 5 }));
    for (const col of [3, 4])
      model.hear({ type: "column", floor: null, n_cols: 1, map: "m1-1", seq: 9, col, n_rows: 6 }, [
        0.75,
        0.25,
        0,
        NAN,
        NAN,
        NAN,
      ]);
    expect(store.map.value?.info.hop).toBe(1);
    expect(store.column(3)?.[0]).toBe(0.75);
    ways(el)[0]?.click();
    expect(store.map.value?.info.map).toBe("m1");
    ways(el)[1]?.click(); // all columns that are due are here
    expect(store.map.value?.info.map).toBe("m1-1");
  });
  it("says so at a word of the thinking, of which there is no step back", () => {
    const { el, model, store } = view(thought());
    ways(el)[1]?.click();
    model.hear(mapOf("m1-1", { hop: 1, due: 2, n_rows: 6, n_cols: 5 }));
    store.pin(1);
    expect(texts(el, ".sw-legend")).toEqual(["Steps back begin at words of the answer, not of the thinking."]);
  });
  it("tells a price of more than a second, and none where the step is here", () => {
    const { el, model } = view(thought());
    model.hear({ type: "menu", methods: [{ ...METHOD, seconds: 12 }], objectives: [] });
    expect(ways(el).map(({ textContent }) => /about 12 s/.test(textContent ?? ""))).toEqual([false, true, true]);
    model.hear({ type: "menu", methods: [{ ...METHOD, seconds: 0.5 }], objectives: [] });
    expect(ways(el).some(({ textContent }) => /second|about/.test(textContent ?? ""))).toBe(false);
  });
  it("is off for a method with signs, and says why; methods without keep the step", () => {
    const { el, model } = view(thought());
    ways(el)[1]?.click();
    model.hear(mapOf("m1-1", { hop: 1, due: 2, n_rows: 6, n_cols: 5 }));
    el.querySelectorAll<HTMLElement>(".sw-methods-at-hand button")[1]?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "attention", objective: "probability", hop: 1 });
    el.querySelectorAll<HTMLElement>(".sw-methods-at-hand button")[2]?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "occlusion", objective: "probability" });
    model.hear(mapOf("m3", { method: "occlusion", n_rows: 6, n_cols: 5 }));
    expect(ways(el).map((way) => way.getAttribute("aria-disabled"))).toEqual(["false", "true", "true"]);
    expect(ways(el)[1]?.title).toContain("for and against");
    const n = model.sent.length;
    ways(el)[1]?.click();
    expect(model.sent).toHaveLength(n);
  });
});
