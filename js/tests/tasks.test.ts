/** What a page shows of a translation (two texts) and of a classifier (a text and its classes). */

import { describe, expect, it, vi } from "vitest";
import type { Role, WireSegment } from "../src/protocol";
import { about, over, press, type Said, texts, tokens, viewing, type Wire } from "./help";

const view = viewing();
const NAN = Number.NaN;
const said = (element: Element | null | undefined) => element?.textContent?.replace(/\s+/g, " ").trim();

const SOURCE = ["我", "喜歡", "機器", "</s>"];
const WRITTEN = [" I", " like", " it", "."];
const SIDES: WireSegment[] = [
  { kind: "source", name: "source", start: 0, end: 4 },
  { kind: "target", name: "translation", start: 4, end: 9 },
];
const COLUMNS = [
  [4, 1, 1, 1, 3, NAN, NAN, NAN],
  [0, 6, 1, 0, 1, 2, NAN, NAN],
  [0, 1, 5, 0, 1, 1, 2, NAN],
  [1, 1, 1, 1, 1, 1, 1, 1],
];
const SOURCE_ROLES: Record<number, Role> = { 0: "source", 1: "source", 2: "source", 3: "special", 4: "special" };

function translation(start: readonly string[] = ["<pad>"], roles: Record<number, Role> = {}): Said[] {
  const first = SOURCE.length + start.length;
  const list = tokens([...SOURCE, ...start, ...WRITTEN], first, { ...SOURCE_ROLES, ...roles });
  const longer = start.length - 1;
  const columns = COLUMNS.map((column) => [...column.slice(0, 4), ...Array(longer).fill(1), ...column.slice(4)]);
  const [source, target] = SIDES as [WireSegment, WireSegment];
  return about(list, first, columns, { segments: [source, { ...target, end: target.end + longer }] });
}

