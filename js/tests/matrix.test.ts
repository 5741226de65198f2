import { signal } from "@preact/signals-core";
import fc from "fast-check";
import { afterEach, describe, expect, it, vi } from "vitest";
import { makeRamp, STEPS } from "../src/color";
import { shareOf, statsOf } from "../src/scores";
import { matrixModel } from "../src/views/matrix/model";
import { addTo, sortedRows, totalsOf } from "../src/views/matrix/totals";
import {
  about,
  COLUMNS,
  conversation,
  documentOf,
  FIRST,
  mapOf,
  mounted,
  press,
  type Said,
  started,
  TEXT,
  texts,
  tokens,
} from "./help";

const NAN = Number.NaN;
const score = fc.oneof(fc.float({ noNaN: true, noDefaultInfinity: true, min: -100, max: 100 }), fc.constant(NAN));
const matrix = fc.array(fc.array(score, { minLength: 7, maxLength: 7 }), { minLength: 1, maxLength: 9 });
const floats = (columns: readonly number[][]) => columns.map((column) => Float32Array.from(column));

describe("totals", () => {
  it("are the same in whatever order the columns come", () => {
    fc.assert(
      fc.property(matrix, fc.boolean(), (columns, raw) => {
        const all = floats(columns);
        const there = totalsOf(7, all.length);
        for (const col of all.keys()) addTo(there, all.length - 1 - col, all.at(-1 - col) as Float32Array, raw);
        for (let row = 0; row < 7; row++) {
          const sizes = all.map((scores) => Math.abs((raw ? scores[row] : shareOf(scores, row)) || 0));
          expect(there.rows[row]).toBeCloseTo(
            sizes.reduce((sum, size) => sum + size, 0),
            4,
          );
        }
        expect([...there.cols]).toEqual(all.map((scores) => statsOf(scores).l1));
        expect(there.largestRow).toBe(Math.max(...there.rows));
        expect(there.largestCol).toBe(Math.max(...there.cols));
        expect(there.max).toBe(Math.max(0, ...all.flatMap((scores) => [...scores].map((one) => Math.abs(one) || 0))));
      }),
    );
  });
  it("do not know a column that is not here, and leave out one that has no shares", () => {
    const sums = totalsOf(2, 3);
    addTo(sums, 0, Float32Array.of(1, 3), false);
    addTo(sums, 2, Float32Array.of(Number.POSITIVE_INFINITY, 1), false);
    expect([...sums.rows]).toEqual([0.25, 0.75]);
    expect([...sums.cols]).toEqual([4, NAN, Number.POSITIVE_INFINITY]);
  });
});

describe("sorted rows", () => {
  it("fall in size, those without a score come last, equals stay in the order of the text", () => {
    const { rows, places } = sortedRows(Float32Array.of(0, -3, NAN, 2, 3, NAN, -0));
    expect([...rows]).toEqual([1, 4, 3, 0, 6, 2, 5]);
    expect([...places].map((place) => rows[place])).toEqual([0, 1, 2, 3, 4, 5, 6]);
  });
});

