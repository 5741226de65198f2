/** What was said beside what was computed. */

import { describe, expect, it } from "vitest";
import type { Comparison, WireFigure } from "../src/protocol";
import { beyondChance, manner, verdict } from "../src/views/explain/said";
import { COMPARISON, EXPLAINERS, explaining, PROSE } from "./explaining";
import { press, texts } from "./help";

const view = explaining();

describe("the comparison", () => {
  it("shows what was said and done of each word, each method as a share of its own largest score", () => {
    const { el } = view(EXPLAINERS, COMPARISON);
    expect(texts(el, ".sw-word-table thead th")).toEqual(["word", "said", "Gradient", "Occlusion"]);
    const rows = [...el.querySelectorAll(".sw-word-table tbody tr")].map((row) => texts(row, "th, td"));
    expect(rows[4]).toEqual(["compelling", "0.90", "0.83", "1.00"]);
    expect(rows[8]).toEqual(["audiences", "0.20", "0.34", "−0.46"]);
    expect(rows[16]).toEqual([".", "–", "0.13", "–"]);
    const titles = [...el.querySelectorAll<HTMLElement>(".sw-word-table tbody tr:nth-child(9) td")].map(
      (td) => td.title,
    );
    expect(titles).toEqual(["0.20 ± 0.12 in 3 askings", "Gradient: 0.0580", "Occlusion: −0.0520"]);
  });
  it("stands above the answers until another is asked for, through a closed drawer", () => {
    const { el, hear, box } = view(EXPLAINERS, PROSE, COMPARISON);
    const order = () => [...(el.querySelector(".sw-explain")?.children ?? [])].map(({ className }) => className);
    expect(order()).toEqual(["sw-form", "sw-comparison", ""]);
    hear({ ...PROSE, text: "More." });
    expect(order()).toEqual(["sw-form", "sw-comparison", ""]);
    hear({ ...PROSE, id: PROSE.id + 1, state: "waiting" });
    expect(order()).toEqual(["sw-form", "", "sw-comparison"]);
    press(box(5), "e");
    press(box(5), "e");
    expect(order()).toEqual(["sw-form", "", "sw-comparison"]);
    hear({ ...COMPARISON, levels: 3 });
    expect(order()).toEqual(["sw-form", "sw-comparison", ""]);
  });
  it("takes a figure for chance where rounding alone tells it from what shuffled words reach", () => {
    const figure = (value: number) => ({ ...(COMPARISON.sides[0]?.figures[0] as WireFigure), value, random_high: 0.6 });
    expect([0.6, 0.6 + 1e-12, 0.61, -0.47 - 1e-12, -0.48].map((value) => beyondChance(figure(value)))).toEqual([
      0, 0, 1, 0, -1,
    ]);
  });
  it("sets chance beside every figure, and is bold only beyond it", () => {
    const { el } = view(EXPLAINERS, COMPARISON);
    expect(texts(el, ".sw-figure-table td")).toEqual([
      "0.86shuffled −0.01 [−0.47, 0.48]",
      "0.31shuffled −0.02 [−0.45, 0.46]",
      "0.80shuffled 0.31 [0.00, 0.60]",
      "–shuffled 0.30 [0.00, 0.60]",
    ]);
    expect(texts(el, ".sw-figure-table b")).toEqual(["0.86", "0.80"]);
    el.querySelector<HTMLElement>(".sw-comparison .sw-info")?.click();
    expect(el.querySelector("[role=dialog]")?.textContent).toContain("no proof");
  });
  it("comes to a sentence in plain words", () => {
    const figure = COMPARISON.sides[0]?.figures[0];
    const of = (...values: (number | null)[]): Comparison => ({
      ...COMPARISON,
      sides: values.map((value, i) => ({
        method: `${i}`,
        label: "ABCD"[i] ?? "",
        signed: true,
        scores: [],
        figures: figure === undefined ? [] : [{ ...figure, value }],
      })),
    });
    const said = (...values: (number | null)[]) =>
      verdict(of(...values)).replace("It answered positive (p = .830). ", "");
    const more = "what it said more than shuffled words do.";
    expect(said(0, 0.1, 0.48, null)).toBe(`Of 4 methods none agrees with ${more}`);
    expect(said(0, 0.9)).toBe(`Of 2 methods only B agrees with ${more}`);
    expect(said(0.8, 0, 0.9)).toBe(`Of 3 methods A and C agree with ${more}`);
    expect(said(0.8, 0.9)).toBe(`All 2 methods agree with ${more}`);
    expect(said(0.8)).toBe(`A agrees with ${more}`);
    expect(said(0)).toBe(`A does not agree with ${more}`);
    expect(said(0, -0.9)).toBe(`Of 2 methods none agrees with ${more} B runs against it.`);
    expect(said(null, null)).toBe("What it said cannot be ranked against any method.");
    expect(verdict({ ...of(), label: "negative" })).toBe("It answered negative (p = .830).");
    expect(verdict({ ...of(), label_probability: null })).toBe("It answered positive.");
    expect(manner(COMPARISON)).toBe(
      "10 distinct values in its first answer, 44 % zeros; asked 3 times: rank correlation 0.92 between askings",
    );
    expect(manner({ ...COMPARISON, levels: 1, zeros: 0, askings: 1, stability: null })).toBe(
      "1 distinct value, 0 % zeros; asked once",
    );
  });
});
