/** The HTML that the page saves: its numbers against plain reckoning, its colours against the living text, its words. */

import { beforeEach, describe, expect, it, vi } from "vitest";
import { makeRamp, STEPS, swatchOf } from "../src/color";
import type { Caption } from "../src/hover";
import type { MapBegins, WireToken } from "../src/protocol";
import type { Store } from "../src/store";
import { pageOf } from "../src/views/takeaway/page";
import { about, COLUMNS, conversation, documentOf, METHOD, mapOf, type Said, started, token } from "./help";

const HOVER = 'say("\\x3c/script>\\x3c!-- the end? -->");'; // that of vitest.config.ts, which cannot end its element

// ── a text whose tokens are parts of words and of sentences ─────────────────────────────────────────────────────────────

const [NAN, AT] = [Number.NaN, 9];
const WASHINGTON: WireToken[] = (
  [
    ["<|user|>", 0, 0],
    [" Wa", 1, 0],
    ["sh", 1, 0],
    ["ing", 1, 0],
    ["ton", 1, 0],
    [" was", 2, 0],
    [".", 2, 0],
    [" Who", 3, 1],
    [" was", 4, 1],
    ["?", 5, 1],
    [" George", 6, 2],
    [" Wash", 7, 2],
    ["ington", 7, 2],
  ] as const
).map(([text, word, sentence], i) =>
  token(text, {
    id: 100 + i,
    word,
    sentence,
    segment: sentence,
    role: i === 0 ? "special" : i < AT ? "prompt" : "generated",
  }),
);
const SIGNED = [
  [-0.0781, 0.3214, 0.069, 0.0009, 0.8981, 0.1176, -0.0105, -0.3588, 0.9901, NAN, NAN, NAN],
  [-1.0222, -0.2517, 0.0365, 0.0295, 0.3774, 0.0295, -0.2389, 0.107, 0.5642, 0.0143, NAN, NAN],
  [0.1079, 0.0209, 0.2953, 0.0005, 0.8424, -0.1207, 0.1195, 0.1539, 0.2899, 0.2705, 0.0181, NAN],
  [0.5156, 0.1448, 0.8393, -0.32, -0.3392, 0.0866, 0.3484, 0.09, 0.2439, 0.0037, 3.8019, 0.3425],
];
const PROBABILITIES = [0.5, 0.25, 0.5, 0.5];
const whole = WASHINGTON.map(({ text }) => text).join("");
const WORDS = [[0], [1, 2, 3, 4], [5, 6], [7], [8], [9], [10], [11, 12]];
const SENTENCES = [[0, 1, 2, 3, 4, 5, 6], [7, 8], [9], [10, 11, 12]];

function washington(columns = SIGNED, map: Partial<MapBegins> = {}): Store {
  const signed = mapOf("m1", { method: "occlusion", n_rows: 12, n_cols: 4, ...map });
  return started([...about(WASHINGTON, AT, columns, { probabilities: PROBABILITIES }), [signed]]).store;
}

it("the page says what the live one says of the map's numbers, and of no other map", () => {
  const store = washington();
  store.receive({ type: "notes", map: "m1", notes: [{ text: "Half of <it> is noise.", cols: null }] });
  store.receive({ type: "notes", map: "m2", notes: [{ text: "Another.", cols: [0] }] });
  const head = new DOMParser().parseFromString(pageOf(store), "text/html").querySelector(".sw-head")?.textContent;
  expect(head).toContain("Half of <it> is noise.");
  expect(head).not.toContain("Another.");
});

// ── what is in a page ───────────────────────────────────────────────────────────────────────────────────────────────────

function read(html: string) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const boxes = [...page.querySelectorAll<HTMLElement>(".sw-token")];
  const said = (query: string) => page.querySelector(query)?.textContent ?? "";
  const data = JSON.parse(said("script.sw-data") || "{}");
  const bytes = Uint8Array.from(atob(data.scores ?? ""), (char) => char.charCodeAt(0));
  const values = new Float32Array(bytes.buffer);
  const n = data.names?.length ?? 0;
  return {
    page,
    boxes,
    data,
    /** Of each that can be asked about, one a name. */
    scores: (data.captions ?? []).map((_: unknown, k: number) => [...values.slice(k * n, (k + 1) * n)]) as number[][],
    head: said(".sw-head"),
    caption: said(".sw-caption"),
    prose: [...page.querySelectorAll(".sw-prose")].map((prose) => {
      const text = prose.cloneNode(true) as Element;
      for (const sign of text.querySelectorAll(".sw-sign, .sw-separator")) sign.remove();
      return text.textContent ?? "";
    }),
    said,
    titles: boxes.map(({ title }) => title),
    texts: boxes.map(({ textContent }) => textContent),
    asked: boxes.filter(({ style }) => style.outline !== "").map(({ textContent }) => textContent),
    dotted: boxes.filter(({ style }) => style.border.includes("dotted")).map(({ textContent }) => textContent),
  };
}
const pageIn = (store: Store) => read(pageOf(store));

// ── reckoned plainly ────────────────────────────────────────────────────────────────────────────────────────────────────

