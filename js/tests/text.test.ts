/** What a person does with the text: choose several, turn the question round, hide, open, search. By mouse and by key. */

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import type { WireSegment, WireToken } from "../src/protocol";
import { hitsOf, textOf } from "../src/views/search";
import { about, conversation, FIRST, mounted, over, press, type Said, TEXT, texts, token, tokens } from "./help";

const NAN = Number.NaN;
let world: ReturnType<typeof mounted>;
beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
afterEach(() => {
  world.life.abort();
  vi.useRealTimers();
});
const view = (messages?: readonly Said[]) => {
  world = mounted(messages);
  return world;
};

const mouse = (type: string, box: Element, more: PointerEventInit = {}) => {
  const event = new PointerEvent(type, { bubbles: true, composed: true, cancelable: true, buttons: 1, ...more });
  box.dispatchEvent(event);
  return event;
};
const click = (box: Element, more: MouseEventInit = {}) =>
  box.dispatchEvent(new MouseEvent("click", { bubbles: true, composed: true, ...more }));
/** Pressed on the first box, drawn over the others, let go over the last: as browsers tell it, a click at the end included. */
function drag(boxes: Element[], more: PointerEventInit = {}): void {
  const [first, last] = [boxes[0] as Element, boxes.at(-1) as Element];
  mouse("pointerdown", first, more);
  for (const box of boxes.slice(1)) mouse("pointermove", box, more);
  mouse("pointerup", last, { ...more, buttons: 0 });
  click(last.parentElement as Element, more);
}
const pressedBoxes = (el: Element) =>
  [...el.querySelectorAll<HTMLElement>(".sw-t[aria-pressed=true]")].map((box) => Number(box.dataset.i));
const classed = (el: Element, name: string) =>
  [...el.querySelectorAll<HTMLElement>(`.sw-t.${name}`)].map((box) => Number(box.dataset.i));
const bar = (el: Element) => el.querySelector<HTMLElement>(".sw-actions") as HTMLElement;
const said = (el: Element) => bar(el).textContent?.replace(/\s+/g, " ").trim();
function button(el: Element, name: string): HTMLElement {
  const found = [...el.querySelectorAll<HTMLElement>("button")].find(
    (each) => (each.getAttribute("aria-label") ?? each.textContent) === name,
  );
  if (found === undefined) throw new Error(`no button ${name}`);
  return found;
}

/** "un|real news." in two sentences of two words, and what was written, "O|K". */
const WORDS: WireToken[] = [
  token("Un", { word: 0 }),
  token("real", { word: 0 }),
  token(" news", { word: 1 }),
  token(" No", { word: 2, sentence: 1 }),
  token("pe", { word: 2, sentence: 1 }),
  token(" O", { word: 3, sentence: 2, segment: 1, role: "generated" }),
  token("K", { word: 3, sentence: 2, segment: 1, role: "generated" }),
  token(" bye", { word: 4, sentence: 2, segment: 1, role: "generated" }),
];
const words = () =>
  about(WORDS, 5, [
    [1, 2, 3, 0, 4, NAN, NAN],
    [1, 1, 1, 1, 1, 5, NAN],
    [2, 2, 2, 2, 2, 0, 0],
  ]);

/** Two turns that were read, one that is written after a template. */
const SEGMENTS: WireSegment[] = [
  { kind: "system", name: "system", start: 0, end: 2 },
  { kind: "user", name: "user", start: 2, end: 4 },
  { kind: "assistant", name: "assistant", start: 4, end: 7 },
];
const chat = () =>
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