describe("the model of a matrix", () => {
  const modelOf = (...world: Parameters<typeof started>) => {
    const { store } = started(...world);
    return { store, model: matrixModel(store, signal(makeRamp([255, 255, 255]))) };
  };
  const step = (model: ReturnType<typeof matrixModel>, col: number, row: number) => {
    const scores = model.scoresAt(col);
    return scores === null ? null : Math.round(STEPS * model.scaleAt(scores)(scores[row] as number));
  };

  it("has a row and a column a token", () => {
    const { model } = modelOf();
    expect([model.nRows.value, model.cols.value.length, model.depths.value]).toEqual([7, 3, [5, 6, 7]]);
    expect([step(model, 0, 4), step(model, 0, 0), step(model, 2, 6)]).toEqual([STEPS, STEPS / 4, STEPS]);
  });
  it("takes a new column onto the one scale that all raw scores have", () => {
    const { store, model } = modelOf(conversation().filter(([message]) => message.col !== 2));
    store.measure.value = "raw";
    expect(model.addUp()).toBe(false);
    const scores = model.scoresAt(0) as Float32Array;
    expect(model.scaleAt(scores)(1)).toBe(1);
    store.receive({
      type: "column",
      map: "m1",
      seq: 3,
      col: 2,
      n_cols: 1,
      floor: null,
      n_rows: 7,
      scores: Float32Array.from(COLUMNS[2] ?? []),
      errors: null,
    });
    expect(model.addUp()).toBe(false);
    expect(model.scaleAt(scores)(1)).toBe(1 / 4);
  });
  it("is sorted no longer when another text begins", () => {
    const { store, model } = modelOf(conversation());
    model.sort(0);
    expect(model.sortedBy.value).toBe(0);
    const document = store.document.value;
    if (document !== null) store.receive({ ...document, doc: 2 });
    store.receive({ type: "tokens", doc: 2, start: 0, tokens: tokens(TEXT, FIRST), segments: [] });
    store.receive(mapOf("m1", { doc: 2 }));
    expect([model.cols.value.length, model.sortedBy.value]).toEqual([3, null]);
  });
  it("has words where one reads by words, each over all of its tokens", () => {
    const list = tokens(["un", "happy", " dog", " bar", "ked", "."], 3).map((token, i) => ({
      ...token,
      word: [0, 0, 1, 2, 2, 3][i] ?? 0,
    }));
    const columns = [
      [1, 1, 2, NAN, NAN],
      [1, 1, 2, 2, NAN],
      [0, 0, 4, 1, 1],
    ];
    const { store, model } = modelOf(about(list, 3, columns));
    store.readBy("word");
    expect([model.nRows.value, model.cols.value]).toEqual([
      3,
      [
        { start: 0, end: 2 },
        { start: 2, end: 3 },
      ],
    ]);
    expect([...(model.scoresAt(1) ?? [])]).toEqual([0, 4, 2]);
    expect(model.depths.value).toEqual([2, 3]); // a word is no input of its own
    expect([0, 1, 2].map(model.colAt)).toEqual([0, 0, 1]);
  });
  it("waits for all targets of a column", () => {
    const list = tokens(["a", " bar", "ked"], 1).map((token, i) => ({ ...token, word: i > 0 ? 1 : 0 }));
    const { store, model } = modelOf(about(list, 1, [[1, NAN]]));
    store.readBy("word");
    expect([model.cols.value.length, model.scoresAt(0)]).toEqual([1, null]);
  });
  it("sets columns on one scale when raw scores are read, as far as they are here", () => {
    const { store, model } = modelOf();
    store.measure.value = "raw";
    while (model.addUp());
    expect([step(model, 2, 6), step(model, 1, 0), model.largest.value]).toEqual([STEPS, STEPS / 4, 4]);
    store.scale.value = "quantile";
    expect(step(model, 1, 0)).toBe(Math.round((STEPS * 10) / 11)); // 4 ones and less are no larger: all but the 4
  });
  it("leaves hidden rows empty, and the rest fill the scale", () => {
    const { store, model } = modelOf();
    store.hide({ start: 4, end: 5 });
    expect([model.scoresAt(0)?.[4], step(model, 0, 2)]).toEqual([NAN, STEPS]);
    expect(store.shown.value?.scores).toBe(model.scoresAt(0));
  });
  it("sorts by a column once, and back; and forgets it with the text", () => {
    const { store, model } = modelOf();
    model.sort(0);
    expect([...(model.order.value?.rows ?? [])]).toEqual([4, 2, 1, 0, 3, 5, 6]);
    expect([model.rowAt(0), model.placeOf(4)]).toEqual([4, 0]);
    model.sort(0);
    expect([model.order.value, model.rowAt(0)]).toEqual([null, 0]);
    model.sort(1);
    store.receive(documentOf(2, 5));
    expect(model.sortedBy.value).toBeNull();
  });
});