type Scale = "linear" | "quantile" | "threshold";
type How = {
  units?: number[][];
  targets?: number[][];
  pool?: "sum" | "mean" | "max";
  joint?: "sum" | "mean";
  hidden?: number[];
  scale?: Scale;
  threshold?: number;
  raw?: boolean;
  pin?: number[];
};
const ALONE = WASHINGTON.map((_, i) => [i]);
const isThere = (x: number | undefined): x is number => x !== undefined && !Number.isNaN(x);
const total = (list: number[]) => list.reduce((a, b) => a + b, 0);
const together = (list: (number | undefined)[], how: "sum" | "mean" | "max") => {
  const seen = list.filter(isThere);
  if (seen.length === 0) return NAN;
  return how === "max" ? Math.max(...seen) : how === "sum" ? total(seen) : total(seen) / seen.length;
};

/** Of one target, the columns `cols`, a number a unit: joined, hidden rows left out, pooled. */
function reckoned(columns: number[][], cols: number[], how: How): number[] {
  const { units = ALONE, pool = "sum", joint = "mean", hidden = [] } = how;
  const rows = Array.from({ length: 12 }, (_, row) => {
    if (hidden.includes(row) || (cols.length > 1 && cols.includes(row - AT))) return NAN;
    return Math.fround(
      together(
        cols.map((col) => columns[col]?.[row]),
        joint,
      ),
    );
  });
  const ofRows = units.filter(([first = 0]) => first < 12);
  return ofRows.map((unit) =>
    Math.fround(
      together(
        unit.map((row) => rows[row]),
        units === ALONE ? "sum" : pool,
      ),
    ),
  );
}

/** What a number is told as: a share, or itself. */
function shares(scores: number[], raw = false): number[] {
  const sum = total(scores.filter(isThere).map(Math.abs));
  return raw ? scores : scores.map((score) => score / sum);
}

/** The step of the ramp for a number among others: no more than half of it where none is larger than noise would be. */
function stepOf(values: number[], at: number, { scale = "linear", threshold = 0.5 }: How, calm = true): number {
  const seen = values.filter(isThere).map(Math.abs);
  const noise = 2 / (seen.length + 1);
  const top = Math.max(...seen) / total(seen);
  const steps = calm && seen.length > 3 && top <= noise ? (STEPS * top) / (2 * noise) : STEPS;
  const sizes = values
    .filter(isThere)
    .map(Math.abs)
    .filter((size) => size > 0);
  const [value, max] = [values[at] as number, Math.max(...sizes)];
  if (scale === "quantile" && value !== 0)
    return Math.round(
      (steps * Math.sign(value) * sizes.filter((size) => size <= Math.abs(value)).length) / sizes.length,
    );
  return scale === "threshold" && Math.abs(value) < threshold * max ? 0 : Math.round((steps * value) / max);
}

const VIEWS: [string, How][] = [
  ["tokens", {}],
  ["words", { units: WORDS, targets: [[0], [1], [2, 3]] }],
  ["the mean of words, by rank", { units: WORDS, targets: [[0], [1], [2, 3]], pool: "mean", scale: "quantile" }],
  ["the largest of sentences, raw", { units: SENTENCES, pool: "max", raw: true }],
  ["words, some hidden, their sum", { units: WORDS, targets: [[0], [1], [2, 3]], hidden: [2, 3, 7], joint: "sum" }],
  ["two targets as one", { targets: [[0], [1, 2], [3]], pin: [1, 2], scale: "threshold", threshold: 0.3 }],
  [
    "words, and a pin that cuts one in two",
    { units: WORDS, targets: [[0], [1, 2], [3]], pin: [1, 2], joint: "sum", raw: true },
  ],
];

/** The boxes: they end where a unit, a target or a stretch that is hidden does. */
function boxed({ units = ALONE, targets = [[0], [1], [2], [3]], hidden = [] }: How): number[][] {
  const begins = [...units, ...targets.map((cols) => cols.map((col) => AT + col))].map(([first]) => first);
  const ends = hidden.filter((row) => !hidden.includes(row + 1)).map((row) => row + 1);
  const starts = [...begins, ...ends, ...hidden.filter((row) => !hidden.includes(row - 1))];
  const found: number[][] = [];
  for (const [i] of WASHINGTON.entries())
    if (starts.includes(i)) found.push([i]);
    else found.at(-1)?.push(i);
  return found;
}

function looked({ units, pin, pool = "sum", joint = "mean", hidden = [], raw, ...how }: How): Store {
  const store = washington();
  if (units !== undefined) store.readBy(units === WORDS ? "word" : "sentence");
  store.pool.value = pool;
  store.joint.value = joint;
  for (const row of hidden) if (!hidden.includes(row - 1)) store.hide({ start: row, end: 1 + lastOf(hidden, row) });
  store.scale.value = how.scale ?? "linear";
  store.threshold.value = how.threshold ?? 0.5;
  store.measure.value = raw ? "raw" : "share";
  if (pin !== undefined) store.pin(pin[0] ?? 0, pin.length);
  return store;
}

