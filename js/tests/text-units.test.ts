/** A text by its parts, and by key: labels, words and sentences, from input to input. */

import { describe, expect, it, vi } from "vitest";
import type { WireSegment } from "../src/protocol";
import { focusToken } from "../src/views/text/boxes";
import { button, chat, classed, click, SEGMENTS, words } from "./gestures";
import { about, over, press, texts, tokens, viewing } from "./help";

const view = viewing();

describe("the label over a turn", () => {
  it("has a button that hides what was read of it; not over what the model writes", () => {
    const { el, box, store } = view(chat());
    const names = () => [...el.querySelectorAll(".sw-eye")].map((eye) => eye.getAttribute("aria-label"));
    expect(names()).toEqual(["Leave out of the shares: system", "Leave out of the shares: user"]);
    button(el, "Leave out of the shares: system").click();
    expect([names(), store.hidden.value]).toEqual([
      ["Count again: system", "Leave out of the shares: user"],
      [{ start: 0, end: 2 }],
    ]);
    expect([classed(el, "sw-hidden"), box(0).style.backgroundColor]).toEqual([[0, 1], ""]);
    // What comes after the target is out of sight for it, which is not to be hidden.
    expect([box(5).classList.contains("sw-hidden"), box(6).classList.contains("sw-blind")]).toEqual([false, true]);
    button(el, "Count again: system").click();
    expect([names(), classed(el, "sw-hidden")]).toEqual([
      ["Leave out of the shares: system", "Leave out of the shares: user"],
      [],
    ]);
  });
  it("has its button named also where the text comes after the page", () => {
    const { el, model } = view([]);
    for (const [message, scores] of chat()) model.hear(message, scores);
    button(el, "Leave out of the shares: user").click();
    expect(texts(el, ".sw-turn")).toEqual(["system", "user", "assistant"]);
    expect(button(el, "Count again: user").classList.contains("sw-shut")).toBe(true);
  });
  it("is one stretch with what was hidden of it before", () => {
    const { el, store } = view(chat());
    store.hide({ start: 1, end: 3 });
    button(el, "Leave out of the shares: system").click();
    expect(store.hidden.value).toEqual([{ start: 0, end: 3 }]);
  });
});

describe("a chip", () => {
  it("is left out with all that it stands for, and says what is left of it", () => {
    const list = tokens(["Hi", "<a>", "<b>", "<c>", "<d>", " you", " ok"], 6, {
      1: "special",
      2: "special",
      3: "special",
      4: "special",
    });
    const { el, store } = view(about(list, 6, [[1, 1, 2, 0, 0, 4]]));
    const chip = el.querySelector<HTMLElement>(".sw-chip") as HTMLElement;
    const seen = () => [
      chip.classList.contains("sw-hidden"),
      chip.classList.contains("sw-blind"),
      chip.style.backgroundColor !== "",
    ];
    store.hide({ start: 0, end: 2 }); // a turn, and where the template begins
    expect([chip.textContent, ...seen()]).toEqual(["template · 4 tokens · 33 %", false, false, true]);
    store.hide({ start: 2, end: 5 });
    expect([chip.textContent, ...seen()]).toEqual(["template · 4 tokens", true, true, false]);
  });
  it("has the colour of its strongest token, though together they hold more than any other", () => {
    const special = Object.fromEntries([1, 2, 3, 4].map((i) => [i, "special" as const]));
    const list = tokens(["Hi", "<a>", "<b>", "<c>", "<d>", " as", " you", " ok"], 7, special);
    const { el, box } = view(about(list, 7, [[1, 1, 2, 2, 1, 2, 4]]));
    const chip = el.querySelector<HTMLElement>(".sw-chip") as HTMLElement;
    expect(chip.textContent).toBe("template · 4 tokens · 46 %");
    expect(chip.style.backgroundColor).toBe(box(5).style.backgroundColor); // 2 of at most 4
    expect(chip.style.backgroundColor).not.toBe(box(6).style.backgroundColor);
  });
  it("of a system message that the template wrote by itself stands under its name", () => {
    const special = Object.fromEntries([0, 1, 2, 3, 4, 5, 6].map((i) => [i, "special" as const]));
    const list = tokens(["<s>", "system", "Be", " nice", "</s>", "<s>", "user", "Hi", " ok"], 8, special);
    const segments: WireSegment[] = [
      { kind: "system", name: "system", start: 0, end: 5 },
      { kind: "user", name: "user", start: 5, end: 9 },
    ];
    const { el, store } = view(about(list, 8, [[1, 1, 1, 1, 1, 1, 1, 1]], { segments }));
    expect(texts(el, ".sw-turn, .sw-chip")).toEqual([
      "system",
      "template · 5 tokens · 63 %",
      "user",
      "template · 2 tokens · 25 %",
    ]);
    button(el, "Leave out of the shares: system").click();
    expect(store.hidden.value).toEqual([{ start: 0, end: 5 }]);
  });
});

