import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import widget from "../src/index";
import { PROTOCOL } from "../src/protocol";
import { createStore } from "../src/store";
import { connect } from "../src/transport";
import { ANSWER } from "./explaining";
import { about, COLUMNS, conversation, FakeModel, started, tokens } from "./help";

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});
const acks = (model: FakeModel) => model.sent.filter(({ type }) => type === "ack");
const focuses = (model: FakeModel) => model.sent.filter(({ type }) => type === "focus");
const withoutColumns = () => conversation().filter(([message]) => message.type !== "column");

describe("acknowledgements", () => {
  it("name the highest seq, once for all that one task brought", async () => {
    const { model } = started();
    expect(acks(model)).toEqual([]);
    await Promise.resolve();
    expect(acks(model)).toEqual([{ type: "ack", seq: 3 }]);
  });
  it("wait for no timer and no frame, so that a hidden tab does not hold up the kernel", async () => {
    const { model } = started(withoutColumns());
    for (let seq = 1; seq <= 30; seq++) {
      model.hear({ type: "column", floor: null, n_cols: 1, map: "m1", seq, col: 0, n_rows: 7 }, COLUMNS[0]);
      await Promise.resolve();
      const { seq: told } = acks(model).at(-1) as { seq: number };
      expect(seq - told).toBeLessThan(4);
    }
    expect(acks(model)).toHaveLength(8); // once in a few columns: each has its cost in the kernel, too
    expect(vi.getTimerCount()).toBeLessThanOrEqual(1);
  });
  it("are given for a map that is unknown here too", async () => {
    const { model } = started();
    model.hear({ type: "column", floor: null, n_cols: 1, map: "gone", seq: 44, col: 0, n_rows: 1 }, [1]);
    await Promise.resolve();
    expect(acks(model).at(-1)).toEqual({ type: "ack", seq: 44 });
  });
  it("begin anew when the kernel says hello again", async () => {
    const { model } = started();
    await Promise.resolve();
    model.hear({ type: "hello", protocol: PROTOCOL, session: "s", hover: "" });
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m1", seq: 1, col: 0, n_rows: 7 }, COLUMNS[0]);
    await Promise.resolve();
    expect(acks(model).at(-1)).toEqual({ type: "ack", seq: 1 });
  });
});

describe("the trait `selection`", () => {
  it("follows a pin, and is saved once", () => {
    const { model, store } = started();
    store.pin(2);
    expect([model.trait, model.saved]).toEqual([2, 1]);
  });
  it("pins what Python sets, and sends no echo", () => {
    const { model, store } = started();
    model.trait = 1;
    model.emit("change:selection");
    expect([store.pinned.value, model.saved]).toEqual([1, 0]);
    model.trait = null;
    model.emit("change:selection");
    expect([store.pinned.value, model.saved]).toEqual([null, 0]);
  });
  it("tells the extent first: who hears of a selection may ask for it", () => {
    const { model, store } = started();
    const seen: number[] = [];
    model.on("change:selection", () => seen.push(model.extent));
    store.pin(1, 2);
    expect(seen).toEqual([2]);
  });
  it("is of one column at least, whatever Python says", () => {
    const { model, store } = started();
    model.set("extent", 0);
    expect(store.extent.value).toBe(1);
  });
  it("is read when the model opens", () => {
    const model = new FakeModel();
    model.trait = 2;
    const store = createStore();
    connect(model, store, new AbortController().signal);
    expect([store.selection.value, model.saved]).toEqual([2, 0]);
  });
});

describe("without a kernel", () => {
  it("nothing throws, and pins hold", () => {
    const { model, store, send } = started();
    model.connected = false;
    send({ type: "cancel" });
    store.pin(1);
    expect(store.pinned.value).toBe(1);
  });
  it("an empty page says after a while that it waits", () => {
    const { store } = started([]);
    expect(store.failure.value).toBeNull();
    vi.advanceTimersByTime(5000);
    expect(store.failure.value?.message).toBe("The kernel does not answer.");
  });
  it("a kernel that answers late is welcome", () => {
    const { store, model } = started([]);
    vi.advanceTimersByTime(5000);
    for (const [message, scores] of conversation()) model.hear(message, scores);
    expect([store.failure.value, store.nTargets.value]).toEqual([null, 3]);
  });
});