function lastOf(hidden: number[], row: number): number {
  return hidden.includes(row + 1) ? lastOf(hidden, row + 1) : row;
}

describe.each(VIEWS)("read by %s", (_, how) => {
  const { units = ALONE, targets = [[0], [1], [2], [3]], hidden = [], raw = false, pin } = how;

  it("each target has the scores of the units that it sees", () => {
    const { scores, data } = pageIn(looked(how));
    expect(data.captions).toHaveLength(targets.length);
    const rounded = (list: number[] = []) => list.map((value) => value.toFixed(5));
    for (const [k, cols] of targets.entries()) expect(rounded(scores[k])).toEqual(rounded(reckoned(SIGNED, cols, how)));
    expect(data.label).toBe(raw ? "score" : "share");
  });

  it.each(pin === undefined ? targets : [pin])(
    "boxes say number and rank, and have the colours of the text: %j",
    (...cols) => {
      const store = looked(how);
      const [first = 0] = cols;
      if (pin === undefined) store.pin(first);
      const { boxes } = pageIn(store);
      const values = shares(reckoned(SIGNED, cols, how), raw);
      const sizes = values.filter(isThere).map(Math.abs);
      const ramp = makeRamp([255, 255, 255]);
      expect(boxes).toHaveLength(boxed(how).length);
      for (const [k, [start = 0]] of boxed(how).entries()) {
        const { title, style } = boxes[k] as HTMLElement;
        const unit = units.findIndex((all) => all.includes(start));
        const value = values[unit];
        if (cols.includes(start - AT)) expect(title).toMatch(/ · the target$/);
        else if (hidden.includes(start) || !isThere(value) || start - AT > first)
          expect([title, style.background]).toEqual(["", ""]);
        else {
          const [, said = "", rank, n] = /(?:share|score) (\S+) · rank (\d+) of (\d+)$/.exec(title) ?? [];
          expect(Number(said.replaceAll("−", "-"))).toBeCloseTo(value, 2);
          expect([Number(rank), Number(n)]).toEqual([
            1 + sizes.filter((size) => size > Math.abs(value)).length,
            sizes.length,
          ]);
          const step = stepOf(values, unit, how);
          expect(style.background).toBe(swatchOf(ramp, step, true).background);
          expect(store.look.value.step(start)).toBe(step);
        }
      }
    },
  );

  it("every character is in one box, and every target has one", () => {
    const { prose, data } = pageIn(looked(how));
    expect(prose).toEqual([whole]);
    expect(new Set(data.cols.filter((col: number | null) => col !== null))).toEqual(new Set(targets.keys()));
  });

  it("turned round, each target owes to an input what it weighs there", () => {
    const store = looked(how);
    store.turn({ start: 4, end: 6 });
    const chosen = store.inputs.value ?? { start: 0, end: 0 };
    const aims = units === WORDS ? [[0], [1], [2, 3]] : [[0], [1], [2], [3]]; // a pin is of the other question
    const own = units.flatMap(([start = 0], k) => (start >= chosen.start && start < chosen.end ? [k] : []));
    const fed = aims.map((cols) => {
      const values = shares(reckoned(SIGNED, cols, how), raw);
      return together(
        own.map((unit) => values[unit]),
        "sum",
      );
    });
    const { data, scores, boxes } = pageIn(store);
    for (const [k, value] of fed.entries()) expect(scores[data.shown]?.[k]).toBeCloseTo(value, 5);
    expect([data.about, data.label, data.names.length]).toEqual(["input", raw ? "score" : "fed", aims.length]);
    for (const [k, [start = 0]] of boxed({ ...how, targets: aims }).entries()) {
      const { title, style } = boxes[k] as HTMLElement;
      const place = aims.findIndex((cols) => cols.includes(start - AT));
      if (start >= chosen.start && start < chosen.end) expect(title).toMatch(/ · the input$/);
      else if (place < 0) expect(title).toBe("");
      else {
        expect(title).toContain(` · ${raw ? "score" : "fed"} `);
        expect(style.background).toBe(
          swatchOf(makeRamp([255, 255, 255]), stepOf(fed, place, how, false), true).background,
        );
      }
    }
  });
});

