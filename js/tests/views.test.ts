import { describe, expect, it, vi } from "vitest";
import { STEPS } from "../src/color";
import { words } from "./gestures";
import {
  COLUMNS,
  conversation,
  METHOD,
  mapOf,
  over,
  press,
  type Said,
  TEXT,
  texts,
  tokens,
  viewing,
  type Wire,
} from "./help";

const view = viewing();
const painted = (el: Element) =>
  [...el.querySelectorAll<HTMLElement>(".sw-token")].map(({ style }) => style.backgroundColor);
const tip = (el: Element) => el.querySelector<HTMLElement>("[role=tooltip]");
const leave = (el: Element) => el.querySelector(".sw-text")?.dispatchEvent(new PointerEvent("pointerleave"));
const hostile = (list: string[]) => conversation(list, list.length - 1, [list.slice(1).map((_, row) => row + 1)]);

describe("the text", () => {
  it("is the tokens in order, one box each, prompt and written text told apart", () => {
    const { el } = view();
    expect(texts(el, ".sw-token")).toEqual(TEXT.map((text) => text.trim()));
    expect(texts(el, ".sw-column")).toEqual(["Washington", ".", "He"]);
    expect(el.querySelector(".sw-text")?.textContent).toBe("The first president was George  Washington. He");
  });
  it("paints the first column at rest, darkest where the share is largest, and nothing behind the target", () => {
    const { el, box } = view();
    const colours = painted(el);
    expect(colours[5]).toBe("");
    expect([6, 7].map((i) => [box(i).classList.contains("sw-blind"), colours[i]])).toEqual([
      [true, ""],
      [true, ""],
    ]);
    expect(box(5).classList.contains("sw-target")).toBe(true);
    const blueness = (i: number) => Number(/^rgb\((\d+)/.exec(colours[i] ?? "")?.[1]);
    expect(blueness(4)).toBeLessThan(blueness(2));
    expect(blueness(2)).toBeLessThan(blueness(0));
  });
  it("previews the column of the target under the mouse, and goes back", () => {
    const { el, box, store } = view();
    const rest = painted(el);
    over(box(7));
    expect(store.shown.value?.col).toBe(2);
    expect(painted(el)).not.toEqual(rest);
    leave(el);
    expect(painted(el)).toEqual(rest);
  });
  it("leaves the other views alone once it is gone, even in the middle of leaving a word", () => {
    const { el, box, store, life } = view();
    over(box(7));
    over(el.querySelector(".sw-text") as Element); // the gap between two words: the preview is about to end
    life.abort();
    store.hoverCol.value = 1; // by another view
    vi.advanceTimersByTime(1000);
    expect(store.hoverCol.value).toBe(1);
  });
  it("says under a mouse that stands still what is on show by now", () => {
    const { el, box, store } = view();
    const said = () => tip(el)?.textContent ?? "";
    over(box(3));
    expect(said()).toContain("of 5");
    store.readBy("sentence");
    expect(said()).not.toContain("of 5");
    store.readBy("token");
    over(box(5));
    store.pin(2);
    expect(said()).toContain("for He");
    store.pin(0);
    expect(said()).not.toContain("for He");
  });
  it("pins a target with a click, keeps it when the mouse leaves, and lets it go with a second click", () => {
    const { el, box, store, model } = view();
    box(6).click();
    leave(el);
    expect([store.shown.value?.col, model.trait, box(6).getAttribute("aria-pressed")]).toEqual([1, 1, "true"]);
    box(6).click();
    expect([store.pinned.value, model.trait, box(6).getAttribute("aria-pressed")]).toEqual([null, null, "false"]);
  });
  it("does not flicker over the gap between two words", () => {
    const { el, box, store } = view();
    over(box(7));
    over(box(7).parentElement as HTMLElement);
    expect(store.hoverCol.value).toBe(2);
    over(box(6));
    vi.advanceTimersByTime(1000);
    expect(store.hoverCol.value).toBe(1);
    over(el.querySelector(".sw-line") as HTMLElement);
    vi.advanceTimersByTime(1000);
    expect(store.hoverCol.value).toBeNull();
  });
  it("shows a column that is not here as waiting, never as zeros", () => {
    const { el, model } = view(conversation().filter(([message]) => message.type !== "column"));
    expect(new Set(painted(el))).toEqual(new Set([""]));
    expect(el.querySelector(".sw-text")?.classList.contains("sw-pending")).toBe(true);
    expect(el.textContent).toContain("This column was not computed.");
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m1", seq: 1, col: 0, n_rows: 7 }, COLUMNS[0]);
    expect(el.querySelector(".sw-text")?.classList.contains("sw-pending")).toBe(false);
    expect(painted(el)[4]).not.toBe("");
  });
  it("keeps the old colours, faded, until those of the map that was asked for come", () => {
    const { el, model, store } = view();
    const text = el.querySelector(".sw-text");
    const isFaded = () => text?.classList.contains("sw-faded");
    const before = painted(el);
    const running = { type: "status", phase: "attributing", what: "", done: 0, total: 3, seconds_left: null, unit: "" };
    expect(isFaded()).toBe(false);
    model.hear(running);
    store.ask({ method: "attention", objective: "probability" });
    expect([painted(el), isFaded()]).toEqual([before, true]);
    model.hear(mapOf("m2", { method: "attention" }));
    expect([painted(el), isFaded(), text?.classList.contains("sw-pending")]).toEqual([before, true, false]);
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m2", seq: 9, col: 1, n_rows: 7 }, COLUMNS[1]); // of a target that is not on show
    expect([painted(el), isFaded()]).toEqual([before, true]);
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m2", seq: 10, col: 0, n_rows: 7 }, [
      0.4,
      0.3,
      0,
      0.2,
      0.1,
      Number.NaN,
      Number.NaN,
    ]);
    expect(isFaded()).toBe(false);
    expect(painted(el)).not.toEqual(before);
  });
  it("shows no old colours where the new ones will not come", () => {
    const { el, model } = view();
    model.hear(mapOf("m2", { method: "attention" }));
    model.hear({ type: "status", phase: "cancelled", what: "", done: 0, total: 3, seconds_left: null, unit: "" });
    expect(el.querySelector(".sw-text")?.classList.contains("sw-faded")).toBe(false);
    expect(new Set(painted(el))).toEqual(new Set([""]));
  });
  it("has the colours of the first word while the next ones are written, and keeps them as the text grows", () => {
    const said = conversation().filter(([{ type }]) => type !== "map" && type !== "column" && type !== "tokens");
    const { el, model, store } = view(said);
    const all = tokens(TEXT, 5);
    const write = (n: number) => {
      model.hear({ type: "tokens", doc: 1, start: 0, tokens: all.slice(0, 5 + n), segments: [] });
      model.hear({ type: "status", phase: "generating", what: "", done: n, total: 8, seconds_left: 1, unit: "tokens" });
    };
    write(1);
    model.hear(mapOf("m1", { n_rows: 5, n_cols: 1 }));
    model.hear(
      { type: "column", floor: null, n_cols: 1, map: "m1", seq: 1, col: 0, n_rows: 5 },
      COLUMNS[0]?.slice(0, 5),
    );
    const first = painted(el).slice(0, 5);
    expect(first[4]).not.toBe("");
    write(2);
    model.hear(mapOf("m1", { n_rows: 6, n_cols: 2 }));
    store.ask({ method: "attention", objective: "probability" }); // which the kernel has not heard yet
    write(3);
    model.hear(mapOf("m1", { n_rows: 7, n_cols: 3 }));
    expect(store.asked.value?.method).toBe("attention");
    expect([store.map.value?.done.value, store.column(0)]).toEqual([1, Float32Array.from(COLUMNS[0] as number[])]);
    expect(painted(el).slice(0, 5)).toEqual(first);
    // A page that comes only now hears how large the map is, and then a column from when it was smaller.
    model.hear(
      { type: "column", floor: null, n_cols: 1, map: "m1", seq: 2, col: 1, n_rows: 6 },
      COLUMNS[1]?.slice(0, 6),
    );
    expect(store.column(1)).toEqual(Float32Array.from(COLUMNS[1] as number[]));
  });
  it("grows token by token, and keeps the boxes that were there", () => {
    const [hello, begins] = conversation() as [[Wire], [Wire]];
    const { el, model, box } = view([hello, begins]);
    const all = tokens(TEXT, 5);
    for (const [i, token] of all.entries())
      model.hear({ type: "tokens", doc: 1, start: i, tokens: [token], segments: [] });
    const first = box(0);
    expect(texts(el, ".sw-token")).toHaveLength(8);
    model.hear({ type: "tokens", doc: 1, start: 8, tokens: tokens([" was"], 0), segments: [] });
    expect(box(0)).toBe(first);
    expect(texts(el, ".sw-token").at(-1)).toBe("was");
    model.hear({ type: "tokens", doc: 1, start: 6, tokens: tokens(["!"], 0), segments: [] });
    expect(texts(el, ".sw-token").slice(5)).toEqual(["Washington", "!"]);
  });
  it("keeps a lam and an alef of two tokens apart, so that both can be pointed at", () => {
    const { box } = view(hostile(["ال", "آ", "ل", "x"]));
    expect([0, 1, 2].map((i) => box(i).classList.contains("sw-no-ligature"))).toEqual([true, true, false]);
  });
  it("turns a mark into a stroke once its word goes on", () => {
    const half = (k: number) => ({ ...tokens(["ع"], 0)[0], word: 0, span: [0, 1], part: [k, 2] });
    const [hello, begins] = conversation() as [[Wire], [Wire]];
    const { el, model, box } = view([hello, begins]);
    const hear = (start: number, token: Wire) =>
      model.hear({ type: "tokens", doc: 1, start, tokens: [token], segments: [] });
    hear(0, half(1));
    hear(1, half(2));
    expect([texts(el, ".sw-token"), box(1).dataset.mark]).toEqual([["ع", ""], "²⁄₂"]);
    hear(2, { ...tokens(["ل"], 0)[0], word: 0, span: [1, 2] });
    expect([texts(el, ".sw-token"), box(1).dataset.mark]).toEqual([["ع", "", "ل"], "ـ"]);
  });
  it("breaks the line where the text does, and shows every break", () => {
    const { el } = view(hostile(["a", "\n", "\n", "b\n", "c"]));
    expect(texts(el, ".sw-line")).toEqual(["a⏎⏎", "b⏎", "c"]);
    expect([...el.querySelectorAll(".sw-line")].every((line) => line.getAttribute("dir") === "auto")).toBe(true);
  });
  it("labels the turns of a chat, and folds the template between them into chips that open and fold again", () => {
    const list = tokens(["<s>", "sys", "Hi", "</s>", "\n", "<s>", "user", "\n", "Well", "?", " Yes"], 10, {
      0: "special",
      1: "special",
      3: "special",
      4: "special",
      5: "special",
      6: "special",
      7: "special",
    });
    const segments = [
      { kind: "system", name: "system", start: 0, end: 5 },
      { kind: "user", name: "user", start: 5, end: 11 },
    ];
    const messages = conversation(
      list.map(({ text }) => text),
      10,
      [[1, 1, 2, 1, 1, 1, 1, 1, 1, 0]],
    ).map(
      ([message, scores]): Said =>
        message.type === "tokens" ? [{ ...message, tokens: list, segments }, scores] : [message, scores],
    );
    const { el } = view(messages);
    expect(texts(el, ".sw-turn")).toEqual(["system", "user"]);
    expect(texts(el, ".sw-chip")).toEqual(["template · 5 tokens · 50 %"]);
    const chip = el.querySelector<HTMLElement>(".sw-chip");
    chip?.focus();
    chip?.click();
    expect(texts(el, ".sw-chip")).toEqual(["fold template"]);
    // Who opened it by key can undo that by the same key.
    expect([document.activeElement?.textContent, document.activeElement?.getAttribute("aria-expanded")]).toEqual([
      "fold template",
      "true",
    ]);
    expect(texts(el, ".sw-token").slice(0, 8)).toEqual(["<s>", "sys", "Hi", "</s>", "⏎", "<s>", "user", "⏎"]);
    (document.activeElement as HTMLElement).click();
    expect([texts(el, ".sw-chip"), document.activeElement?.textContent]).toEqual([
      ["template · 5 tokens · 50 %"],
      "template · 5 tokens · 50 %",
    ]);
    expect(el.textContent).toContain("template tokens: 70 %");
  });
});