describe("several targets", () => {
  it("are pinned from one to where Shift is held at the click", () => {
    const { el, box, store, model } = view();
    click(box(5));
    click(box(7), { shiftKey: true });
    expect([store.pinnedCols.value, model.trait, model.extent]).toEqual([{ start: 0, end: 3 }, 0, 3]);
    expect([pressedBoxes(el), classed(el, "sw-pinned")]).toEqual([
      [5, 6, 7],
      [5, 6, 7],
    ]);
    click(box(6));
    expect([store.pinnedCols.value, pressedBoxes(el)]).toEqual([{ start: 1, end: 2 }, [6]]);
  });
  it("are pinned by dragging over them, in either direction, and seen while dragging; the traits hear of the end alone", () => {
    const { box, store, model } = view();
    mouse("pointerdown", box(7));
    mouse("pointermove", box(6));
    expect([store.shown.value?.cols, store.selection.value]).toEqual([{ start: 1, end: 3 }, null]);
    mouse("pointermove", box(5));
    expect([store.shown.value?.cols, model.saved]).toEqual([{ start: 0, end: 3 }, 0]);
    mouse("pointerup", box(5), { buttons: 0 });
    click(box(5).parentElement as Element);
    expect([store.pinnedCols.value, store.dragged.value, model.saved]).toEqual([{ start: 0, end: 3 }, null, 1]);
  });
  it("are whole words where words are read: a click anywhere in one pins it, a second lets it go", () => {
    const { el, box, store } = view(words());
    store.readBy("word");
    click(box(6));
    expect([store.pinnedCols.value, pressedBoxes(el)]).toEqual([{ start: 0, end: 2 }, [5, 6]]);
    click(box(5));
    expect(store.pinned.value).toBeNull();
    drag([box(7), box(6)]);
    expect(store.pinnedCols.value).toEqual({ start: 0, end: 3 });
    expect([5, 6, 7].map((i) => box(i).tabIndex)).toEqual([0, -1, -1]);
    press(box(5), "ArrowRight");
    expect([document.activeElement, store.shown.value?.cols]).toEqual([box(7), { start: 2, end: 3 }]);
  });
  it("grow and shrink with Shift and the arrows from where Shift was pressed", () => {
    const { box, store } = view();
    box(6).focus();
    press(box(6), "ArrowRight", { shiftKey: true });
    expect([store.pinnedCols.value, document.activeElement]).toEqual([{ start: 1, end: 3 }, box(7)]);
    press(box(7), "ArrowLeft", { shiftKey: true });
    press(box(6), "ArrowLeft", { shiftKey: true });
    expect([store.pinnedCols.value, store.shown.value?.cols]).toEqual([
      { start: 0, end: 2 },
      { start: 0, end: 2 },
    ]);
  });
});

describe("a press of the mouse", () => {
  it("stays a click where the mouse stays on its token", () => {
    const { box, store } = view();
    mouse("pointerdown", box(6));
    mouse("pointermove", box(6));
    mouse("pointerup", box(6), { buttons: 0 });
    click(box(6));
    expect(store.pinnedCols.value).toEqual({ start: 1, end: 2 });
  });
  it("selects tokens, not text; with Ctrl or Alt, or between two tokens, it is the browser's, and a finger scrolls", () => {
    const { box, store } = view();
    const selects = (from: Element, more: PointerEventInit = {}) => {
      mouse("pointerdown", from, more);
      const start = new Event("selectstart", { bubbles: true, cancelable: true });
      from.dispatchEvent(start);
      mouse("pointermove", box(7), more);
      const chosen = store.dragged.value !== null;
      mouse("pointerup", box(7), { ...more, buttons: 0 });
      store.pinned.value !== null && store.pin(store.pinned.value, store.extent.value);
      return [!start.defaultPrevented, chosen];
    };
    expect(selects(box(5))).toEqual([false, true]);
    expect(selects(box(5), { ctrlKey: true })).toEqual([true, false]);
    expect(selects(box(5), { altKey: true })).toEqual([true, false]);
    expect(selects(box(5).parentElement as Element)).toEqual([true, false]);
    expect(selects(box(5), { pointerType: "touch" })[1]).toBe(false);
  });
  it("that the browser takes away changes nothing", () => {
    const { box, store } = view();
    click(box(1));
    mouse("pointerdown", box(3));
    mouse("pointermove", box(4));
    expect(store.inputs.value).toEqual({ start: 3, end: 5 });
    mouse("pointercancel", box(4));
    expect(store.inputs.value).toEqual({ start: 1, end: 2 });
    mouse("pointerdown", box(5));
    mouse("pointermove", box(6));
    mouse("pointercancel", box(6));
    expect([store.dragged.value, store.pinned.value]).toEqual([null, null]);
  });
  it("that was let go outside is not taken up again", () => {
    const { box, store } = view();
    mouse("pointerdown", box(5));
    mouse("pointermove", box(6), { buttons: 0 });
    expect(store.dragged.value).toBeNull();
  });
});