// ── what it says ────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("the words of a page", () => {
  it("say target, probability, what else might have been written, inputs, legend; and every target in a table", () => {
    const { head, caption, page, titles, said } = pageIn(started().store);
    expect(head).toBe("tiny · Gradient · probability · share of the gradient norm");
    expect(caption).toBe(
      "Washington p = .796 instead of W .088George\u00a0.400 · president\u00a0.300 · first\u00a0.200",
    );
    expect(titles.slice(0, 6)).toEqual([
      "The · share .100 · rank 4 of 5",
      "first · share .200 · rank 3 of 5",
      "president · share .300 · rank 2 of 5",
      "was · share .000 · rank 5 of 5",
      "George · share .400 · rank 1 of 5",
      "Washington · the target",
    ]);
    expect([said(".sw-key > :first-child"), said(".sw-key > :last-child")]).toEqual(["0", ".400"]);
    const rows = [...page.querySelectorAll("tr")].map((row) => [...row.children].map(({ textContent }) => textContent));
    expect(rows[0]).toEqual(["target", "p", "strongest inputs, and their shares"]);
    expect(rows[1]).toEqual([
      "Washington",
      ".796",
      "George\u00a0.400 · president\u00a0.300 · first\u00a0.200 · The\u00a0.100",
    ]);
    expect(rows).toHaveLength(1 + COLUMNS.length);
  });

  it("name the layer and the head, and what the target is set against", () => {
    const of = (more: Partial<MapBegins>) => pageIn(started([...conversation(), [mapOf("m1", more)]]).store).head;
    const settings: [string, string][] = [
      ["layer", "0"],
      ["head", "5"],
      ["reduction", "mean"],
    ];
    expect(of({ method: "attention", settings })).toBe(
      "tiny · Attention · layer 0 · head 5 · share of the gradient norm",
    );
    expect(of({ foil: " Bush" })).toBe(
      "tiny · Gradient · probability · less that of Bush · share of the gradient norm",
    );
  });

  it("say on which scale the colours are, in which numbers, and how they were pooled", () => {
    const store = washington();
    store.readBy("word");
    store.measure.value = "raw";
    store.scale.value = "threshold";
    store.threshold.value = 0.25;
    const { head, caption, said, page } = pageIn(store);
    expect(head).toBe(
      "tiny · Occlusion · probability · gradient norm, summed over words · colours from 25 % of the largest",
    );
    expect(caption).toMatch(/Washington\u00a01\.29 · was\u00a00\.990/);
    expect(said("thead")).toContain("strongest inputs, and their scores");
    const key = [...page.querySelectorAll<HTMLElement>(".sw-key > *")]
      .slice(1, -1)
      .map(({ style }) => style.background);
    expect(key.map((ground) => ground === "rgb(255, 255, 255)")).toEqual(key.map((_, k) => k === 4)); // 0, of ±1
    store.scale.value = "quantile";
    expect(pageIn(store).head).toContain(" · colours by rank");
  });

  it("say what is left out and how much of a column it held; its box is dotted, and has no number of another row", () => {
    const store = washington();
    store.readBy("word");
    store.hide({ start: 2, end: 4 });
    store.pin(1);
    const { head, caption, dotted, boxes, data } = pageIn(store);
    const held = ((0.0365 + 0.0295) / total((SIGNED[1] ?? []).filter(isThere).map(Math.abs))) * 100;
    expect(head).toContain("summed over words · 2 inputs left out of the shares");
    expect(caption).toContain(` · not counted: ${held.toFixed(0)} %`);
    expect(data.captions[1].hidden).toBe(` · not counted: ${held.toFixed(0)} %`);
    expect(dotted).toEqual(["shing"]);
    const [box] = boxes.filter(({ textContent }) => textContent === "shing");
    expect([box?.title, box?.style.background]).toEqual(["", ""]);
  });

  it("say what is hidden only where it is worth a word", () => {
    const said = [0.0004, 0.002].map((held) => {
      const column = [held, 1 - held, 0, 0, 0, NAN, NAN];
      const { store } = started(conversation(undefined, undefined, [column]));
      store.hide({ start: 0, end: 1 });
      return pageIn(store).data.captions[0].hidden;
    });
    expect(said).toEqual(["", " · not counted: 0.2 %"]);
  });

  it("say how several targets are one, which has no alternatives; and all of it is marked, whichever is pinned first", () => {
    const store = washington();
    store.joint.value = "sum";
    store.pin(1, 2);
    const { asked, data, caption } = pageIn(store);
    expect(asked).toEqual(["George", "Wash"]);
    expect(data.cols.slice(9)).toEqual([0, 1, 1, 2]);
    expect(caption).toMatch(/^George Wash p = \.125 · 2 tokens, sum/);
    expect(data.captions.map(({ alternatives }: Caption) => alternatives !== "")).toEqual([true, false, true]);
  });

  it("tell a column of zeros, and a value where a model has no probability", () => {
    const zeros = [[0, 0, 0, 0, 0, NAN, NAN]];
    const { store } = started([
      ...conversation(undefined, undefined, zeros),
      [{ type: "steps", doc: 1, start: 0, steps: [{ probability: null, value: 1.734, alternatives: [] }] }],
    ]);
    const { caption, titles, said } = pageIn(store);
    expect(caption).toBe("Washington = 1.73No input has a share of this.");
    expect(titles[0]).toBe("The · share .000 · rank 1 of 5");
    expect(said("thead")).toContain("value");
  });
});