describe("whatever a model writes", () => {
  const evil = [
    "<script>alert(1)</script>",
    "</style>",
    "<img src=x onerror=alert(1)>",
    "&lt;",
    "`;alert(1)//",
    "\u0000",
    "\ud800",
    "javascript:1",
  ];
  it("is text: it makes no element, in the prose, in the tooltip, in the target line, in the menu", () => {
    const messages = hostile(evil).map(
      ([message, scores]): Said =>
        message.type === "menu"
          ? [{ ...message, methods: [METHOD, { ...METHOD, id: "x", label: evil[0], reason: evil[2] }] }, scores]
          : message.type === "document"
            ? [{ ...message, model: evil[0] }, scores]
            : [message, scores],
    );
    const { el, box, model } = view(messages);
    for (const i of evil.keys()) over(box(i));
    el.querySelector<HTMLElement>(".sw-more")?.click();
    model.hear({ type: "failed", kind: "X", message: String(evil[0]), cure: String(evil[2]) });
    expect(el.querySelectorAll("script, style, img")).toHaveLength(0);
    expect(texts(el, ".sw-token").slice(0, 7)).toEqual([...evil.slice(0, 5), "NUL", "U+D800"]);
    expect(el.querySelector("[role=alert]")?.textContent).toBe(`${evil[0]}${evil[2]}`);
  });
});