describe("the question turned round", () => {
  const colours = () => [5, 6, 7].map((i) => world.box(i).style.backgroundColor !== "");
  it("by a click on an input colours the targets that it feeds; a second click or Esc turns it back", () => {
    const { el, box, store } = view();
    over(box(4));
    click(box(4));
    expect([store.inputs.value, store.look.value.turned, colours()]).toEqual([
      { start: 4, end: 5 },
      true,
      [true, true, true],
    ]);
    expect(classed(el, "sw-target")).toEqual([4]);
    expect([document.activeElement, box(4).getAttribute("aria-pressed")]).toEqual([box(4), "true"]);
    expect(box(0).style.backgroundColor).toBe("");
    click(box(4));
    expect([store.inputs.value, box(4).getAttribute("aria-pressed")]).toEqual([null, "false"]);
    click(box(3));
    press(document.activeElement as Element, "Escape");
    expect(store.inputs.value).toBeNull();
  });
  it("previews a target under the mouse as always", () => {
    const { el, box, store } = view();
    click(box(4));
    over(box(6));
    expect([store.look.value.turned, classed(el, "sw-target")]).toEqual([false, [6]]);
    mouse("pointerleave", el.querySelector(".sw-text") as Element);
    expect(store.look.value.turned).toBe(true);
  });
  it("takes several inputs, by dragging and by Shift, in whole units", () => {
    const { box, store } = view(words());
    drag([box(0), box(1), box(2)]);
    expect(store.inputs.value).toEqual({ start: 0, end: 3 });
    store.readBy("word");
    click(box(2));
    click(box(4), { shiftKey: true });
    expect(store.inputs.value).toEqual({ start: 2, end: 5 });
    drag([box(4), box(1)]);
    expect(store.inputs.value).toEqual({ start: 0, end: 5 });
    mouse("pointerdown", box(4));
    mouse("pointermove", box(6)); // from what was read into what was written
    expect(store.inputs.value).toEqual({ start: 0, end: 5 });
  });
  it("asks of a written token what it gave to later ones: by Alt and a click, or by key", () => {
    const { box, store } = view();
    over(box(5));
    click(box(5), { altKey: true });
    expect([store.inputs.value, store.look.value.turned, store.pinned.value]).toEqual([
      { start: 5, end: 6 },
      true,
      null,
    ]);
    box(6).focus();
    press(box(6), "t");
    expect([store.inputs.value, store.look.value.turned]).toEqual([{ start: 6, end: 7 }, true]);
    press(box(6), "Escape");
    expect(store.inputs.value).toBeNull();
  });
  it("colours the classes of a classifier, which cannot be inputs themselves", () => {
    const list = tokens(["a", " b", "NO", "YES"], 2, { 2: "class", 3: "class" });
    const { el, store } = view(
      about(list, 2, [
        [1, 3],
        [2, 2],
      ]),
    );
    const classBoxes = [...el.querySelectorAll<HTMLElement>(".sw-class")];
    click(el.querySelector('.sw-t[data-i="0"]') as Element);
    expect(classBoxes.every(({ style }) => style.backgroundColor !== "")).toBe(true);
    click(classBoxes[0] as Element, { altKey: true });
    expect([store.inputs.value, store.pinned.value]).toEqual([null, 0]);
    drag(classBoxes);
    expect([store.pinnedCols.value, store.dragged.value]).toEqual([{ start: 0, end: 1 }, null]);
    expect(classBoxes.every(({ style }) => style.backgroundColor === "")).toBe(true);
  });
});

describe("the line below the text", () => {
  it("names the targets that the chosen inputs feed, and what can be done; it is there for nothing else", () => {
    const { el, box, store, model } = view();
    expect(bar(el).hidden).toBe(true);
    drag([box(4), box(3)]);
    expect(said(el)).toBe("“was George” feeds Washington .400. .333 Hide Strike out Back");
    button(bar(el), "Strike out").click();
    expect(model.sent.at(-1)).toEqual({ type: "try", rows: [3, 4] });
    button(bar(el), "Back").focus();
    button(bar(el), "Back").click();
    expect([bar(el).hidden, store.inputs.value]).toEqual([true, null]);
    expect(document.activeElement).toBe(box(5));
  });
  it("says so where nothing is fed", () => {
    const { el, box } = view(conversation(TEXT, FIRST, []));
    click(box(0));
    expect(said(el)).toContain("feeds nothing that is known");
  });
  it("hides the chosen and shows them again, and says how much is hidden until all is shown", () => {
    const { el, box, store } = view();
    click(box(4));
    button(bar(el), "Hide").click();
    expect([said(el), classed(el, "sw-off")]).toEqual(["“George” is hidden Show Strike out Back", [4]]);
    button(bar(el), "Back").click();
    expect(said(el)).toBe("hidden: 1 token, 40 % of this column; the rest is shared out anew Show all");
    button(bar(el), "Show all").click();
    expect([bar(el).hidden, store.hidden.value, classed(el, "sw-off")]).toEqual([true, [], []]);
  });
  it("opens a unit that has parts", () => {
    const { el, box, store } = view(words());
    store.readBy("word");
    click(box(2));
    expect(texts(bar(el), "button")).not.toContain("Open");
    click(box(0));
    button(bar(el), "Open").click();
    expect(store.units.value.spans.slice(0, 3)).toEqual([
      { start: 0, end: 1 },
      { start: 1, end: 2 },
      { start: 2, end: 3 },
    ]);
  });
});

