/** The HTML that the page saves: its numbers against plain reckoning, its colours against the living text, its words. */

import { describe, expect, it } from "vitest";
import { makeRamp, STEPS, swatchOf } from "../src/color";
import type { Caption } from "../src/hover";
import type { MapBegins } from "../src/protocol";
import type { Store } from "../src/store";
import { pageOf } from "../src/views/takeaway/page";
import { COLUMNS, conversation, mapOf, started } from "./help";
import {
  ALONE,
  AT,
  type How,
  isThere,
  NAN,
  pageIn,
  reckoned,
  SENTENCES,
  SIGNED,
  shares,
  together,
  total,
  WASHINGTON,
  WORDS,
  washington,
  whole,
} from "./paging";

it("the page says what the live one says of the map's numbers, and of no other map", () => {
  const store = washington();
  store.receive({ type: "notes", map: "m1", notes: [{ text: "Half of <it> is noise.", cols: null }] });
  store.receive({ type: "notes", map: "m2", notes: [{ text: "Another.", cols: [0] }] });
  const head = new DOMParser().parseFromString(pageOf(store), "text/html").querySelector(".sw-head")?.textContent;
  expect(head).toContain("Half of <it> is noise.");
  expect(head).not.toContain("Another.");
});

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

  it("name the layer, the head and an unusual operator, and what the target is set against", () => {
    const of = (more: Partial<MapBegins>) => pageIn(started([...conversation(), [mapOf("m1", more)]]).store).head;
    const settings: [string, string][] = [
      ["layer", "0"],
      ["head", "5"],
      ["reduction", "mean"],
    ];
    expect(of({ method: "attention", settings })).toBe(
      "tiny · Attention · layer 0 · head 5 · share of the gradient norm",
    );
    const occluded = (operator: string) =>
      of({
        method: "occlusion",
        settings: [
          ["operator", operator],
          ["unit", "word"],
        ],
      });
    expect(occluded("mask")).toMatch(/^tiny · Occlusion · operator mask · probability · /);
    expect(occluded("replace")).toMatch(/^tiny · Occlusion · probability · /);
    expect(of({ foil: " Bush" })).toBe(
      "tiny · Gradient · probability · less that of Bush · share of the gradient norm",
    );
  });

  it("say on which scale the colours are, in which numbers, and how they were pooled", () => {
    const store = washington();
    store.pin(0);
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
    expect(caption).toMatch(/^George Wash joint p = \.125 · shares: sum of 2 tokens/);
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