describe("turned round", () => {
  function turned(columns = SIGNED, start = 4, end = 5) {
    const store = washington(columns);
    store.turn({ start, end });
    return store;
  }

  it("a page says what the input feeds, and every other input can be asked about", () => {
    const { titles, caption, asked, data, said } = pageIn(turned());
    expect(asked).toEqual(["ton"]);
    expect(titles.slice(AT)).toEqual([
      "? · fed .316 · rank 2 of 4",
      "George · fed .141 · rank 3 of 4",
      "Wash · fed .376 · rank 1 of 4",
      "ington · fed −.048 · rank 4 of 4",
    ]);
    expect(caption).toBe("ton feedsWash\u00a0.376 · ?\u00a0.316 · George\u00a0.141");
    expect([data.shown, data.rows, data.cols, data.ended]).toEqual([
      4,
      [...Array(AT).fill(null), 0, 1, 2, 3],
      [...Array(12).keys(), null],
      [...Array(13).keys()],
    ]);
    expect(data.captions[10]).toEqual({ name: "George", detail: " feeds", alternatives: "", hidden: "" });
    expect(said("summary")).toBe("All targets in numbers");
  });

  it("inputs that feed as one are named and marked as one", () => {
    const store = washington();
    store.readBy("word");
    store.turn({ start: 1, end: 7 });
    const { asked, data } = pageIn(store);
    expect([data.captions[data.shown].name, asked]).toEqual(["Washington was.", ["Washington", "was."]]);
  });

  it("a target without shares owes none, and an input that feeds nothing says so", () => {
    const zeros = SIGNED.map((column, k) => (k === 1 ? column.map((score) => 0 * score) : column));
    expect(pageIn(turned(zeros)).titles.slice(AT)).toEqual([
      "? · fed .316 · rank 2 of 3",
      "",
      "Wash · fed .376 · rank 1 of 3",
      "ington · fed −.048 · rank 3 of 3",
    ]);
    const silent = SIGNED.map((column) => column.map((score, row) => (row === 4 ? 0 : score)));
    expect(pageIn(turned(silent)).caption).toBe("ton feedsno target that has a share of this");
  });

  it("nothing is made of an input that no target says anything of: the last token, and what is hidden", () => {
    expect(() => pageOf(turned(SIGNED, 12, 13))).toThrow("feeds no target");
    const store = turned(SIGNED, 2, 4);
    store.hide({ start: 2, end: 4 });
    expect(() => pageOf(store)).toThrow("feeds no target");
  });
});

describe("a map that is begun", () => {
  it("is shown with the whole text: what is not computed is printed, and is no target", () => {
    const store = washington([SIGNED[0] ?? [], SIGNED[1] ?? []]);
    store.readBy("sentence");
    store.pin(1);
    const { prose, asked, data, titles } = pageIn(store);
    expect(prose).toEqual([whole]);
    expect(asked).toEqual(["George"]);
    expect([data.cols.slice(-2), data.ended.slice(-2)]).toEqual([
      [null, null],
      [2, 2],
    ]);
    expect(titles.at(-1)).toBe(""); // nor was it seen, though its sentence began before
  });

  it("leaves out a target of which a part is not computed, and says so where that leaves none", () => {
    const store = washington(SIGNED.slice(0, 3));
    store.readBy("word");
    expect(pageIn(store).data.captions.map(({ name }: Caption) => name)).toEqual(["?", "George"]);
    store.pin(0, 4);
    const part = washington(SIGNED.slice(0, 1));
    part.pin(0, 4);
    expect(() => pageOf(part)).toThrow("No target is computed whole: read by tokens");
  });
});

describe("what comes after the target", () => {
  it("has no colour though its sentence began before", () => {
    const store = washington();
    store.readBy("sentence");
    store.pin(2);
    const { texts, titles } = pageIn(store);
    expect(texts.slice(-3)).toEqual(["George", "Wash", "ington"]);
    expect([titles.at(-3), titles.at(-2)]).toEqual([expect.stringContaining("share"), "Wash · the target"]);
    expect(titles.at(-1)).toBe("");
  });
});

// ── characters ──────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("a character that tokens share", () => {
  const shared = (): Said[] => {
    const list: [string, [number, number] | null, [number, number]][] = [
      ["a", null, [0, 1]],
      ["機", [1, 3], [1, 2]],
      ["機", [2, 3], [1, 2]],
      ["機器", [3, 3], [1, 3]],
      ["器", [2, 2], [2, 3]],
      [" b", null, [3, 5]],
    ];
    const words = list.map(([text, part, span], i) =>
      token(text, { part, span, word: i === 0 ? 0 : i < 5 ? 1 : 2, role: i < 5 ? "prompt" : "generated" }),
    );
    return about(words, 5, [[1, 1, 1, 1, 1]]);
  };
  it.each([
    ["token", [], ["a", "機", "²⁄₃", "器", "²⁄₂", "b"]],
    ["word", [], ["a", "機器", "b"]],
    ["word", [[1, 3]], ["a", "機", "器", "b"]],
    ["token", [[0, 2]], ["a機", "²⁄₃", "器", "²⁄₂", "b"]],
  ] as const)("is printed once: by %s, hidden %j", (by, hidden, expected) => {
    const { store } = started(shared());
    store.readBy(by);
    for (const [start, end] of hidden) store.hide({ start, end });
    const { prose, texts } = pageIn(store);
    expect(prose).toEqual(["a機器 b"]);
    if (hidden.length === 0) expect(texts).toEqual(expected);
    else expect(texts.join("")).toBe(expected.join(""));
  });
  it("has a name that says which part it is", () => {
    expect(pageIn(started(shared()).store).titles[2]).toBe("機 (²⁄₃) · share .200 · rank 1 of 5");
  });
});