let world: ReturnType<typeof mounted> | undefined;
afterEach(() => {
  world?.life.abort();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const NAME = -1; // the row of the columns' names

/** The matrix on a page of 600 × 600, names 20 px wide. What is written in a frame, bold or not, and what is drawn. */
async function opened(messages = conversation()) {
  let written: { text: string; font: string }[] = [];
  /** Cells drawn on a canvas that is not on the page, and how often that was wiped; how often it was laid on the one that is, and the rings there. */
  const drawn = { wiped: 0, cells: 0, laid: 0, rings: 0 };
  const pens = new Map<HTMLCanvasElement, object>();
  const penOf = (canvas: HTMLCanvasElement): object =>
    new Proxy({} as Record<string, unknown>, {
      get(own, name) {
        if (name in own) return own[String(name)];
        if (name === "createImageData")
          return (width: number, height: number) => ({
            width,
            height,
            data: new Uint8ClampedArray(4 * width * height),
          });
        if (name === "measureText") return () => ({ width: 20 });
        if (name === "fillText") return (text: string) => void written.push({ text, font: String(own.font) });
        return () => {
          if (name === "roundRect") drawn[canvas.isConnected ? "rings" : "cells"]++;
          if (name === "clearRect" && !canvas.isConnected) drawn.wiped++;
          if (name === "drawImage" && canvas.isConnected) drawn.laid++;
        };
      },
    });
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockImplementation(function (this: HTMLCanvasElement) {
    const pen = pens.get(this) ?? penOf(this);
    pens.set(this, pen);
    return pen as never;
  });
  for (const side of ["clientWidth", "clientHeight"] as const)
    vi.spyOn(HTMLElement.prototype, side, "get").mockReturnValue(600);
  const page = mounted(messages);
  world = page;
  const { el } = page;
  el.querySelector<HTMLElement>(".sw-drawer-toggle")?.click();
  const find = (query: string) => el.querySelector(query) as HTMLElement;
  const scroller = find(".sw-matrix-scroll");
  const [left, top, cell] = [28, Math.ceil(20 * Math.sin((52 * Math.PI) / 180)) + 16, 20];
  const mouse = (type: string, x: number, y: number, more: PointerEventInit = {}) =>
    find(".sw-matrix-canvas").dispatchEvent(
      new PointerEvent(type, { bubbles: true, composed: true, cancelable: true, clientX: x, clientY: y, ...more }),
    );
  const at = (row: number, col: number) =>
    [left + cell * col + 3, row === NAME ? top - 8 : top + cell * row + 3] as const;
  return {
    ...page,
    scroller,
    room: find(".sw-matrix-room"),
    mouse,
    at,
    click(row: number, col: number, more: PointerEventInit = {}) {
      for (const type of ["pointerdown", "pointerup", "click"]) mouse(type, ...at(row, col), more);
    },
    async frame() {
      written = [];
      page.store.hoverRow.value ??= 0;
      await new Promise((done) => requestAnimationFrame(done));
      return written;
    },
    /** What is drawn in a frame. */
    async drawn() {
      Object.assign(drawn, { wiped: 0, cells: 0, laid: 0, rings: 0 });
      await new Promise((done) => requestAnimationFrame(done));
      return { ...drawn };
    },
    hint: () => texts(el, ".sw-matrix-hint > *"),
    said: () => [...el.querySelectorAll("[role=status]")].at(-1)?.textContent?.replace(/\s+/g, " ").trim(),
    tip: () => find("[role=tooltip]").textContent?.replace(/\s+/g, " ").trim(),
  };
}

describe("the cells of the matrix", () => {
  const CELLS = COLUMNS.flat().filter((score) => !Number.isNaN(score)).length;
  const isLast = ([message]: Said) => message.col === 2;
  const changes: Record<string, (page: Awaited<ReturnType<typeof opened>>) => void> = {
    "a new column": ({ model }) => {
      for (const [message, scores] of conversation().filter(isLast)) model.hear(message, scores);
    },
    "an order": ({ click }) => click(NAME, 0),
    "a hidden row": ({ store }) => store.hide({ start: 2, end: 3 }),
    "another scale": ({ store }) => {
      store.scale.value = "quantile";
    },
    "raw scores": ({ store }) => {
      store.measure.value = "raw";
    },
    "other colours": ({ store }) => {
      const { value: menu } = store.menu;
      if (menu !== null)
        store.receive({ ...menu, methods: menu.methods.map((method) => ({ ...method, signed: true })) });
    },
    "another unit": ({ store }) => store.readBy("sentence"),
    scrolling: ({ scroller }) => void scroller.dispatchEvent(new Event("scroll")),
    "another size": ({ scroller }) => void press(scroller, "+"),
    "a zoom of the page": ({ mouse, at }) => {
      vi.stubGlobal("devicePixelRatio", 2);
      mouse("pointermove", ...at(4, 0));
    },
  };

  it("are drawn once: the mouse, a pin and a turn lay them below what these mark", async () => {
    const { mouse, at, click, store, drawn } = await opened();
    expect(await drawn()).toEqual({ wiped: 1, cells: CELLS, laid: 1, rings: 1 });
    const row = { start: 1, end: 2 };
    const acts = [() => mouse("pointermove", ...at(4, 0)), () => click(2, 1), () => store.turn(row)];
    for (const [i, act] of acts.entries()) {
      act();
      expect(await drawn()).toEqual({ wiped: 0, cells: 0, laid: 1, rings: [3, 4, 5][i] });
    }
    expect(await drawn()).toEqual({ wiped: 0, cells: 0, laid: 0, rings: 0 });
  });
  it("are drawn in every frame until all is added up: the ranks of raw scores are those of the whole map", async () => {
    const { store, drawn } = await opened();
    store.measure.value = "raw";
    store.scale.value = "quantile";
    await drawn();
    let now = 0;
    vi.spyOn(performance, "now").mockImplementation(() => (now += 4)); // two columns a frame
    store.hide({ start: 0, end: 1 });
    const frames = [await drawn(), await drawn(), await drawn()];
    expect(frames.map(({ cells }) => cells)).toEqual([CELLS - 3, CELLS - 3, 0]);
  });
  it.each(Object.keys(changes))("are drawn anew after %s", async (what) => {
    const page = await opened(conversation().filter((said) => what !== "a new column" || !isLast(said)));
    await page.drawn();
    await page.drawn();
    changes[what]?.(page);
    const { cells, laid } = await page.drawn();
    expect(cells).toBeGreaterThan(0);
    expect(laid).toBe(1);
  });
});

describe("the mouse over the matrix", () => {
  it("lights row and column, both names bold, and tells the numbers of the cell", async () => {
    const { mouse, at, store, tip, frame } = await opened();
    mouse("pointermove", ...at(4, 0));
    expect([store.hoverRow.value, store.hoverCol.value]).toEqual([4, 0]);
    expect(tip()).toContain("George");
    expect(tip()).toContain("share .400");
    expect(tip()).toContain("for Washington");
    const bold = (await frame()).filter(({ font }) => font.startsWith("600")).map(({ text }) => text);
    expect(bold).toEqual(["George", "Washington"]);
    mouse("pointermove", ...at(6, 0)); // what came later
    expect([store.hoverRow.value, store.hoverCol.value]).toEqual([null, null]);
  });
  it("says beside the cells what a row and a column add up to", async () => {
    const { mouse, at, tip, frame } = await opened();
    await frame();
    mouse("pointermove", ...at(4, 3));
    expect(tip()).toBe("George shares add up to .567"); // .400 + 1 / 6
    mouse("pointermove", ...at(7, 1));
    expect(tip()).toBe(". sizes add up to 6.00");
  });
  it("pins with a click, extends with shift, and lets go", async () => {
    const { click, store } = await opened();
    click(2, 1);
    expect(store.pinnedCols.value).toEqual({ start: 1, end: 2 });
    click(2, 2, { shiftKey: true });
    expect(store.pinnedCols.value).toEqual({ start: 1, end: 3 });
    click(2, 1);
    click(2, 1);
    expect(store.pinnedCols.value).toBeNull();
  });
  it("drags the sheet, and a drag is no click; a finger is left to the browser", async () => {
    const { mouse, at, scroller, store } = await opened();
    HTMLElement.prototype.setPointerCapture ??= () => {};
    const capture = vi.spyOn(HTMLElement.prototype, "setPointerCapture").mockReturnValue();
    const [x, y] = at(3, 1);
    mouse("pointerdown", x, y);
    mouse("pointermove", x - 30, y - 50, { buttons: 1 });
    expect([scroller.scrollLeft, scroller.scrollTop]).toEqual([30, 50]);
    mouse("pointerup", x - 30, y - 50);
    mouse("click", x - 30, y - 50);
    expect([store.pinned.value, capture.mock.calls.length]).toEqual([null, 1]);
    mouse("pointerdown", x, y, { pointerType: "touch" });
    mouse("pointermove", x - 60, y - 60, { pointerType: "touch", buttons: 1 });
    expect(scroller.scrollTop).toBe(50);
  });
  it("sorts the rows by the column whose name is clicked, and puts them back", async () => {
    const { click, frame, hint, said, store, mouse, at, el } = await opened();
    click(NAME, 0);
    expect([store.pinned.value, hint().at(-1)]).toEqual([null, "rows sorted by Washington; restore"]);
    expect(said()).toBe("Rows sorted by Washington.");
    const names = async () => (await frame()).map(({ text }) => text);
    expect((await names()).slice(0, 4)).toEqual(["George", "president", "first", "The"]);
    mouse("pointermove", ...at(0, 1));
    expect(store.hoverRow.value).toBe(4); // a token, wherever it stands
    el.querySelector<HTMLElement>(".sw-matrix-restore")?.click();
    expect((await names()).slice(0, 3)).toEqual(["The", "first", "president"]);
    expect(said()).toBe("Rows in the order of the text.");
  });
  it("zooms with Ctrl and the wheel around the mouse, and leaves the plain wheel to scrolling", async () => {
    const { scroller, room } = await opened();
    const turn = (deltaY: number, ctrlKey: boolean) => {
      const event = new WheelEvent("wheel", { deltaY, bubbles: true, cancelable: true });
      Object.defineProperty(event, "ctrlKey", { value: ctrlKey });
      scroller.dispatchEvent(event);
      return event.defaultPrevented;
    };
    const before = room.style.height;
    expect([turn(-100, false), room.style.height === before]).toEqual([false, true]);
    expect([turn(-100, true), room.style.height === before]).toEqual([true, false]);
    for (let i = 0; i < 50; i++) turn(100, true);
    expect(Number.parseFloat(room.style.height)).toBeLessThan(7 * 3 + 50);
  });
});

describe("the keys of the matrix", () => {
  it("move, and tell screen readers row, column and share", async () => {
    const { scroller, said } = await opened();
    press(scroller, "ArrowRight");
    for (let i = 0; i < 4; i++) press(scroller, "ArrowDown");
    expect(said()).toBe("George prompt · position 4share .400 · rank 1 of 5 score 0.400 for Washington");
    press(scroller, "ArrowRight");
    expect(said()).toContain("share .167 · rank 1 of 6");
  });
  it("end with what a column can see", async () => {
    const { scroller, store } = await opened();
    for (const key of ["ArrowRight", ...Array<string>(9).fill("ArrowDown")]) press(scroller, key);
    expect(store.hoverRow.value).toBe(4);
  });
  it("sort by the column where one is, and the cell stays the same one", async () => {
    const { scroller, store, said } = await opened();
    press(scroller, "ArrowRight");
    press(scroller, "ArrowDown");
    press(scroller, "r");
    expect([said(), store.hoverRow.value]).toEqual(["Rows sorted by Washington.", 1]);
    press(scroller, "ArrowUp");
    expect(store.hoverRow.value).toBe(2); // .3 stands over .2
    press(scroller, "r");
    expect(said()).toBe("Rows in the order of the text.");
  });
  it("zoom: + and − by steps, 0 as it was, f to see all of it; small cells have no names", async () => {
    const { scroller, room, frame } = await opened();
    const height = () => Number.parseFloat(room.style.height);
    const rest = height();
    press(scroller, "+");
    expect(height()).toBe(rest + 7 * 5);
    press(scroller, "0");
    expect(height()).toBe(rest);
    for (let i = 0; i < 9; i++) press(scroller, "-");
    expect(height()).toBe(16 + 7 * 3 + 22);
    expect(await frame()).toEqual([]);
    scroller.style.maxHeight = "400px";
    (scroller.parentElement as HTMLElement).style.padding = "0px";
    press(scroller, "f");
    expect(height()).toBe(rest + 7 * 20);
  });
  it("pin a column, and with shift all up to it", async () => {
    const { scroller, store } = await opened();
    press(scroller, "ArrowRight");
    press(scroller, "Enter");
    press(scroller, "End");
    press(scroller, "Enter", { shiftKey: true });
    expect(store.pinnedCols.value).toEqual({ start: 0, end: 3 });
  });
  it("copy a cell: its row, its column, score and share, with a minus that other programs know", async () => {
    const signed = conversation(TEXT, FIRST, [[0.1, -0.2, 0.3, 0, -0.4, NAN, NAN], ...COLUMNS.slice(1)]);
    const { scroller, said } = await opened(signed);
    const written: string[] = [];
    vi.stubGlobal("navigator", { clipboard: { writeText: async (text: string) => void written.push(text) } });
    press(scroller, "y");
    press(scroller, "ArrowRight");
    press(scroller, "ArrowDown");
    press(scroller, "y");
    press(scroller, "c", { ctrlKey: true });
    await vi.waitFor(() => expect(written).toHaveLength(2));
    expect(new Set(written)).toEqual(new Set(["first\tWashington\t-0.2\t-0.2"]));
    await vi.waitFor(() => expect(said()).toBe("copied first · Washington · -0.2 · -0.2"));
  });
  it("say what the browser does not allow", async () => {
    const { scroller, said } = await opened();
    vi.stubGlobal("navigator", {});
    document.execCommand ??= () => false;
    vi.spyOn(document, "execCommand").mockReturnValue(false);
    press(scroller, "ArrowRight");
    press(scroller, "y");
    await vi.waitFor(() => expect(said()).toContain("Not copied"));
  });
});

describe("what stands beside the matrix", () => {
  it("says which scale the colours are on, and its ends", async () => {
    const { hint, store, frame } = await opened();
    expect(hint().slice(2, 4)).toEqual(["each column on its own scale", "0.400 for Washington"]);
    store.measure.value = "raw";
    await frame();
    await new Promise((done) => requestAnimationFrame(done));
    expect(hint().slice(2, 4)).toEqual(["all columns on one scale", "04.00"]);
  });
  it("goes with the matrix, its live region too", async () => {
    const { el, scroller } = await opened();
    const n = el.querySelectorAll("[role=status]").length;
    press(scroller, "m");
    expect(el.querySelectorAll("[role=status]").length).toBe(n - 1);
  });
});