describe("the label over a turn", () => {
  it("has a button that hides what was read of it; not over what the model writes", () => {
    const { el, box, store } = view(chat());
    const names = () => [...el.querySelectorAll(".sw-eye")].map((eye) => eye.getAttribute("aria-label"));
    expect(names()).toEqual(["Hide system", "Hide user"]);
    button(el, "Hide system").click();
    expect([names(), store.hidden.value]).toEqual([["Show system", "Hide user"], [{ start: 0, end: 2 }]]);
    expect([classed(el, "sw-off"), box(0).style.backgroundColor]).toEqual([[0, 1], ""]);
    // What comes after the target is out of sight for it, which is not to be hidden.
    expect([box(5).classList.contains("sw-off"), box(6).classList.contains("sw-blind")]).toEqual([false, true]);
    button(el, "Show system").click();
    expect([names(), classed(el, "sw-off")]).toEqual([["Hide system", "Hide user"], []]);
  });
  it("has its button named also where the text comes after the page", () => {
    const { el, model } = view([]);
    for (const [message, scores] of chat()) model.hear(message, scores);
    button(el, "Hide user").click();
    expect(texts(el, ".sw-turn")).toEqual(["system", "user", "assistant"]);
    expect(button(el, "Show user").classList.contains("sw-shut")).toBe(true);
  });
  it("is one stretch with what was hidden of it before", () => {
    const { el, store } = view(chat());
    store.hide({ start: 1, end: 3 });
    button(el, "Hide system").click();
    expect(store.hidden.value).toEqual([{ start: 0, end: 3 }]);
  });
});