describe("text from anywhere", () => {
  const HOSTILE = [
    "<script>alert(1)</script>",
    "<!--",
    "</style></title></details></div>",
    "<img src=x onerror=alert(1)>",
    '"><b>',
    "&lt;b&gt;",
    "]]>",
    "a\u0000b\u001b[31m\u202e\u2028\ud83d",
  ];
  /** A text, its segments, its classes, the model, the method and its unit, all called so. */
  function called(name: string, role: "generated" | "class" = "generated"): Store {
    const list = [token(name, { role: "source" }), token(name), token(name, { role }), token("x", { role })];
    const segments = [
      { kind: "source", name, start: 0, end: 1 },
      { kind: "target", name, start: 1, end: 4 },
    ] as const;
    const column = role === "class" ? [1, 2] : [1, 2, NAN];
    const said = about(list, 2, [column, column], { segments: [...segments] });
    const alternatives = [{ id: 7, text: `${name}!`, probability: 0.2 }];
    const more: Said[] = [
      [documentOf(1, 2, { model: name })],
      [
        {
          type: "menu",
          methods: [{ ...METHOD, label: name, unit: name }],
          objectives: [{ id: "probability", label: name }],
        },
      ],
      [{ type: "steps", doc: 1, start: 0, steps: [{ probability: 0.5, value: null, alternatives }] }],
      [mapOf("m1", { n_rows: role === "class" ? 2 : 3, n_cols: 2, foil: name, settings: [["layer", name]] })],
    ];
    return started([...said.slice(0, -2), ...more, ...said.slice(-2)]).store;
  }
  const tags = (html: string) =>
    [...new DOMParser().parseFromString(html, "text/html").querySelectorAll("*")]
      .filter(({ className }) => className !== "sw-sign")
      .map(({ tagName, attributes }) => [tagName, ...[...attributes].map((each) => each.name).sort()].join(" "));

  it.each(
    HOSTILE.flatMap(
      (name) =>
        [
          [name, "generated"],
          [name, "class"],
        ] as const,
    ),
  )("is text: %j as %s", (name, role) => {
    const html = pageOf(called(name, role));
    expect(tags(html)).toEqual(tags(pageOf(called("x", role))));
    const { page, data } = read(html);
    expect(page.querySelectorAll("script")).toHaveLength(2);
    expect(page.querySelectorAll("script")[1]?.textContent).toBe(HOVER);
    expect(data.names[1]).not.toBe("");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
    expect(html).not.toMatch(/[\u0000-\u0008\u001b\u202e\u2028\ud800-\udfff]/u);
  });
  it("is all there, with signs for what nobody would see; a line break stays one", () => {
    const list = ["a\u0000", "\n", "\n", " b\n"].map((text) => token(text));
    const { page, prose } = pageIn(
      started(about([...list, token(".", { role: "generated" })], 4, [[1, 1, 1, 1]])).store,
    );
    expect(prose[0]).toBe("a\n\n b\n.");
    expect(page.title).toBe("tiny: aNUL b .");
    const { boxes } = pageIn(started(about([...list, token(".", { role: "generated" })], 4, [[1, 1, 1, 1]])).store);
    expect(boxes.map(({ textContent }) => textContent)).toEqual(["aNUL", "⏎", "⏎", "b⏎", "."]);
  });
  it("is printed whole, however long a token is, and called by its ends", () => {
    const long = "w".repeat(3000);
    const { prose, titles } = pageIn(started(about([token(long), token("!", { role: "generated" })], 1, [[1]])).store);
    expect(prose).toEqual([`${long}!`]);
    expect(titles[0]).toMatch(/^w{60} … w{30} · share/);
  });
  it("is isolated where it runs from right to left, so that it does not turn the numbers beside it", () => {
    const list = [token("أحب"), token(" you"), token(" שלום", { role: "generated" })];
    const { titles, caption, data } = pageIn(started(about(list, 2, [[2, 1]])).store);
    expect(titles[0]).toBe("\u2068أحب\u2069 · share .667 · rank 1 of 2");
    expect(caption).toContain("\u2068أحب\u2069\u00a0.667 · you\u00a0.333");
    expect([data.names[0], data.captions[0].name]).toEqual(["\u2068أحب\u2069", "\u2068שלום\u2069"]);
  });
});

// ── two texts, classes, two maps ────────────────────────────────────────────────────────────────────────────────────────

