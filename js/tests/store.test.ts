import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { PROTOCOL } from "../src/protocol";
import { rankOf, shareOf, statsOf, topRows } from "../src/scores";
import { createStore } from "../src/store";
import { about, conversation, documentOf, METHOD, mapOf, type Said, started, tokens, type Wire } from "./help";

const column = (...scores: number[]) => Float32Array.from(scores);
const { NaN: NAN, POSITIVE_INFINITY: INF } = Number;

describe("shares and ranks", () => {
  it("divide by the L1 norm of what the target can see", () => {
    const scores = column(1, -2, 1, NAN);
    expect(statsOf(scores)).toEqual({ l1: 4, max: 0.5, visible: 3 });
    expect([0, 1, 2, 3].map((row) => shareOf(scores, row))).toEqual([0.25, -0.5, 0.25, NAN]);
  });
  it("add up to 1 in size, whatever the column", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true, min: -1e6, max: 1e6 }), { minLength: 1 }),
        (numbers) => {
          const scores = column(...numbers);
          fc.pre(statsOf(scores).l1 > 1e-20);
          const sum = numbers.reduce((total, _, row) => total + Math.abs(shareOf(scores, row)), 0);
          expect(sum).toBeCloseTo(1, 6);
        },
      ),
    );
  });
  it("rank by size, equal sizes alike, and no row that cannot be seen", () => {
    const scores = column(0.1, -0.5, 0.5, 0.2, NAN);
    expect([0, 1, 2, 3, 4].map((row) => rankOf(scores, row))).toEqual([4, 1, 1, 3, null]);
  });
  it("agree with sorting, by any other route", () => {
    fc.assert(
      fc.property(
        fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1, maxLength: 40 }),
        (numbers) => {
          const scores = column(...numbers);
          const sizes = Array.from(scores, Math.abs).sort((a, b) => b - a);
          scores.forEach((score, row) => {
            expect(rankOf(scores, row)).toBe(1 + sizes.indexOf(Math.abs(score)));
          });
          const top = topRows(scores, 3).map((row) => Math.abs(scores[row] ?? 0));
          expect(top).toEqual(sizes.filter((size) => size > 0).slice(0, 3));
        },
      ),
    );
  });
  it("of a constant column are all the same", () => {
    const scores = column(3, 3, 3, 3);
    expect([0, 1, 2, 3].map((row) => [shareOf(scores, row), rankOf(scores, row)])).toEqual(Array(4).fill([0.25, 1]));
  });
  it("of one cell are the whole", () => {
    expect([shareOf(column(-7), 0), rankOf(column(-7), 0)]).toEqual([-1, 1]);
  });
  it("do not exist where all scores are ±0, NaN, or one is infinite", () => {
    for (const scores of [column(0, -0, 0), column(NAN, NAN), column(1, INF), column(-INF, INF), column()]) {
      expect(statsOf(scores).max).toBe(0);
      expect(shareOf(scores, 0)).toBeNaN();
    }
  });
  it("give no top row that weighs nothing", () => {
    expect(topRows(column(0, -0, NAN, 2), 3)).toEqual([3]);
    expect(topRows(column(1, 2, 2, 3), 3)).toEqual([3, 1, 2]);
  });
});

