import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { WireToken } from "../src/protocol";
import { randomTop, type ScaleName, scaleOf } from "../src/scale";
import {
  type Granularity,
  joined,
  masked,
  opening,
  type Pool,
  pooled,
  pooledError,
  unitsOf,
  unitsWithin,
  wholeUnits,
} from "../src/units";
import { token } from "./help";

const NAN = Number.NaN;

type Case = {
  name: string;
  tokens: (Partial<WireToken> & { text: string })[];
  first_target: number;
  units: Record<Granularity, number[]>;
};
/** Python is held to the same file: tests/unit/test_units.py. */
const { cases } = JSON.parse(readFileSync(join(process.cwd(), "tests/data/units.json"), "utf8")) as { cases: Case[] };

/** "don't" is one word of three tokens, 東京 one of two; the second sentence begins at 6, the written text at 8. */
const TOKENS: WireToken[] = [
  token("don", { word: 0 }),
  token("'", { word: 0 }),
  token("t", { word: 0 }),
  token(" go", { word: 1 }),
  token("東", { word: 2 }),
  token("京", { word: 2 }),
  token(" Stay", { word: 3, sentence: 1 }),
  token(".", { word: 4, sentence: 1 }),
  token(" O", { word: 5, sentence: 1, role: "generated", segment: 1 }),
  token("K", { word: 5, sentence: 1, role: "generated", segment: 1 }),
];
const FIRST = 8;
/** Units as pairs, after one at each of these tokens was opened, one after another. */
function cut(granularity: Granularity, at: number[] = []) {
  let opened: ReadonlySet<number> = new Set();
  for (const token of at) opened = opening(unitsOf(TOKENS, FIRST, granularity, opened), token, opened);
  return unitsOf(TOKENS, FIRST, granularity, opened).spans.map(({ start, end }) => [start, end]);
}

const anyTokens = fc.array(
  fc.record({
    word: fc.nat(3),
    sentence: fc.nat(2),
    segment: fc.nat(1),
    role: fc.constantFrom("prompt", "special", "generated"),
  }),
  { maxLength: 30 },
) as fc.Arbitrary<Partial<WireToken>[]>;

describe("units", () => {
  it.each(cases)("begin where aggregate() and occlusion have them begin: $name", ({ tokens, first_target, units }) => {
    const text = tokens.map((about) => token(about.text, about));
    for (const [unit, starts] of Object.entries(units))
      expect(unitsOf(text, first_target, unit as Granularity).spans.map(({ start }) => start)).toEqual(starts);
  });
  it("are tokens, words, sentences or segments, and never lead from the input into the output", () => {
    expect(cut("token")).toEqual(TOKENS.map((_, i) => [i, i + 1]));
    expect(cut("word")).toEqual([
      [0, 3],
      [3, 4],
      [4, 6],
      [6, 7],
      [7, 8],
      [8, 10],
    ]);
    expect(cut("sentence")).toEqual([
      [0, 6],
      [6, 8],
      [8, 10],
    ]);
    expect(cut("segment")).toEqual([
      [0, 8],
      [8, 10],
    ]);
  });
  it("that are opened show their finer parts, again and again", () => {
    expect(cut("sentence", [0]).slice(0, 3)).toEqual([
      [0, 3],
      [3, 4],
      [4, 6],
    ]);
    const first = [
      [0, 1],
      [1, 2],
      [2, 3],
      [3, 4],
      [4, 6],
    ];
    expect(cut("word", [1]).slice(0, 5)).toEqual(first);
    expect(cut("sentence", [5, 2]).slice(0, 5)).toEqual(first);
    expect(cut("sentence", [5, 2, 0, 1])).toEqual(cut("sentence", [5, 2]));
  });
  it("that are opened are cut, by the first finer kind that does: a segment may be one sentence, and that one word", () => {
    expect(cut("segment", [8])).toEqual([
      [0, 8],
      [8, 9],
      [9, 10],
    ]);
    fc.assert(
      fc.property(anyTokens, fc.nat(30), fc.nat(2), fc.nat(29), (list, first, level, at) => {
        const tokens = list.map((more) => token("x", more));
        const granularity = (["word", "sentence", "segment"] as const)[level] ?? "word";
        const units = unitsOf(tokens, first, granularity);
        const { start, end } = units.spans[units.of[at] ?? -1] ?? { start: 0, end: 0 };
        const after = unitsOf(tokens, first, granularity, opening(units, at, new Set()));
        expect(after.spans.length > units.spans.length).toBe(end - start > 1);
      }),
    );
  });
  it("tile any text, and know for each token which unit it is in", () => {
    fc.assert(
      fc.property(anyTokens, fc.nat(30), fc.nat(3), fc.array(fc.nat(29)), (list, first, level, opened) => {
        const tokens = list.map((more) => token("x", more));
        const granularity = (["token", "word", "sentence", "segment"] as const)[level] ?? "token";
        const { spans, of } = unitsOf(tokens, first, granularity, new Set(opened));
        let next = 0;
        for (const [k, { start, end }] of spans.entries()) {
          expect(start).toBe(next);
          expect(end).toBeGreaterThan(start);
          expect(start < first && end > first).toBe(false);
          for (let i = start; i < end; i++) expect(of[i]).toBe(k);
          next = end;
        }
        expect(next).toBe(tokens.length);
      }),
    );
  });
  it("cover a span with whole ones, and count those that begin among the rows", () => {
    const units = unitsOf(TOKENS, FIRST, "word");
    expect(wholeUnits(units, { start: 1, end: 5 })).toEqual({ start: 0, end: 6 });
    expect([unitsWithin(units, 9), unitsWithin(units, 8), unitsWithin(units, 0)]).toEqual([6, 5, 0]);
  });
});