describe("a translation", () => {
  const written = (begun: number) => {
    const roles = ["source", "source", "special", "special", ...Array(begun).fill("prompt"), "generated", "generated"];
    const texts = ["我", "喜歡", "</s>", "<pad>", ...[" I", " like", " it"].slice(0, begun + 2)];
    const list = texts.map((text, i) => token(text, { role: roles[i], word: i }));
    const n = list.length - 2;
    const segments = [
      { kind: "source", name: "", start: 0, end: 3 },
      { kind: "target", name: "translation", start: 3, end: list.length },
    ] as const;
    const columns = [
      Array(n + 1)
        .fill(1)
        .fill(NAN, n),
      Array(n + 1).fill(1),
    ];
    return pageIn(started(about(list, n, columns, { segments: [...segments] })).store);
  };
  it("is two texts under their names, each in its own direction", () => {
    const { page, prose, said, boxes } = written(0);
    expect(prose).toEqual(["我喜歡</s>", "<pad> I like"]);
    expect([...page.querySelectorAll(".sw-prose")].map((text) => text.getAttribute("dir"))).toEqual(["auto", "auto"]);
    expect([...page.querySelectorAll(".sw-side")].map(({ firstChild }) => firstChild?.textContent)).toEqual([
      "source",
      "translation",
    ]);
    expect(said(".sw-separator")).toBe(""); // nothing but a start token was read of it
    expect(boxes.map(({ dir }) => dir)).toEqual(["", "", "ltr", "ltr", "", ""]);
  });
  it("says where the writing begins where it was begun", () => {
    const { store } = started();
    expect(new DOMParser().parseFromString(pageOf(store), "text/html").querySelectorAll(".sw-separator")).toHaveLength(
      1,
    );
    expect(written(1).prose[1]).toBe("<pad> I like it");
  });
});

describe("classes", () => {
  function classified(probabilities: number[], columns?: number[][]) {
    const names = probabilities.map((_, k) => token(String.fromCharCode(65 + k), { role: "class", id: 50 + k }));
    const list = [token("[CLS]", { role: "special" }), token("a"), token(" gem"), ...names];
    return started(about(list, 3, columns ?? probabilities.map((_, k) => [0, 1, k + 1]), { probabilities })).store;
  }
  it("stand below the text with their probabilities, and the likeliest is shown first", () => {
    const { prose, said, boxes, data, asked } = pageIn(classified([0.0123, 0.9877]));
    expect(prose).toEqual(["[CLS]a gem"]);
    expect(boxes.slice(3).map(({ textContent }) => textContent)).toEqual(["A .012", "B .988"]);
    expect([data.shown, asked, data.cols]).toEqual([1, ["B .988"], [null, null, null, 0, 1]]);
    expect(said("summary")).toBe("All classes in numbers");
  });
  it("that are many stand by their probability, though the script counts them as they are", () => {
    const { boxes } = pageIn(classified([0.1, 0.02, 0.3, 0.01, 0.5, 0.03, 0.004, 0.006, 0.019, 0.0002]));
    const order = boxes.slice(3).map(({ style, textContent }) => [Number(style.order), textContent?.[0]] as const);
    expect(
      order
        .sort(([a], [b]) => a - b)
        .map(([, name]) => name)
        .join(""),
    ).toBe("ECAFBIDHGJ");
  });
  it("that are not computed are no targets", () => {
    const store = classified([0.2, 0.3, 0.5], [[1, 2, 3]]);
    const { boxes, data } = pageIn(store);
    expect([boxes.length, data.cols, data.ended]).toEqual([6, [null, null, null, 0, null, null], [0, 0, 0, 0, 1, 1]]);
  });
  it("that are plain numbers of a model are its outputs", () => {
    const tokens = [token("a"), token(" gem"), token("A", { role: "class" }), token("B", { role: "class" })];
    const messages = about(
      tokens,
      2,
      [
        [1, 2],
        [3, 4],
      ],
      {},
    );
    const { store } = started(
      messages.map(([message, ...rest]) =>
        message.type === "document"
          ? [{ ...message, raw: true }, ...rest]
          : message.type === "steps"
            ? [
                {
                  ...message,
                  steps: [
                    { probability: null, value: -1.5, alternatives: [] },
                    { probability: null, value: 2.25, alternatives: [] },
                  ],
                },
                ...rest,
              ]
            : [message, ...rest],
      ),
    );
    const html = pageOf(store);
    expect(html).toContain(">outputs<");
    expect(html).toContain("All outputs in numbers");
    expect(html).toContain("−1.5");
    expect(html).not.toContain("class<");
  });
  it("have the colours of what they owe to an input", () => {
    const store = classified([0.4, 0.6]);
    store.turn({ start: 2, end: 3 });
    const { asked, titles } = pageIn(store);
    expect([asked, titles.slice(3)]).toEqual([["gem"], ["A · fed .500 · rank 2 of 2", "B · fed .667 · rank 1 of 2"]]);
  });
});