describe("the chain from messages to what is shown", () => {
  it("shows the first column until something is pinned or pointed at", () => {
    const { store } = started();
    expect(store.shown.value).toMatchObject({ col: 0, token: 5 });
    store.pin(1);
    expect(store.shown.value?.col).toBe(1);
    store.hoverCol.value = 2;
    expect(store.shown.value?.col).toBe(2);
    store.hoverCol.value = null;
    expect(store.shown.value?.col).toBe(1);
    store.pin(1);
    expect(store.shown.value?.col).toBe(0);
  });
  it("shows the likeliest class until something is chosen, the first of equals, and the first while nothing is known", () => {
    const classes = tokens(["a", "b", "no", "yes", "so"], 2, { 2: "class", 3: "class", 4: "class" });
    const told = (probabilities: number[]) => started(about(classes, 2, [], { probabilities })).store;
    expect(told([0.1, 0.45, 0.45]).shown.value?.col).toBe(1);
    const { store, model } = started(about(classes, 2, []).filter(([message]) => message.type !== "steps"));
    expect([store.kind.value, store.shown.value?.col]).toEqual(["classes", 0]);
    model.hear({ type: "steps", doc: 1, start: 2, steps: [{ probability: 0.2, value: null, alternatives: [] }] });
    expect(store.shown.value?.col).toBe(2);
    store.pin(0);
    expect(store.shown.value?.col).toBe(0);
  });
  it("tells one text from a source and what was written about it", () => {
    const list = tokens(["a", "b", "<s>", "c"], 3, { 0: "source", 1: "source", 2: "special" });
    const sides = [
      { kind: "source" as const, name: "source", start: 0, end: 2 },
      { kind: "target" as const, name: "translation", start: 2, end: 4 },
    ];
    const { store } = started(about(list, 3, [[1, 2, 1]], { segments: sides }));
    expect([store.kind.value, store.targetStart.value, store.specialName.value]).toEqual(["pair", 2, "special"]);
    expect([store.shown.value?.col, store.templateShare.value]).toEqual([0, 0.25]);
    const one = started().store;
    expect([one.kind.value, one.targetStart.value, one.specialName.value]).toEqual(["text", null, "template"]);
  });
  it("takes each column's largest share for its colour domain", () => {
    const { store } = started();
    expect(store.domain.value).toBeCloseTo(0.4, 6);
    store.hoverCol.value = 1;
    expect(store.domain.value).toBeCloseTo(1 / 6, 6);
    expect(store.top.value).toEqual([0, 1, 2]);
  });
  it("ignores a pin beyond the targets", () => {
    const { store } = started();
    store.selection.value = 99;
    expect(store.shown.value?.col).toBe(0);
  });
  it("tells a column that is not here from one of zeros", () => {
    const messages = conversation().filter(([message]) => message.type !== "column" || message.col !== 0);
    const { store } = started(messages);
    expect(store.shown.value).toMatchObject({ col: 0, scores: null });
    expect(store.domain.value).toBe(0);
  });
  it("is not changed by hearing everything twice", () => {
    const { store, model } = started();
    const before = store.shown.value?.scores;
    for (const [message, scores] of conversation()) model.hear(message, scores);
    expect(store.shown.value?.scores).toBe(before);
    expect(store.map.value?.done.value).toBe(3);
    expect(store.tokens.value).toHaveLength(8);
  });
  it("takes a column that comes again in the place of the one before, with its errors, in all that is made of it", () => {
    const { store, model } = started();
    store.pin(0, 2);
    const joint = () => store.shown.value?.scores?.slice(0, 2);
    expect([joint(), store.map.value?.errors[0]]).toEqual([new Float32Array([0.55, 0.6]), null]);
    const better = [0.3, 0.4, 0.3, 0, 0.4, Number.NaN, Number.NaN];
    const errors = better.map((score) => score / 10);
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m1", seq: 4, col: 0, n_rows: 7 }, better, errors);
    expect(joint()).toEqual(new Float32Array([0.65, 0.7]));
    expect([store.map.value?.done.value, store.map.value?.errors[0]]).toEqual([3, new Float32Array(errors)]);
    const { value: map } = store.map;
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m1", seq: 5, col: 0, n_rows: 7 }, better, errors);
    expect(store.map.value).toBe(map);
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m1", seq: 6, col: 0, n_rows: 7 }, better);
    expect(store.map.value?.errors[0]).toBeNull();
  });
  it("goes on to fill a map that begins again, for whoever holds it", () => {
    const { store, model } = started(conversation().filter(([message]) => message.col !== 2));
    const { value: held } = store.map;
    model.hear(mapOf("m1"));
    for (const [message, scores] of conversation().filter(({ 0: { col } }) => col === 2)) model.hear(message, scores);
    expect([held?.done.value, held?.columns.length]).toEqual([3, 3]);
    model.hear(mapOf("m1", { n_cols: 2 }));
    expect([store.map.value?.done.value, store.map.value?.columns.length]).toEqual([2, 2]);
  });
  it("replaces tokens from `start` on", () => {
    const { store, model } = started();
    const [he] = store.tokens.value.slice(-1);
    model.hear({ type: "tokens", doc: 1, start: 6, tokens: [{ ...he, text: "!" }], segments: [] });
    expect(store.tokens.value.map(({ text }) => text).slice(5)).toEqual([" Washington", "!"]);
    expect(store.nTargets.value).toBe(2);
  });
  it("ignores what belongs to another document or map", () => {
    const { store, model } = started();
    const before = [store.tokens.value, store.steps.value, store.map.value];
    model.hear({ type: "tokens", doc: 7, start: 0, tokens: [], segments: [] });
    model.hear({ type: "steps", doc: 7, start: 0, steps: [] });
    model.hear(mapOf("m9", { doc: 7, n_rows: 1, n_cols: 1 }));
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m9", seq: 9, col: 0, n_rows: 1 }, [1]);
    expect([store.tokens.value, store.steps.value, store.map.value]).toEqual(before);
  });
  it("forgets all of a document when another begins, and all of a session when another says hello", () => {
    const { store, model } = started();
    model.hear(documentOf(2, 1));
    expect([store.tokens.value, store.map.value, store.shown.value]).toEqual([[], null, null]);
    expect(store.menu.value).not.toBeNull();
    model.hear({ type: "hello", protocol: PROTOCOL, session: "other", hover: "" });
    expect([store.document.value, store.menu.value]).toEqual([null, null]);
  });
  it("counts the share that template tokens hold", () => {
    const messages = conversation().map(
      ([message, scores]): Said =>
        message.type === "tokens"
          ? [
              { ...message, tokens: (message.tokens as Wire[]).map((t, i) => (i < 2 ? { ...t, role: "special" } : t)) },
              scores,
            ]
          : [message, scores],
    );
    expect(started(messages).store.templateShare.value).toBeCloseTo(0.3, 6);
    expect(started().store.templateShare.value).toBeNull();
  });
  it("keeps a failure until something new is asked or begins", () => {
    const { store, model } = started();
    const failed = { type: "failed", kind: "X", message: "No.", cure: "Yes." };
    const status = { type: "status", what: "", done: 0, total: null, unit: "tokens", seconds_left: null };
    model.hear(failed);
    model.hear({ ...status, phase: "failed" });
    expect(store.failure.value?.message).toBe("No.");
    model.hear({ ...status, phase: "attributing" });
    expect(store.failure.value).toBeNull();
    model.hear(failed);
    store.ask({ method: "attention", objective: "probability" });
    expect(store.failure.value).toBeNull();
  });
});