describe("a translation", () => {
  it("is two texts under their names, each in its own direction, the start token folded", () => {
    const { el, store } = view(translation());
    store.pin(0);
    expect(texts(el, ".sw-turn")).toEqual(["source", "translation"]);
    expect(texts(el, ".sw-line")).toEqual(["我喜歡機器</s>", "special · 1 token · 30 % I like it."]);
    expect([...el.querySelectorAll(".sw-line")].map((line) => line.getAttribute("dir"))).toEqual(["auto", "auto"]);
    expect(el.querySelectorAll(".sw-side + .sw-line")).toHaveLength(2);
  });
  it("has no stroke before its first word where only a start token was read, and one where a beginning was given", () => {
    const { el } = view(translation());
    expect(el.querySelector(".sw-prompt-end")).toBeNull();
    const { el: begun } = view(translation(["<pad>", " Well", ","], { 5: "prompt", 6: "prompt" }));
    expect(begun.querySelectorAll(".sw-prompt-end")).toHaveLength(1);
    expect(texts(begun, ".sw-chip")).toHaveLength(1);
  });
  it("lets neither a chip's letters nor those of a special token decide the direction of a line", () => {
    const { el, box } = view(translation());
    expect([el.querySelector(".sw-chip")?.getAttribute("dir"), box(3).dir, box(0).dir]).toEqual(["ltr", "ltr", ""]);
  });
  it("colours the source and what is written already for the word under the mouse; source tokens are no targets", () => {
    const { el, box, store } = view(translation());
    expect(el.querySelectorAll(".sw-column")).toHaveLength(4);
    over(box(6));
    expect(store.target.value).toBe(1);
    expect([1, 5].map((i) => box(i).style.backgroundColor !== "")).toEqual([true, true]);
    expect([7, 8].map((i) => box(i).classList.contains("sw-blind"))).toEqual([true, true]);
    over(box(1));
    expect([store.hoverRow.value, store.hoverCol.value]).toEqual([1, null]);
    expect(said(el.querySelector("[role=tooltip]"))).toContain("source · position 1");
  });
  it("calls special tokens special, and says what they hold together", () => {
    const { el, box, store } = view(translation());
    store.pin(0);
    expect(texts(el, ".sw-held")).toEqual(["special tokens: 40 %"]);
    over(el.querySelector(".sw-chip") as Element);
    expect(said(el.querySelector("[role=tooltip]"))).toBe("1 special token <pad> together 30 % of this column");
    over(box(3));
    expect(said(el.querySelector("[role=tooltip]"))).toContain("special · position 3");
  });
  it("grows word by word under its name, and the stretch of its start token stays folded", () => {
    const [hello, begins] = translation() as [Said, Said];
    const { el, model } = view([hello, begins]);
    const list = tokens([...SOURCE, "<pad>", ...WRITTEN], 5, SOURCE_ROLES);
    const [source, target] = SIDES as [WireSegment, WireSegment];
    const hear = (start: number, end: number) =>
      model.hear({
        type: "tokens",
        doc: 1,
        start,
        tokens: list.slice(start, end),
        segments: [source, { ...target, end }],
      });
    hear(0, 5);
    expect(texts(el, ".sw-turn, .sw-chip")).toEqual(["source", "translation", "special · 1 token"]);
    for (let i = 5; i < list.length; i++) hear(i, i + 1);
    expect(texts(el, ".sw-turn")).toEqual(["source", "translation"]);
    expect(texts(el, ".sw-line")).toEqual(["我喜歡機器</s>", "special · 1 token I like it."]);
  });
  it("has a matrix of source and translation, a line between them", async () => {
    const lines: number[][] = [];
    const pen = new Proxy({} as Record<string, unknown>, {
      get: (own, name) =>
        name in own
          ? own[String(name)]
          : name === "measureText"
            ? () => ({ width: 20 })
            : (...numbers: number[]) => void (name === "fillRect" && lines.push(numbers)),
    });
    vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(pen as never);
    for (const side of ["clientWidth", "clientHeight"] as const)
      vi.spyOn(HTMLElement.prototype, side, "get").mockReturnValue(600);
    const { el } = view(translation());
    el.querySelector<HTMLElement>(".sw-drawer-toggle")?.click();
    await new Promise((done) => requestAnimationFrame(done));
    expect(texts(el, ".sw-matrix-hint div").slice(0, 2)).toEqual([
      "rows: the source, and below the line what was written",
      "columns: what was written",
    ]);
    const [[, y, , height] = []] = lines;
    const top = Math.ceil(20 * Math.sin((52 * Math.PI) / 180)) + 16;
    expect([y, height]).toEqual([top + 4 * 20 - 1.5, 1]); // between the cells of row 3 and of row 4
  });
});

const READ = ["[CLS]", "a", " gem", "[SEP]"];
function classified(names: readonly string[], probabilities: number[], columns?: number[][]): Said[] {
  const roles = Object.fromEntries(names.map((_, col) => [READ.length + col, "class" as const]));
  const list = tokens([...READ, ...names], READ.length, { 0: "special", 3: "special", ...roles });
  const all = columns ?? names.map((_, col) => READ.map((_, row) => 1 + ((row + col) % 4)));
  return about(list, READ.length, all, { probabilities });
}
const FEELINGS = () => classified(["NEGATIVE", "POSITIVE"], [0.0123, 0.9877]);
const classBox = (el: Element, name: string) =>
  [...el.querySelectorAll<HTMLElement>(".sw-class")].find((box) => box.querySelector("bdi")?.textContent === name);

/** A regression: a number for each class, as many as are given. */
function numbers(...values: number[]): Said[] {
  const steps = values.map((value) => ({ probability: null, value, alternatives: [] }));
  return FEELINGS().flatMap(([message, ...rest]): Said[] => {
    const { type } = message;
    if (type === "document") return [[{ ...message, raw: true }, ...rest]];
    if (type === "tokens")
      return [[{ ...message, tokens: (message.tokens as Wire[]).slice(0, 4 + values.length) }, ...rest]];
    if (type === "menu")
      return [[{ ...message, objectives: [{ id: "logit", label: "the number itself", means: "" }] }, ...rest]];
    if (type === "steps") return [[{ ...message, steps }, ...rest]];
    if (type === "map") return [[{ ...message, objective: "logit", n_cols: values.length }, ...rest]];
    if (type === "column" && (message.col as number) >= values.length) return [];
    return [[message, ...rest]];
  });
}
/** The same, given as a text that can be edited. */
const editable = (messages: Said[]) =>
  messages.map(
    ([message, ...rest]): Said =>
      message.type === "document" ? [{ ...message, editable: "a gem" }, ...rest] : [message, ...rest],
  );