describe("a difference of two maps", () => {
  const [A, B] = [
    [
      [0.3, -1.2, 0.8],
      [1.1, 0.4, -0.7, 0.2],
    ],
    [
      [-0.5, 0.9, 0.1],
      [0.6, -1.4, 0.3, 2],
    ],
  ];
  const words = [0, 0, 1, 2, 3];
  function compared(): Store {
    const list = words.map((word, i) => token(`t${i}`, { word, role: i < 3 ? "prompt" : "generated" }));
    const columns = (of: number[][] = []) => of.map((column) => [...column, ...Array(4 - column.length).fill(NAN)]);
    const fill = (map: string, of: number[][]): Said[] => [
      [mapOf(map, { method: map, n_rows: 4, n_cols: 2, objective: "log_probability", aside: map !== "difference" })],
      ...of.map((scores, col): Said => [{ type: "column", map, seq: 1, col, n_rows: 4 }, scores]),
    ];
    const card = (id: string, family: string) => ({
      ...METHOD,
      id,
      label: id,
      family,
      signed: true,
      uses_objective: false,
    });
    const [hello, , all] = about(list, 3, []);
    return started([
      hello as Said,
      [documentOf(1, 3, { model: "A: one | B: two", alive: false, beside: ["a", "b"] })],
      all as Said,
      [
        {
          type: "menu",
          methods: [
            card("a", "gradient"),
            card("b", "gradient"),
            { ...card("difference", "difference"), unit: "difference of shares" },
          ],
          objectives: [],
        },
      ],
      ...fill("a", columns(A)),
      ...fill("b", columns(B)),
      ...fill("difference", columns(A)), // its own do not count
    ]).store;
  }
  it.each([
    ["tokens", {}],
    ["words", { words: true }],
    ["the mean of words", { words: true, pool: "mean" }],
    ["what is not hidden", { hidden: 1 }],
    ["two targets as one", { pin: true }],
    ["their sum", { pin: true, joint: "sum" }],
  ] as [string, { words?: boolean; pool?: "mean"; hidden?: number; pin?: boolean; joint?: "sum" }][])(
    "is taken between the shares that are seen: of %s",
    (_, how) => {
      const store = compared();
      if (how.words) store.readBy("word");
      store.pool.value = how.pool ?? "sum";
      store.joint.value = how.joint ?? "mean";
      if (how.hidden !== undefined) store.hide({ start: how.hidden, end: how.hidden + 1 });
      if (how.pin) store.pin(0, 2);
      const share = (of: number[][] = []) => {
        const rows = [0, 1, 2].map((row) => {
          const both = of.map((column) => column[row] ?? NAN);
          return row === how.hidden ? NAN : how.pin ? together(both, how.joint ?? "mean") : (both[0] ?? NAN);
        });
        return shares(how.words ? [together(rows.slice(0, 2), how.pool ?? "sum"), rows[2] ?? NAN] : rows);
      };
      const [a, b] = [share(A), share(B)];
      const { scores, data, head } = pageIn(store);
      expect(scores[0]?.slice(0, a.length).map((x) => x.toFixed(6))).toEqual(
        a.map((x, k) => (x - (b[k] ?? NAN)).toFixed(6)),
      );
      expect([data.label, data.signed]).toEqual(["difference", true]);
      expect(head).toMatch(/^A: one \| B: two · difference · log-probability · difference of shares/);
    },
  );
});

// ── as a file ───────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("the file", () => {
  beforeEach(() => {
    document.body.replaceChildren();
  });
  it("is whole, says what it is, and asks for nothing", () => {
    const html = pageOf(started().store);
    const { page } = read(html);
    expect(html).toMatch(/^<!doctype html>\n<html>/);
    expect(page.head.firstElementChild?.getAttribute("charset")).toBe("utf-8");
    expect(page.title).toBe("tiny: The first president was George Washington. He");
    expect(html.replace(HOVER, "")).not.toMatch(/(src|href|srcset)\s*=|url\(|@import|https?:/);
    const long = started(conversation(["word", ...Array(299).fill(" word")], 298, [Array(299).fill(1)])).store;
    expect(read(pageOf(long)).page.title.length).toBeLessThan(80);
  });
  it("can be hovered by the script that goes along", async () => {
    const store = washington();
    store.readBy("word");
    store.hide({ start: 5, end: 7 });
    const html = pageOf(store);
    document.body.innerHTML = read(html).page.body.innerHTML;
    vi.resetModules();
    await import("../src/static");
    const boxes = [...document.querySelectorAll<HTMLElement>(".sw-token")];
    const seen = () => [document.querySelector(".sw-caption")?.textContent, ...boxes.map(({ title }) => title)];
    const before = read(html);
    expect(seen()).toEqual([before.caption, ...before.titles]);
    boxes.at(-1)?.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
    store.pin(2);
    const other = pageIn(store);
    expect(seen()).toEqual([other.caption, ...other.titles]);
    expect(other.caption).toMatch(/^Washington/);
  });
  it("has the colours of one target alone where all would be too much", () => {
    const texts = ["w", ...Array(999).fill(" w")];
    const column = (n: number) => Array.from({ length: 999 }, (_, row) => (row < n ? 1 + (row % 7) : NAN));
    const columns = Array.from({ length: 300 }, (_, col) => column(700 + col));
    const { page, titles, said } = pageIn(started(conversation(texts, 700, columns)).store);
    expect(page.querySelectorAll("script")).toHaveLength(0);
    expect(said(".sw-static-map")).toContain("this page has the colours of this one target alone");
    expect(titles.filter((title) => title.includes("share"))).toHaveLength(700);
    expect(page.querySelectorAll("tbody tr")).toHaveLength(300);
  });
});
