/** From columns to what the boxes show, against numbers worked out by hand. */

import { describe, expect, it } from "vitest";
import { STEPS } from "../src/color";
import { shareOf } from "../src/scores";
import { about, FIRST, started, TEXT, token, tokens } from "./help";

const NAN = Number.NaN;

function shares(store: ReturnType<typeof started>["store"]): number[] {
  const scores = store.shown.value?.scores ?? new Float32Array();
  return Array.from(scores, (_, unit) => Number(shareOf(scores, unit).toFixed(4)));
}
const steps = (store: ReturnType<typeof started>["store"]) =>
  store.tokens.value.map((_, i) => store.look.value.step(i));

describe("the targets on show", () => {
  it("are the whole span that is pinned, the mean of its columns or their sum, each other left out", () => {
    const { store } = started();
    store.pin(0, 2); // .1 .2 .3 0 .4 – and 1 1 1 1 1 1
    expect(store.shown.value?.cols).toEqual({ start: 0, end: 2 });
    expect([...(store.shown.value?.scores ?? [])].map((x) => Number(x.toFixed(4)))).toEqual([
      0.55,
      0.6,
      0.65,
      0.5,
      0.7,
      NAN,
      NAN,
    ]);
    store.joint.value = "sum";
    expect(store.shown.value?.scores?.[0]).toBeCloseTo(1.1);
    expect(store.look.value.about).toEqual({ start: FIRST, end: FIRST + 2 });
  });
  it("grow to where shift is pressed, in either direction, and end with the same pin once more", () => {
    const { store, model } = started();
    store.pin(1);
    store.pinTo(2);
    expect([store.selection.value, store.extent.value, model.trait, model.extent]).toEqual([1, 2, 1, 2]);
    store.pinTo(0);
    expect([store.selection.value, store.extent.value]).toEqual([0, 3]);
    store.pin(0, 3);
    expect([store.selection.value, store.extent.value, model.extent]).toEqual([null, 1, 1]);
  });
  it("are a whole word where words are read, whichever of its tokens is under the mouse", () => {
    const list = tokens(["a", "b", " wri", "tten"], 2).map((t, i) => ({ ...t, word: [0, 1, 2, 2][i] ?? 0 }));
    const { store } = started(
      about(list, 2, [
        [1, 3, NAN],
        [2, 2, 4],
      ]),
    );
    store.readBy("word");
    store.hoverCol.value = 1;
    expect(store.shown.value).toMatchObject({ cols: { start: 0, end: 2 }, col: 0, token: 2 });
    expect([...(store.shown.value?.scores ?? [])]).toEqual([1.5, 2.5, NAN]); // what its second token owes to its first is left out
  });
});

describe("several targets", () => {
  it("end where the text does, whatever Python pins", () => {
    const { store } = started();
    store.selection.value = 1;
    store.extent.value = 9;
    expect(store.pinnedCols.value).toEqual({ start: 1, end: 3 });
  });
  it("are joined for each span by itself", () => {
    const list = tokens(["a", "b", "c", "d", "e"], 1);
    const { store } = started(about(list, 1, [[1, NAN, NAN, NAN], [2, 0, NAN, NAN], [4, 0, 0, NAN], [9, 0, 0, 0]])); // biome-ignore format: a table
    store.pin(0, 4);
    expect(store.shown.value?.scores?.[0]).toBe(4);
    store.pin(1, 2); // another span with the same sum of its ends
    expect(store.shown.value?.scores?.[0]).toBe(3);
  });
});

describe("what is hidden", () => {
  it("stays apart from what it touches: each can be shown again by itself", () => {
    const { store } = started();
    store.hide({ start: 1, end: 3 });
    store.hide({ start: 3, end: 5 });
    store.unhide({ start: 3, end: 5 });
    expect([...(store.hiddenRows.value ?? [])]).toEqual([0, 1, 1, 0, 0, 0, 0, 0]);
  });
  it("is no part of what the share of the template is of", () => {
    const { store } = started(about(tokens(TEXT, FIRST, { 0: "special" }), FIRST, [[0.1, 0.2, 0.3, 0, 0.4, NAN, NAN]]));
    expect(store.templateShare.value).toBeCloseTo(0.1);
    store.hide({ start: 4, end: 5 });
    expect(store.templateShare.value).toBeCloseTo(1 / 6);
  });
  it("is forgotten with its text", () => {
    const { store, model } = started();
    store.hide({ start: 1, end: 3 });
    model.hear({ ...(about([], 0, [])[1]?.[0] ?? {}), doc: 2 });
    expect(store.hidden.value).toEqual([]);
  });
  it("does not count: the rest is shared out anew, and what it held is told", () => {
    const { store } = started();
    store.hide({ start: 1, end: 3 });
    expect(shares(store)).toEqual([0.2, NAN, NAN, 0, 0.8, NAN, NAN]);
    expect(store.hiddenShare.value).toBeCloseTo(0.5);
    store.unhide({ start: 2, end: 3 });
    expect([store.hiddenShare.value, shares(store)[1]]).toEqual([null, 0.2]);
  });
});

