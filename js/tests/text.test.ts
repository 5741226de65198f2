/** What a person does with the text by mouse: choose several, turn the question round, hide. */

import { describe, expect, it, vi } from "vitest";
import { bar, button, classed, click, drag, mouse, pressedBoxes, said, words } from "./gestures";
import { about, conversation, FIRST, over, press, TEXT, texts, token, tokens, viewing } from "./help";

const NAN = Number.NaN;
const view = viewing();
const tip = (el: Element) => el.querySelector<HTMLElement>("[role=tooltip]");

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
  it("stay on show once they are made, until the mouse has been elsewhere", () => {
    const { el, box, store } = view();
    const shown = () => store.shown.value?.cols;
    const made = { start: 0, end: 2 };
    drag([box(5), box(6)]);
    over(box(6));
    expect([shown(), store.hoverRow.value, tip(el)?.hidden]).toEqual([made, 6, false]);
    over(box(5));
    expect(shown()).toEqual(made);
    over(box(0));
    over(box(5));
    expect(shown()).toEqual({ start: 0, end: 1 });
    over(box(7));
    click(box(7), { shiftKey: true });
    expect(shown()).toEqual({ start: 0, end: 3 });
    el.querySelector(".sw-text")?.dispatchEvent(new PointerEvent("pointerleave"));
    over(box(7));
    expect(shown()).toEqual({ start: 2, end: 3 });
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
  const colours = ({ box }: ReturnType<typeof view>) => [5, 6, 7].map((i) => box(i).style.backgroundColor !== "");
  it("by a click on an input colours the targets that it feeds; a second click or Esc turns it back", () => {
    const shown = view();
    const { el, box, store } = shown;
    over(box(4));
    click(box(4));
    expect([store.inputs.value, store.look.value.turned, colours(shown)]).toEqual([
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
    click(el.querySelector('.sw-token[data-position="0"]') as Element);
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
    expect(said(el)).toBe("“was George” feeds Washington .400. .333 Leave out of the shares Strike out Back");
    button(bar(el), "Strike out").click();
    expect(model.sent.at(-1)).toMatchObject({ type: "try", rows: [3, 4] });
    button(bar(el), "Back").focus();
    button(bar(el), "Back").click();
    expect([bar(el).hidden, store.inputs.value]).toEqual([true, null]);
    expect(document.activeElement).toBe(box(5));
  });
  it("leads back to all targets that are pinned as one, and the focus to the first", () => {
    const { el, box, store } = view();
    store.pin(0, 3);
    click(box(2));
    button(bar(el), "Back").focus();
    button(bar(el), "Back").click();
    expect(document.activeElement).toBe(box(5));
    expect([store.shown.value?.cols, tip(el)?.hidden]).toEqual([{ start: 0, end: 3 }, true]);
  });
  it("says so where nothing is fed", () => {
    const { el, box } = view(conversation(TEXT, FIRST, []));
    click(box(0));
    expect(said(el)).toContain("feeds nothing that is known");
  });
  it("leaves the chosen out and counts them again, and says how much is not counted until all is", () => {
    const { el, box, store } = view();
    click(box(4));
    button(bar(el), "Leave out of the shares").click();
    expect([said(el), classed(el, "sw-hidden")]).toEqual(["“George” is not counted Count again Strike out Back", [4]]);
    button(bar(el), "Back").click();
    expect(said(el)).toBe("not counted: 1 token, 40 % of this column; the rest is shared out anew Count all again");
    button(bar(el), "Count all again").click();
    expect([bar(el).hidden, store.hidden.value, classed(el, "sw-hidden")]).toEqual([true, [], []]);
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

it("a hover touches no more boxes than are lit and were lit", () => {
  const list = Array.from({ length: 300 }, (_, i) => token(` w${i}`, { word: i, sentence: i >> 2 }));
  const { el, box, store } = view(
    about([...list, token(" x", { role: "generated" })], 300, [list.map((_, i) => i + 1)]),
  );
  store.readBy("sentence");
  over(box(0));
  const touched = new Set<Node>();
  const observer = new MutationObserver((records) => {
    for (const { target } of records) touched.add(target);
  });
  observer.observe(el.querySelector(".sw-text") as Element, { attributes: true, subtree: true, childList: true });
  over(box(9));
  for (const { target } of observer.takeRecords()) touched.add(target);
  observer.disconnect();
  const boxes = [...touched].flatMap((node) => (node as HTMLElement).dataset.position ?? []);
  expect(boxes.map(Number).sort((a, b) => a - b)).toEqual([0, 1, 2, 3, 8, 9, 10, 11]);
});

describe("what a box shows", () => {
  it("is nothing after the target, also before its column is here", () => {
    const { el } = view(conversation().filter(([message]) => message.type !== "column"));
    expect(classed(el, "sw-blind")).toEqual([6, 7]);
  });
  it("takes the colours of a map with signs, though its place on the ramp stays", () => {
    const { box, model, store } = view();
    const before = box(4).style.backgroundColor;
    const more = { map: "m2", method: "occlusion", aside: true };
    for (const [message, scores] of conversation())
      if (message.type === "map" || message.type === "column") model.hear({ ...message, ...more }, scores);
    expect(box(4).style.backgroundColor).toBe(before);
    store.ask({ method: "occlusion", objective: "probability" }); // it is here, so it is shown at once
    expect(box(4).style.backgroundColor).not.toBe(before);
  });
  it("folds a template that has grown long enough, and says no share of what is part of a larger unit", () => {
    const list = tokens(["<a>", "<b>", "<c>", "<d>", "Hi", " you"], 5, { 0: "special", 1: "special", 2: "special", 3: "special" }); // biome-ignore format: one line
    const { el, model, store } = view(
      about(list, 5, [[1, 1, 1, 1, 4]]).map(([message, scores]) =>
        message.type === "tokens" ? [{ ...message, tokens: list.slice(0, 3) }, scores] : [message, scores],
      ),
    );
    expect(texts(el, ".sw-chip")).toEqual([]);
    model.hear({ type: "tokens", doc: 1, start: 3, tokens: list.slice(3), segments: [] });
    expect(texts(el, ".sw-chip")).toEqual(["template · 4 tokens · 50 %"]);
    store.readBy("sentence");
    expect(texts(el, ".sw-chip")).toEqual(["template · 4 tokens"]);
  });
  it("ends open with its line where its sentence goes on in the next", () => {
    const list = [token("One\n"), token("two", { word: 1 }), token(" x", { word: 2, sentence: 1, role: "generated" })];
    const { el, store } = view(about(list, 2, [[1, 2]]));
    store.readBy("sentence");
    expect([store.units.value.spans.length, classed(el, "sw-merges-next"), classed(el, "sw-merges-previous")]).toEqual([
      2,
      [0],
      [1],
    ]);
  });
});

describe("a drag", () => {
  it("from an input into the targets chooses none of them", () => {
    const { box, store } = view();
    mouse("pointerdown", box(3));
    mouse("pointermove", box(6));
    expect([store.dragged.value, store.inputs.value]).toEqual([null, null]);
  });
  it("over what is pinned already lets nothing go", () => {
    const { box, store } = view();
    drag([box(5), box(6)]);
    drag([box(5), box(6)]);
    expect(store.pinnedCols.value).toEqual({ start: 0, end: 2 });
  });
  it("beyond the edge moves the text on until the mouse is let go, and takes what comes into reach", async () => {
    const { box, store } = view();
    const text = box(0).closest(".sw-text") as HTMLElement;
    vi.spyOn(text, "getBoundingClientRect").mockReturnValue(new DOMRect(0, 0, 300, 100));
    let reached = 1;
    const under = vi.spyOn(document, "elementFromPoint").mockImplementation(() => box(Math.min(reached++, 4)));
    const frame = () => new Promise((done) => requestAnimationFrame(done));
    mouse("pointerdown", box(0), { clientX: 10, clientY: 50 });
    mouse("pointermove", text, { clientX: 10, clientY: 140 });
    expect(store.inputs.value).toEqual({ start: 0, end: 2 });
    expect(under.mock.lastCall).toEqual([10, 94]);
    await frame();
    await frame();
    expect([text.scrollTop, store.inputs.value]).toEqual([16, { start: 0, end: 4 }]);
    mouse("pointerup", text, { clientX: 10, clientY: 140, buttons: 0 });
    await frame();
    expect(text.scrollTop).toBe(16);
  });
});

it("what an input feeds is told by size, whatever the sign", () => {
  const columns = [
    [0.1, 0.2, 0.3, 0.3, 0.1, NAN, NAN],
    [0, 0, 0, 0.2, -0.8, 0, NAN],
    [0.2, 0.2, 0.2, 0.2, 0.2, 0, 0],
  ];
  const { el, box } = view(conversation(TEXT, FIRST, columns));
  click(box(4));
  expect(texts(bar(el), ".sw-input")).toEqual([". −.800", "He .200", "Washington .100"]);
});