describe("words, sentences and segments", () => {
  it("end for the eye at the target, which cannot see how they go on", () => {
    const list = tokens(["Why", "?", " It", " is", " so", "."], 2).map((each, i) => ({
      ...each,
      sentence: i < 2 ? 0 : 1,
    }));
    const { el, box, store } = view(
      about(list, 2, [
        [1, 2, Number.NaN, Number.NaN, Number.NaN],
        [1, 1, 2, Number.NaN, Number.NaN],
      ]),
    );
    store.readBy("sentence");
    store.pin(1);
    expect([0, 2, 4].map((i) => box(i).style.backgroundColor !== "")).toEqual([true, true, false]);
    expect(classed(el, "sw-blind")).toEqual([4, 5]);
  });
  it("are drawn as one, and lit as one under the mouse", () => {
    const { el, box, store } = view(words());
    store.pin(0); // a part of a word, which would be whole
    over(box(1));
    expect([classed(el, "sw-hovered"), classed(el, "sw-merges-next")]).toEqual([[1], []]);
    store.readBy("sentence");
    expect([classed(el, "sw-hovered"), classed(el, "sw-merges-next"), classed(el, "sw-merges-previous")]).toEqual([
      [0, 1, 2],
      [0, 1, 3, 6],
      [1, 2, 4, 7], // 5 is the target: it has a ring of its own
    ]);
    expect(box(1).textContent).toBe("real "); // the space is in the box, so no gap is left between their backgrounds
    expect(box(0).style.backgroundColor).toBe(box(2).style.backgroundColor);
    over(box(6)); // written tokens are targets one by one
    expect(classed(el, "sw-hovered")).toEqual([6]);
    store.readBy("token");
    expect([classed(el, "sw-merges-next"), box(1).textContent, box(1).nextSibling?.textContent]).toEqual([
      [],
      "real",
      " ",
    ]);
  });
  it("and several targets are one box, as is what is left out, with an edge where another begins", () => {
    const { el, store } = view();
    store.pin(0, 2);
    expect([classed(el, "sw-merges-next"), classed(el, "sw-merges-previous")]).toEqual([[5], [6]]);
    store.hide({ start: 1, end: 4 });
    expect([classed(el, "sw-merges-next"), classed(el, "sw-merges-previous")]).toEqual([
      [1, 2, 5],
      [2, 3, 6],
    ]);
    store.readBy("sentence"); // all are of one, but no box has two looks
    expect(classed(el, "sw-merges-next")).toEqual([1, 2, 5]);
    store.unhide();
    expect(classed(el, "sw-merges-next")).toEqual([0, 1, 2, 3, 5]);
  });
  it("open at a double click or the key o, from sentences to words to tokens", () => {
    const { box, store } = view(words());
    store.readBy("sentence");
    const starts = () => store.units.value.spans.map(({ start }) => start).filter((start) => start < 5);
    expect(starts()).toEqual([0, 3]);
    box(1).dispatchEvent(new MouseEvent("dblclick", { bubbles: true }));
    expect(starts()).toEqual([0, 2, 3]);
    click(box(1));
    press(box(1), "o");
    expect(starts()).toEqual([0, 1, 2, 3]);
  });
});