describe("a classifier", () => {
  it("shows its classes below the text, each with its probability, and none of them in the text", () => {
    const { el } = view(FEELINGS());
    expect(texts(el, ".sw-text .sw-token")).toEqual(["[CLS]", "a", "gem", "[SEP]"]);
    expect(texts(el, ".sw-classes .sw-label, .sw-class [aria-hidden]")).toEqual([
      "classes",
      "NEGATIVE .012",
      "POSITIVE .988",
    ]);
    expect(texts(el, ".sw-class .sw-unseen")).toEqual(["class NEGATIVE, p = .012", "class POSITIVE, p = .988"]);
    expect(el.querySelector(".sw-prompt-end")).toBeNull();
  });
  it("shows the number that a model gives where it gives no probability, and calls its classes outputs", () => {
    const { el, box } = view(numbers(-1.73, 4.5));
    expect(texts(el, ".sw-classes .sw-label, .sw-class [aria-hidden]")).toEqual([
      "outputs",
      "NEGATIVE = −1.73",
      "POSITIVE = 4.50",
    ]);
    expect(texts(el, ".sw-class .sw-unseen")).toEqual(["output NEGATIVE, = −1.73", "output POSITIVE, = 4.50"]);
    expect(el.querySelector(".sw-classes")?.getAttribute("aria-label")).toBe("Outputs");
    expect(said(el.querySelector(".sw-target-line"))).toBe("POSITIVE = 4.50 beside NEGATIVE −1.73");
    expect(el.querySelector(".sw-bar-below")).toBeNull();
    expect(el.textContent).not.toContain("p =");
    over(box(1));
    expect(el.textContent).not.toContain("class");
    expect(texts(view(numbers(-1.73)).el, ".sw-classes .sw-label")).toEqual(["output"]);
  });
  it("offers to try a change also where a model gives numbers and no probabilities", () => {
    const offered = (messages: Said[]) => {
      const { el, box, model } = view(messages);
      const editor = el.querySelector<HTMLElement>(".sw-editor");
      box(1).click();
      const buttons = texts(el, ".sw-actions button");
      press(box(1), "s");
      return [editor?.hidden, buttons.includes("Strike out"), model.sent.some(({ type }) => type === "try")];
    };
    expect(offered(editable(FEELINGS()))).toEqual([false, true, true]);
    expect(offered(editable(numbers(-1.73, 4.5)))).toEqual([false, true, true]);
  });
  it("asks another method for what it can explain, whatever the map on show came with", () => {
    const attention = numbers(-1.73).map(
      ([message, ...rest]): Said =>
        message.type === "map"
          ? [{ ...message, method: "attention", objective: "probability" }, ...rest]
          : [message, ...rest],
    );
    const { el, model } = view(attention);
    expect(el.querySelector<HTMLElement>(".sw-objective")?.hidden).toBe(true);
    [...el.querySelectorAll<HTMLElement>(".sw-method")].find((one) => said(one) === "Gradient")?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "saliency", objective: "logit" });
  });
  it("begins with the most probable class, and colours all that was read for it", () => {
    const { el, box } = view(FEELINGS());
    expect(said(el.querySelector(".sw-target-line"))).toBe("POSITIVE p = .988 instead of NEGATIVE .012");
    expect(classBox(el, "POSITIVE")?.classList.contains("sw-target")).toBe(true);
    expect([0, 1, 2, 3].map((i) => box(i).style.backgroundColor !== "")).toEqual([true, true, true, true]);
  });
  it("previews the class under the mouse without a tooltip over the text, and pins it with a click", () => {
    const { el, store, model } = view(FEELINGS());
    const negative = classBox(el, "NEGATIVE") as HTMLElement;
    over(negative);
    expect(store.target.value).toBe(0);
    expect(el.querySelector<HTMLElement>("[role=tooltip]")?.hidden).toBe(true);
    el.querySelector(".sw-classes")?.dispatchEvent(new PointerEvent("pointerleave"));
    expect(store.target.value).toBe(1);
    negative.click();
    expect([store.target.value, model.trait, negative.getAttribute("aria-pressed")]).toEqual([0, 0, "true"]);
  });
  it("says of an input what it weighs for the class on show", () => {
    const { el, box } = view(FEELINGS());
    over(box(2));
    expect(said(el.querySelector("[role=tooltip]"))).toBe(
      "gem prompt · position 2share .400 · rank 1 of 4 score 4.00 for POSITIVEStrike out s",
    );
    over(box(0));
    expect(said(el.querySelector("[role=tooltip]"))).toContain("special · position 0");
    expect(texts(el, ".sw-held")).toEqual(["special tokens: 30 %"]);
  });
  it("of many classes shows the most probable first, and the arrow keys go that way", () => {
    const names = "abcdefghij".split("");
    const { el, store } = view(classified(names, [0.1, 0.02, 0.3, 0.01, 0.5, 0.03, 0.004, 0.006, 0.02, 0.0002]));
    expect(texts(el, ".sw-class bdi").join("")).toBe("ecafbidhgj");
    expect(texts(el, ".sw-class .sw-muted").slice(-2)).toEqual([".0040", "<.001"]);
    const first = classBox(el, "e") as HTMLElement;
    expect(first.tabIndex).toBe(0);
    first.focus();
    press(first, "ArrowRight");
    expect([store.target.value, said(document.activeElement?.querySelector("bdi"))]).toEqual([2, "c"]);
    press(document.activeElement as Element, "End");
    expect(store.target.value).toBe(9);
    press(document.activeElement as Element, "ArrowRight");
    press(document.activeElement as Element, "Enter");
    expect(store.pinned.value).toBe(9);
    press(document.activeElement as Element, "Home");
    expect(store.target.value).toBe(4);
    press(document.activeElement as Element, "Escape");
    expect([store.target.value, said(document.activeElement?.querySelector("bdi"))]).toEqual([9, "j"]);
  });
  it("keeps the order of few classes: stars count up", () => {
    const { el } = view(classified(["1 star", "2 stars", "3 stars"], [0.1, 0.2, 0.7]));
    expect(texts(el, ".sw-class bdi")).toEqual(["1 star", "2 stars", "3 stars"]);
  });
  it("shows a class whose column is not here as waiting", () => {
    const { el } = view(FEELINGS().filter(([message]) => message.type !== "column"));
    expect(el.querySelector(".sw-classes")?.classList.contains("sw-pending")).toBe(true);
  });
  it("takes names of classes for text", () => {
    const { el } = view(classified(["<img src=x>", "</button>"], [0.1, 0.9]));
    expect([el.querySelectorAll("img").length, texts(el, ".sw-class bdi")]).toEqual([0, ["<img src=x>", "</button>"]]);
  });
  it("is told to screen readers as a class", () => {
    const { el } = view(FEELINGS());
    vi.advanceTimersByTime(1000);
    expect(el.querySelector(".sw-layer > [aria-live=polite]")?.textContent).toBe(
      "Class POSITIVE. Probability .988. Most important: gem .400, a .300, [CLS] .200. " +
        "Nothing stands out: the largest share, .400, is no more than noise over 4 tokens would give (.400).",
    );
  });
  it("has a matrix whose columns are the classes, walked down to the last input", () => {
    const { el, store } = view(FEELINGS());
    el.querySelector<HTMLElement>(".sw-drawer-toggle")?.click();
    expect(texts(el, ".sw-matrix-hint div")).toContain("columns: the classes");
    const matrix = el.querySelector(".sw-matrix-scroll") as HTMLElement;
    expect(matrix.getAttribute("aria-label")).toContain("columns the classes");
    for (let i = 0; i < 9; i++) press(matrix, "ArrowDown");
    expect([store.hoverRow.value, store.hoverCol.value]).toEqual([3, 1]);
    press(matrix, "ArrowLeft");
    press(matrix, "Enter");
    expect(store.pinned.value).toBe(0);
  });
});