describe("asking for a map", () => {
  const second: Said[] = [
    [mapOf("m2", { method: "attention", n_cols: 1 })],
    [{ type: "column", floor: null, n_cols: 1, map: "m2", seq: 9, col: 0, n_rows: 7 }, [1, 1, 1, 1, 1, NAN, NAN]],
  ];
  it("shows a whole one at once", () => {
    const { store } = started([...conversation(), ...second]);
    expect(store.map.value?.info.map).toBe("m2");
    store.ask({ method: "saliency", objective: "probability" });
    expect(store.map.value?.info.map).toBe("m1");
    expect(store.asked.value).toBeNull();
  });
  it("takes any objective for a method that does not look at it", () => {
    const { store } = started([...conversation(), ...second]);
    store.ask({ method: "saliency", objective: "probability" });
    store.ask({ method: "attention", objective: "logit" });
    expect(store.map.value?.info.map).toBe("m2");
  });
  it("keeps the old one on show until the new one begins", () => {
    const { store, model } = started();
    store.ask({ method: "occlusion", objective: "probability" });
    expect(store.map.value?.info.map).toBe("m1");
    expect(store.asked.value).toEqual({ method: "occlusion", objective: "probability" });
    model.hear(mapOf("m3", { method: "occlusion" }));
    expect(store.asked.value).toBeNull();
    expect(store.signed.value).toBe(true);
    expect(store.shown.value?.scores).toBeNull();
  });
});

it.each([
  ["an older page", PROTOCOL + 1, "save the notebook, reload the page and run the cell again"],
  ["an older kernel", PROTOCOL - 1, "restart the kernel and run the cell again"],
])("%s than the other side is told, with the cure, and nothing else is believed", (_, protocol, cure) => {
  const store = createStore();
  store.receive({ type: "hello", protocol, session: "s", hover: "" });
  store.receive({ type: "menu", methods: [METHOD], objectives: [] });
  expect(store.notice.value).toContain(`older build of saliency-widget`);
  expect(store.notice.value).toContain(cure);
  expect(store.menu.value).toBeNull();
  store.receive({ type: "hello", protocol: PROTOCOL, session: "s", hover: "" });
  expect(store.notice.value).toBeNull();
});