describe("inputs by key", () => {
  it("are reached from the target, the most important first, walked, and left again", () => {
    const { el, box, store } = view();
    box(5).focus();
    for (const key of ["ArrowUp", "i"]) {
      press(box(5), key);
      expect(document.activeElement).toBe(box(4));
      expect(["role", "tabindex", "aria-pressed", "aria-label"].map((name) => box(4).getAttribute(name))).toEqual([
        "button",
        "-1",
        "false",
        "George",
      ]);
      expect(el.querySelector(`#${box(4).getAttribute("aria-describedby")}`)?.textContent).toContain("share .400");
      press(box(4), "Escape");
      expect(document.activeElement).toBe(box(5));
    }
    expect(box(4).hasAttribute("role")).toBe(false);
    press(box(5), "i");
    press(box(4), "ArrowLeft");
    expect([document.activeElement, store.hoverRow.value]).toEqual([box(3), 3]);
    press(box(3), "ArrowRight");
    press(box(4), "ArrowRight"); // there is none
    expect(document.activeElement).toBe(box(4));
    press(box(4), "ArrowDown");
    expect([document.activeElement, store.hoverRow.value]).toEqual([box(5), null]);
  });
  it("keep the column that is previewed on show", () => {
    const { box, store } = view();
    box(7).focus();
    press(box(7), "i");
    expect([document.activeElement, store.shown.value?.col]).toEqual([box(4), 2]);
  });
  it("turn the question round, grow with Shift, are left out and struck out, and one Esc at a time leads back", () => {
    const { box, store, model } = view();
    box(5).focus();
    press(box(5), "i");
    press(box(4), "Enter");
    expect([store.inputs.value, store.look.value.turned, box(4).getAttribute("aria-pressed")]).toEqual([
      { start: 4, end: 5 },
      true,
      "true",
    ]);
    press(box(4), "ArrowLeft", { shiftKey: true });
    press(box(3), "ArrowLeft", { shiftKey: true });
    expect([store.inputs.value, document.activeElement]).toEqual([{ start: 2, end: 5 }, box(2)]);
    press(box(2), "ArrowRight", { shiftKey: true });
    expect(store.inputs.value).toEqual({ start: 3, end: 5 });
    press(box(3), "s");
    expect(model.sent.at(-1)).toMatchObject({ type: "try", rows: [3, 4] });
    press(box(3), "h");
    expect(store.hidden.value).toEqual([{ start: 3, end: 5 }]);
    press(box(3), "h");
    expect(store.hidden.value).toEqual([]);
    press(box(3), "Escape");
    expect([store.inputs.value, document.activeElement]).toEqual([null, box(3)]);
    press(box(3), "Escape");
    expect(document.activeElement).toBe(box(5));
  });
  it("are told to screen readers", () => {
    const { el, box } = view();
    click(box(4));
    vi.advanceTimersByTime(1000);
    expect(texts(el, ".sw-layer > [aria-live=polite]")).toContain("Input George feeds: Washington .400, . .167.");
  });
  it("of a class stand in the text, and its keys lead there and back", () => {
    const list = tokens(["a", " b", "NO", "YES"], 2, { 2: "class", 3: "class" });
    const { el, box } = view(about(list, 2, [[1, 3]]));
    const first = el.querySelector<HTMLElement>(".sw-class") as HTMLElement;
    first.focus();
    press(first, "ArrowUp");
    expect(document.activeElement).toBe(box(1));
    press(box(1), "Escape");
    expect(document.activeElement).toBe(first);
  });
});

describe("a segment and its label", () => {
  it("goes with its segment, though no token changed", () => {
    const { el, model } = view(chat());
    expect(texts(el, ".sw-turn")).toHaveLength(3);
    model.hear({ type: "tokens", doc: 1, start: 7, tokens: [], segments: SEGMENTS.slice(0, 2) });
    expect(texts(el, ".sw-turn")).toEqual(["system", "user"]);
  });
  it("hides of a turn that was begun what was read of it", () => {
    const list = tokens(["Be", " kind", "Hi", " you", "Oh", " hi", "!"], 5);
    const { el, store } = view(about(list, 5, [[1, 2, 3, 4, 5, Number.NaN]], { segments: SEGMENTS }));
    [...el.querySelectorAll<HTMLElement>(".sw-eye")].at(-1)?.click();
    expect(store.hidden.value).toEqual([{ start: 4, end: 5 }]);
  });
});

describe("Shift and the arrows", () => {
  it("begin anew where the reader has gone without Shift", () => {
    const { box, store } = view();
    box(5).focus();
    const go = (key: string, shiftKey = false) => press(document.activeElement as Element, key, { shiftKey });
    go("ArrowRight", true);
    expect(store.pinnedCols.value).toEqual({ start: 0, end: 2 });
    go("ArrowRight");
    go("ArrowLeft", true);
    expect(store.pinnedCols.value).toEqual({ start: 1, end: 3 });
  });
  it("only what is chosen is said to be pressed", () => {
    const { box, store } = view();
    store.turn({ start: 3, end: 4 });
    focusToken(box(3), store.tokens.value[3]);
    expect(box(3).getAttribute("aria-pressed")).toBe("true");
    press(box(3), "ArrowRight");
    expect([document.activeElement, box(4).getAttribute("aria-pressed")]).toEqual([box(4), "false"]);
  });
});