describe("words, sentences and segments", () => {
  it("are drawn as one, and lit as one under the mouse", () => {
    const { el, box, store } = view(words());
    over(box(1));
    expect([classed(el, "sw-hot"), classed(el, "sw-on")]).toEqual([[1], []]);
    store.readBy("sentence");
    expect([classed(el, "sw-hot"), classed(el, "sw-on"), classed(el, "sw-in")]).toEqual([
      [0, 1, 2],
      [0, 1, 3, 5, 6],
      [1, 2, 4, 6, 7],
    ]);
    expect(box(0).style.backgroundColor).toBe(box(2).style.backgroundColor);
    over(box(6)); // written tokens are targets one by one
    expect(classed(el, "sw-hot")).toEqual([6]);
    store.readBy("token");
    expect(classed(el, "sw-on")).toEqual([]);
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
  it("turn the question round, grow with Shift, are hidden and struck out, and one Esc at a time leads back", () => {
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
    expect(model.sent.at(-1)).toEqual({ type: "try", rows: [3, 4] });
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

describe("the search", () => {
  const many = [
    ...Array.from({ length: 240 }, (_, i) => (i % 60 === 7 ? " Uni" : i % 60 === 8 ? "ted" : ` w${i}`)),
    " x",
  ];
  const long = () => conversation(many, 240, [many.slice(1).map((_, row) => row)]);
  const field = (el: Element) => el.querySelector<HTMLInputElement>(".sw-field") as HTMLInputElement;
  function find(el: Element, query: string): void {
    field(el).value = query;
    field(el).dispatchEvent(new Event("input"));
  }
  const counted = (el: Element) => el.querySelector(".sw-search [role=status]")?.textContent;

  it("is there for long texts alone", () => {
    const { el, box } = view();
    expect(el.querySelector<HTMLElement>(".sw-search")?.hidden).toBe(true);
    press(box(5), "/");
    expect(field(el).hidden).toBe(true);
  });
  it("opens with a key or its button, finds across tokens whatever the case, and goes from hit to hit", () => {
    const { el, box } = view(long());
    press(box(240), "/");
    expect(document.activeElement).toBe(field(el));
    find(el, "UNITED");
    expect([counted(el), classed(el, "sw-found"), classed(el, "sw-here")]).toEqual([
      "1 of 4",
      [7, 8, 67, 68, 127, 128, 187, 188],
      [7, 8],
    ]);
    for (const [key, more, at] of [
      ["Enter", {}, 67],
      ["ArrowDown", {}, 127],
      ["Enter", { shiftKey: true }, 67],
      ["ArrowUp", {}, 7],
      ["ArrowUp", {}, 187],
    ] as const) {
      press(field(el), key, more);
      expect(classed(el, "sw-here")).toEqual([at, at + 1]);
    }
    find(el, "nowhere");
    expect([counted(el), classed(el, "sw-found")]).toEqual(["not found", []]);
  });
  it("closes with Esc, takes its marks with it, and leaves the reader at the hit", () => {
    const { el, box } = view(long());
    button(el, "Find in the text").click();
    find(el, "w12");
    press(field(el), "Escape");
    expect([field(el).hidden, classed(el, "sw-found"), counted(el)]).toEqual([true, [], ""]);
    expect([document.activeElement, box(12).getAttribute("role")]).toEqual([box(12), "button"]);
  });
  it("knows for each hit its tokens, in any text", () => {
    const { store } = view(conversation([" Straße", "İst", "an", "bul", "\n", " 我", "們 ", "aaa", "!"], 8, []));
    const text = textOf(store.pieces.value);
    expect(hitsOf(text, "STRASSE")).toEqual([]);
    expect(hitsOf(text, "straße")).toEqual([{ start: 0, end: 1 }]);
    expect(hitsOf(text, " İSTANBUL")).toEqual([]);
    expect(hitsOf(text, "İSTANBUL")).toEqual([{ start: 1, end: 4 }]);
    expect(hitsOf(text, "我們")).toEqual([{ start: 5, end: 7 }]);
    expect(hitsOf(text, "a").at(-1)).toEqual({ start: 7, end: 8 });
    expect(hitsOf(text, "a").length).toBe(5);
    expect([hitsOf(text, ""), hitsOf(text, "  ")]).toEqual([[], []]);
  });
  it("of 10,000 tokens is quick", () => {
    const { store } = view(
      conversation(
        Array.from({ length: 10_000 }, (_, i) => ` word${i % 97}`),
        9_999,
        [],
      ),
    );
    const start = performance.now();
    expect(hitsOf(textOf(store.pieces.value), "word1").length).toBeGreaterThan(1000);
    expect(performance.now() - start).toBeLessThan(200);
  });
});

describe("an enormous token", () => {
  const huge = `<script>alert(1)</script>\u0000\ud800${"x".repeat(99_973)}`;
  it("is drawn in its beginning, with how much is left out; its names stay short", () => {
    const { el, box } = view(conversation([huge, huge], 1, [[1]]));
    expect(box(0).textContent).toContain("… 99,000 more characters");
    expect(box(0).textContent?.length).toBeLessThan(1100);
    over(box(0));
    for (const text of [
      el.querySelector("[role=tooltip]")?.textContent,
      box(1).getAttribute("aria-label"),
      el.querySelector(".sw-target-name")?.textContent,
    ])
      expect(text?.length).toBeLessThan(300);
    click(box(0));
    expect(said(el)?.length).toBeLessThan(500);
    expect(el.querySelectorAll("script")).toHaveLength(0);
    expect(texts(el, ".sw-t .sw-sign").slice(0, 2)).toEqual(["NULU+D800", "… 99,000 more characters"]);
  });
});

it("a hover touches no more boxes than are lit and were lit", () => {
  const list = Array.from({ length: 300 }, (_, i) => token(` w${i}`, { word: i, sentence: i >> 2 }));
  const { el, store } = view(about([...list, token(" x", { role: "generated" })], 300, [list.map((_, i) => i + 1)]));
  store.readBy("sentence");
  over(world.box(0));
  const touched = new Set<Node>();
  const observer = new MutationObserver((records) => {
    for (const { target } of records) touched.add(target);
  });
  observer.observe(el.querySelector(".sw-text") as Element, { attributes: true, subtree: true, childList: true });
  over(world.box(9));
  for (const { target } of observer.takeRecords()) touched.add(target);
  observer.disconnect();
  const boxes = [...touched].flatMap((node) => (node as HTMLElement).dataset.i ?? []);
  expect(boxes.map(Number).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 8, 9, 10, 11]);
});