describe("units", () => {
  it("are never a special token and its neighbour, though these be one word", () => {
    const list = tokens(["<s>", "a", "b", "c"], 3, { 0: "special" }).map((each) => ({ ...each, word: 0 }));
    const { store } = started(about(list, 3, [[1, 1, 2]]));
    store.readBy("word");
    expect(store.units.value.spans).toEqual([
      { start: 0, end: 1 },
      { start: 1, end: 3 },
      { start: 3, end: 4 },
    ]);
  });
  it("pool the rows, and their shares add up to one", () => {
    const list = TEXT.map((text, i) => token(text, { word: i >> 1, role: i < FIRST ? "prompt" : "generated" }));
    const { store } = started(about(list, FIRST, [[0.1, 0.2, 0.3, 0, 0.4, NAN, NAN]]));
    store.readBy("word");
    expect(shares(store)).toEqual([0.3, 0.3, 0.4, NAN, NAN]);
    store.pool.value = "max";
    expect(shares(store).map((x) => Number(x.toFixed(2)))).toEqual([0.22, 0.33, 0.44, NAN, NAN]);
    store.pool.value = "sum";
    store.open(2);
    expect(shares(store)).toEqual([0.3, 0.3, 0, 0.4, NAN, NAN]);
  });
});

describe("the question turned round", () => {
  it("colours the targets by what they owe to the inputs, until a target is under the mouse", () => {
    const { store } = started();
    store.turn({ start: 4, end: 6 }); // .4 of the first column, 2/6 of the second, nothing of the third
    expect(store.look.value).toMatchObject({ about: { start: 4, end: 6 }, turned: true, ready: true });
    expect(store.look.value.max).toBeCloseTo(0.4);
    expect(steps(store)).toEqual([null, null, null, null, null, STEPS, Math.round((STEPS * (1 / 3)) / 0.4), 0]);
    store.hoverCol.value = 1;
    expect(store.look.value).toMatchObject({ about: { start: 6, end: 7 }, turned: false });
    store.hoverCol.value = null;
    store.turn({ start: 4, end: 6 });
    expect(store.look.value.turned).toBe(false);
  });
  it("is about whole units, also of those that are read by later", () => {
    const { store } = started();
    store.turn({ start: 4, end: 5 });
    store.readBy("sentence");
    const whole = store.units.value.spans[store.units.value.of[4] as number];
    expect([store.inputs.value, (whole?.end ?? 0) - (whole?.start ?? 0) > 1]).toEqual([whole, true]);
    store.turn(null);
    store.readBy("token");
    expect(store.inputs.value).toBeNull();
  });
  it("is turned back while targets are dragged over", () => {
    const { store } = started();
    store.turn({ start: 4, end: 5 });
    store.dragged.value = { start: 0, end: 2 };
    expect(store.look.value).toMatchObject({ about: { start: FIRST, end: FIRST + 2 }, turned: false });
  });
});

describe("the measure", () => {
  it("ends at the largest size, also where that is below zero, and nowhere where it is not finite", () => {
    const { store } = started(about(tokens(TEXT, FIRST), FIRST, [[-4, 1, 3, 0, 2, NAN, NAN], [Infinity, 1, 1, 1, 1, 1, NAN]])); // biome-ignore format: a table
    expect(store.look.value.top).toBeCloseTo(0.4);
    expect(steps(store)[0]).toBe(-STEPS);
    store.measure.value = "raw";
    store.pin(1);
    expect(store.look.value.top).toBe(0);
  });
  it("is a share of the column, or the raw score; the colours of one column are the same", () => {
    const { store } = started();
    store.pin(1);
    const before = steps(store);
    expect(store.look.value.top).toBeCloseTo(1 / 6);
    store.measure.value = "raw";
    expect(store.look.value.top).toBe(1);
    expect(steps(store)).toEqual(before);
  });
});