describe("the tooltip", () => {
  it("says share, score, rank and position of an input", () => {
    const { el, box } = view();
    over(box(4));
    expect(tip(el)?.textContent?.replace(/\s+/g, " ")).toBe(
      "George prompt · position 4share .400 · rank 1 of 5 score 0.400 for WashingtonStrike out s",
    );
    expect(box(4).getAttribute("aria-describedby")).toBe(tip(el)?.id);
    leave(el);
    expect(tip(el)?.hidden).toBe(true);
  });
  it("says the score as soon as its column is there, under a mouse that stands still", () => {
    const { el, box, model } = view(conversation().filter(([{ type, col }]) => type !== "column" || col !== 0));
    over(box(4));
    const said = () => tip(el)?.textContent?.replace(/\s+/g, " ");
    expect(said()).toContain("for Washington: not computed");
    model.hear({ type: "column", map: "m1", seq: 4, col: 0, n_cols: 1, n_rows: 7, floor: null }, COLUMNS[0]);
    expect(said()).toContain("score 0.400 for Washington");
  });
  it("says how sure a score is, where that is known of all that it is made of", () => {
    const { el, box, store, model } = view();
    const said = () => tip(el)?.textContent?.replace(/\s+/g, " ");
    over(box(4));
    const [scores = []] = COLUMNS;
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m1", seq: 4, col: 0, n_rows: 7 }, scores, [
      1,
      1,
      1,
      1,
      0.0125,
      Number.NaN,
      1,
    ]);
    expect(said()).toContain("score 0.400 ± 0.0125 for Washington");
    store.pin(0, 2);
    expect(said()).not.toContain("±"); // of the second target no error is known
    const [, second = []] = COLUMNS;
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m1", seq: 4, col: 1, n_rows: 7 }, second, [
      0,
      0,
      0,
      0,
      0.1,
      0,
      Number.NaN,
    ]);
    expect(said()).toContain("score 0.700 ± 0.0563 for"); // the mean of both
    store.pin(0);
    model.hear(
      { type: "column", floor: null, n_cols: 1, map: "m1", seq: 5, col: 0, n_rows: 7 },
      scores,
      scores.map(() => 0),
    );
    expect(said()).toContain("score 0.400 (exact) for Washington");
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m1", seq: 5, col: 0, n_rows: 7 }, scores);
    store.pin(0);
    expect(said()).toContain("score 0.400 for Washington");
  });
  it("says how probable a target was, and what it weighs for the pinned one", () => {
    const { el, box } = view();
    box(7).click();
    over(box(5));
    const said = tip(el)?.textContent?.replace(/\s+/g, " ");
    expect(said).toContain("p = .796 · position 5");
    expect(said).toContain("share .000 · rank 2 of 7 score 0 for He");
  });
  it("tells the probability of what it names, wherever the mouse is on it", () => {
    const { el, box, store } = view(words());
    const rows = () => texts(el, ".sw-tooltip-head, .sw-tooltip-role");
    store.readBy("word");
    over(box(6));
    expect([rows(), texts(el, ".sw-probability")]).toEqual([["OK", "joint p = .317 · position 6"], ["joint p = .317"]]);
    over(box(5));
    expect(rows()).toEqual(["OK", "joint p = .317 · position 5"]);
    store.readBy("sentence"); // which is no target by itself
    over(box(6));
    expect(rows()).toEqual(["OK bye", "K: p = .398 · position 6"]);
  });
  it("stands below a target that has inputs above it, and above all else", () => {
    const { el, box } = view();
    const text = el.querySelector(".sw-text") as HTMLElement;
    vi.spyOn(text, "getBoundingClientRect").mockReturnValue(new DOMRect(0, 100, 300, 200));
    const top = (i: number, y: number) => {
      vi.spyOn(box(i), "getBoundingClientRect").mockReturnValue(new DOMRect(10, y, 50, 20));
      vi.spyOn(box(i), "offsetHeight", "get").mockReturnValue(20);
      over(box(i));
      return Number.parseFloat(tip(el)?.style.top ?? "") - y;
    };
    expect([top(5, 110), top(6, 150), top(4, 150)].map((below) => below > 0)).toEqual([false, true, false]);
  });
});