describe("a kernel that was there and is silent", () => {
  const running = { type: "status", phase: "attributing", what: "x", done: 0, total: 4, unit: "", seconds_left: null };
  const ask = { type: "ask", method: "occlusion", objective: "probability" } as const;
  const asking = () => {
    const world = started();
    world.store.ask(ask);
    world.send(ask);
    return world;
  };

  it("is told of, and what was asked for is not asked for any more", () => {
    const { store } = asking();
    vi.advanceTimersByTime(3900);
    expect([store.failure.value, store.asked.value]).toEqual([null, ask]);
    vi.advanceTimersByTime(200);
    expect([store.failure.value?.message, store.asked.value]).toEqual(["The kernel does not answer.", null]);
    expect(store.failure.value?.cure).toMatch(/run the cell again. What is here can still be read/);
  });
  it("is told of at once where nothing can be sent to it; whatever ran has ended", () => {
    const { store, model, send } = started();
    model.hear(running);
    model.hear({ ...ANSWER, state: "writing" });
    model.connected = false;
    store.explain();
    send({ type: "cancel" });
    expect([store.failure.value?.kind, store.running.value, store.explaining.value]).toEqual([
      "KernelSilent",
      false,
      false,
    ]);
  });
  it("is welcome when it says anything", () => {
    const { store, model } = asking();
    vi.advanceTimersByTime(5000);
    model.hear(running);
    expect([store.failure.value, store.running.value]).toEqual([null, true]);
    vi.advanceTimersByTime(60_000);
    expect([store.failure.value, store.running.value]).toEqual([null, true]);
  });
  it("is given more time while it computes, and none is asked of it for what it does not answer", () => {
    const { store, model, send } = started();
    send({ type: "focus", col: 1, n_cols: 1 });
    vi.advanceTimersByTime(60_000);
    model.hear(running);
    send({ type: "cancel" });
    vi.advanceTimersByTime(10_000);
    expect(store.failure.value).toBeNull();
    vi.advanceTimersByTime(10_000);
    expect([store.failure.value?.kind, store.running.value]).toEqual(["KernelSilent", false]);
  });
});

describe("focus", () => {
  it("is sent for a column that is missing, and for no other", () => {
    const { model, store } = started(conversation().filter(([message]) => message.col !== 2));
    store.hoverCol.value = 1;
    vi.advanceTimersByTime(200);
    expect(focuses(model)).toEqual([]);
    store.hoverCol.value = 2;
    vi.advanceTimersByTime(200);
    expect(focuses(model)).toEqual([{ type: "focus", col: 2, n_cols: 1 }]);
  });
  it("is sent once for a column, however often one comes back to it", () => {
    const { model, store } = started(withoutColumns());
    for (const col of [2, null, 2]) {
      store.hoverCol.value = col;
      vi.advanceTimersByTime(200);
    }
    expect(focuses(model)).toEqual([{ type: "focus", col: 2, n_cols: 1 }]);
  });
  it("is sent at most once in 50 ms, the last wish winning", () => {
    const { model, store } = started(withoutColumns());
    for (const col of [0, 1, 2, 1, 0, 2]) {
      store.hoverCol.value = col;
      vi.advanceTimersByTime(10);
    }
    vi.advanceTimersByTime(100);
    expect(focuses(model).length).toBeLessThanOrEqual(3);
    expect(focuses(model).at(-1)).toEqual({ type: "focus", col: 2, n_cols: 1 });
  });
  it("asks before anything is chosen for the likeliest class alone: the kernel begins with the first column itself", () => {
    const classes = tokens(["a", "b", "no", "yes"], 2, { 2: "class", 3: "class" });
    const { model } = started(about(classes, 2, [], { probabilities: [0.1, 0.9] }));
    const text = started(withoutColumns()).model;
    vi.advanceTimersByTime(200);
    expect([focuses(model), focuses(text)]).toEqual([[{ type: "focus", col: 1, n_cols: 1 }], []]);
  });
});