describe("scores of units", () => {
  const units = unitsOf(TOKENS, FIRST, "word");
  const column = Float32Array.from([1, -3, 2, 4, NAN, 8, NAN, 0]);
  it("are pooled by sum, mean or max; of a unit that is seen in part the part counts", () => {
    expect([...pooled(column, units, "sum")]).toEqual([0, 4, 8, NAN, 0]);
    expect([...pooled(column, units, "mean")]).toEqual([0, 4, 8, NAN, 0]);
    expect([...pooled(column, units, "max")]).toEqual([2, 4, 8, NAN, 0]);
  });
  it("add up to what the tokens add up to", () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -99, max: 99 }), { minLength: 10, maxLength: 10 }), (numbers) => {
        const total = (values: Iterable<number>) => [...values].reduce((sum, value) => sum + value, 0);
        for (const granularity of ["token", "word", "sentence", "segment"] as const) {
          const found = pooled(Float32Array.from(numbers), unitsOf(TOKENS, FIRST, granularity), "sum");
          expect(total(found)).toBe(total(numbers));
        }
      }),
    );
  });
  it("of several targets are their mean or sum over those that can see the row", () => {
    const [a, b] = [Float32Array.from([1, 2, NAN]), Float32Array.from([3, NAN, NAN])];
    expect([...joined([a, b], "mean")]).toEqual([2, 2, NAN]);
    expect([...joined([a, b], "sum")]).toEqual([4, 2, NAN]);
  });
  it("are not there where rows are hidden, and the column itself stays as it was", () => {
    const scores = Float32Array.from([1, 2, 3]);
    expect([...masked(scores, Uint8Array.from([0, 1, 0]))]).toEqual([1, NAN, 3]);
    expect([...scores]).toEqual([1, 2, 3]);
  });
});

describe("the scale", () => {
  const values = [0.1, -0.4, 0.2, 0, NAN];
  const on = (name: ScaleName) => values.map(scaleOf(name, values, 0.4, 0.5));
  it("is linear up to the largest", () => {
    expect(on("linear")).toEqual([0.25, -1, 0.5, 0, 0]);
  });
  it("goes by rank, zeros left out", () => {
    expect(on("quantile")).toEqual([1 / 3, -1, 2 / 3, 0, 0]);
  });
  it("leaves out what is below the threshold", () => {
    expect(on("threshold")).toEqual([0, -1, 0.5, 0, 0]);
  });
  it("shows nothing in a domain of nothing, and stays within the ramp in any other", () => {
    for (const name of ["linear", "quantile", "threshold"] as const) {
      expect(scaleOf(name, [0, 0], 0, 0.5)(0)).toBe(0);
      fc.assert(
        fc.property(fc.array(fc.float({ noNaN: true, noDefaultInfinity: true }), { minLength: 1 }), (list) => {
          const max = Math.max(...list.map(Math.abs));
          for (const value of list) expect(Math.abs(scaleOf(name, list, max, 0.5)(value))).toBeLessThanOrEqual(1);
        }),
      );
    }
  });
});

it("the largest share of noise is what noise has on average", () => {
  const n = 50;
  let [seed, tops] = [1, 0];
  const random = () => {
    seed = (seed * 48271) % 2147483647;
    return seed / 2147483647;
  };
  for (let k = 0; k < 2000; k++) {
    const noise = Array.from({ length: n }, random);
    tops += Math.max(...noise) / noise.reduce((sum, value) => sum + value, 0);
  }
  expect(tops / 2000).toBeCloseTo(randomTop(n), 2);
});

describe("the standard error of a pooled score", () => {
  const nan = Number.NaN;
  const scores = Float32Array.of(1, -3, nan, 2);
  const errors = Float32Array.of(0.25, 0.5, 9, nan);
  it("is the sum, the mean, or that of the largest, of the tokens that have a score", () => {
    const of = (pool: Pool, end = 3) => pooledError(scores, errors, { start: 0, end }, pool);
    expect([of("sum"), of("mean"), of("max")]).toEqual([0.75, 0.375, 0.25]);
    expect([of("sum", 4), of("mean", 4), of("max", 4)]).toEqual([nan, nan, nan]); // one is not known
  });
  it("is not there where no token has a score", () => {
    expect(pooledError(scores, errors, { start: 2, end: 3 }, "sum")).toBeNaN();
    expect(pooledError(scores, errors, { start: 4, end: 6 }, "sum")).toBeNaN();
  });
});