describe("the target line", () => {
  it("says what was written, how probable it was, what else it could have been, and what mattered most", () => {
    const { el } = view();
    expect(texts(el, ".sw-target-name, .sw-probability, .sw-alternative")).toEqual([
      "Washington",
      "p = .796",
      "W .088",
    ]);
    expect(texts(el, ".sw-input")).toEqual(["George .400", "president .300", "first .200"]);
    expect(texts(el, ".sw-scale, .sw-unit span")).toEqual(["0.400", "share of the gradient norm"]);
  });
  it("says so where a column has no shares", () => {
    const { el } = view(conversation(TEXT, 5, [[0, 0, 0, -0, 0, Number.NaN, Number.NaN]]));
    expect(el.textContent).toContain("This column has no shares");
    expect(new Set(painted(el))).toEqual(new Set([""]));
  });
  it("explains the method on request", () => {
    const { el } = view();
    el.querySelector<HTMLElement>(".sw-info")?.click();
    expect(el.querySelector("[role=dialog]")?.textContent).toContain(METHOD.reads);
    press(el.querySelector("[role=dialog]") as Element, "Escape");
    expect(el.querySelector("[role=dialog]")).toBeNull();
  });
});

describe("a signed map", () => {
  const signed = () =>
    conversation(TEXT, 5, [[0.1, -0.5, 0.3, 0, -0.1, Number.NaN, Number.NaN]]).map(
      ([message, scores]): Said => [message.type === "map" ? { ...message, method: "occlusion" } : message, scores],
    );
  it("has two hues around nothing, and a legend with both ends", () => {
    const { el, box } = view(signed());
    const channels = (i: number) =>
      (/\d+, \d+, \d+/.exec(box(i).style.backgroundColor)?.[0] ?? "").split(", ").map(Number);
    const warm = (i: number) => (channels(i)[0] ?? 0) - (channels(i)[2] ?? 0);
    expect([warm(1) > 0, warm(4) > 0, warm(2) < 0, warm(0) < 0]).toEqual([true, true, true, true]);
    expect(channels(3)).toEqual([255, 255, 255]);
    expect(texts(el, ".sw-scale > span:not(.sw-gradient)")).toEqual(["−.500", ".500"]);
    const stops = el.querySelector<HTMLElement>(".sw-gradient")?.style.background.match(/rgb\([^)]*\)/g);
    expect([stops?.[0], stops?.[STEPS]]).toEqual([box(1).style.backgroundColor, box(3).style.backgroundColor]);
  });
  it("ranks by size and keeps the sign: below, in the tooltip, and for screen readers", () => {
    const { el, box } = view(signed());
    expect(texts(el, ".sw-input")).toEqual(["first −.500", "president .300", "The .100"]);
    over(box(1));
    expect(tip(el)?.textContent).toContain("share −.500 · rank 1 of 5");
    expect(tip(el)?.textContent).toContain("score −0.500 for Washington");
    leave(el);
    vi.advanceTimersByTime(1000);
    expect(el.querySelector(".sw-layer > [aria-live=polite]")?.textContent).toContain("Most important: first −.500,");
  });
});

it("a view that goes takes its page, its tooltip and its listeners with it", () => {
  const { el, life, store, model } = view();
  life.abort();
  expect([el.children.length, model.listening()]).toEqual([0, 0]);
  store.pin(1);
});

it("a page that opens late is shown everything the store has", () => {
  const { el } = view();
  expect(texts(el, ".sw-model")).toEqual(["tiny cpu · float32"]);
  expect(texts(el, ".sw-token")).toHaveLength(8);
});