it("what cannot be read is said, and does not throw into the host", () => {
  const { model, store } = started();
  model.hear({ type: "status", phase: "dancing" });
  expect(store.notice.value).toMatch(/cannot read \(status\.phase/);
  model.hear({ type: "something of a later version" });
  model.hear({ type: "status", phase: "attributing", what: "x", done: 0, total: null, unit: "", seconds_left: null });
  expect(store.running.value).toBe(true);
});

it("an aborted model leaves no listener and sends nothing more", () => {
  const { model, store, send, life } = started();
  life.abort();
  const { length } = model.sent;
  send({ type: "cancel" });
  store.pin(1);
  vi.advanceTimersByTime(10_000);
  expect([model.listening(), model.sent.length, model.saved]).toEqual([0, length, 0]);
});

it("two models of one module share nothing, two views of one model share everything", () => {
  const [first, second] = [new FakeModel(), new FakeModel()];
  const { signal } = new AbortController();
  const views = [first, second].map((model) => {
    const { initialize, render } = widget();
    const props = { model, signal } as unknown as Parameters<typeof initialize>[0];
    initialize(props);
    const els = [document.createElement("div"), document.createElement("div")];
    for (const el of els) render({ ...props, el } as unknown as Parameters<typeof render>[0]);
    return els;
  });
  for (const [message, scores] of conversation()) first.hear(message, scores);
  expect(views.map((els) => els.map((el) => el.querySelectorAll(".sw-token").length))).toEqual([
    [8, 8],
    [0, 0],
  ]);
  expect(first.sent.filter(({ type }) => type === "hello")).toHaveLength(1);
});

describe("a request", () => {
  const HEADS = { type: "heads", doc: 1, col: 0, layers: [0], n_heads: 1, n_rows: 2 };
  const numbers = ({ sent }: FakeModel) => sent.flatMap((message) => ("request" in message ? [message.request] : []));

  it("has the reply that carries its number, whatever others hear, and no second one", async () => {
    const { model, request } = started();
    const [one, two] = [request({ type: "heads", col: 0 }), request({ type: "heads", col: 1 })];
    const [first = 0, second = 0] = numbers(model);
    expect(second).not.toBe(first);
    for (const other of [0, second + 1]) model.hear({ ...HEADS, request: other }, [1, 1]);
    model.hear({ ...HEADS, request: second, col: 1 }, [0.25, 0.75]);
    model.hear({ ...HEADS, request: second, col: 7 }, [9, 9]);
    model.hear({ ...HEADS, request: first }, [0.5, 0.5]);
    expect(await two).toMatchObject({ col: 1, weights: new Float32Array([0.25, 0.75]) });
    expect(await one).toMatchObject({ col: 0, weights: new Float32Array([0.5, 0.5]) });
  });
  it("is rejected where no reply will come, and where the page goes", async () => {
    const { model, request, life } = started();
    const one = request({ type: "heads", col: 0 });
    model.hear({ type: "unanswered", request: numbers(model)[0] });
    await expect(one).rejects.toThrow("no answer");
    const two = request({ type: "try" });
    life.abort();
    await expect(two).rejects.toBe(life.signal.reason);
    await expect(request({ type: "try" })).rejects.toBe(life.signal.reason);
    expect(numbers(model)).toHaveLength(2);
  });
  it("is numbered as no other page numbers its own", () => {
    const [a, b] = [started(), started()].map(({ model, request }) => {
      request({ type: "try" });
      return numbers(model)[0];
    });
    expect(a).not.toBe(b);
  });
});
