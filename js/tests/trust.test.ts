/** The Trust drawer: its question to the kernel, the answer it shows, and the mark on a method. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, describe, expect, it } from "vitest";
import type { Evaluation, Sanity } from "../src/protocol";
import { conversation, mapOf, mounted, press, type Said, texts } from "./help";

const GOLDEN = join(process.cwd(), "tests/protocol/to_page/evaluation.json");
/** The answer about the first target of the small text: of the map on show, and of two that are no more there. */
function told(more: Partial<Evaluation> = {}): Evaluation {
  return { ...(JSON.parse(readFileSync(GOLDEN, "utf8")) as Evaluation), ...more };
}

let world: ReturnType<typeof mounted>;
afterEach(() => world?.life.abort());

function opened(messages: readonly Said[] = conversation()) {
  world = mounted(messages);
  press(world.el.querySelector(".sw-text") as Element, "p");
  return world;
}
const status = (phase: string, what = "Trust"): Said => [
  { type: "status", phase, what, done: 0, total: null, unit: "rows", seconds_left: null },
];
const found = <T extends Element = HTMLElement>(name: string) => {
  const one = world.el.querySelector<T>(name);
  if (one === null) throw new Error(`no ${name}`);
  return one;
};
const evaluate = () => found<HTMLButtonElement>(".sw-trust .sw-ask-line button");

describe("before it is asked for", () => {
  it("says what will be read, for how many words, and asks for the target on show", () => {
    const { model } = opened();
    // The, first, president, was, George before Washington: the first always stays.
    expect(found(".sw-trust-cost").textContent).toContain("Every choice of about 4 words is read, under 2 operators");
    expect(found(".sw-trust .sw-sentence").textContent).toContain("Washington");
    evaluate().click();
    evaluate().click();
    expect(model.sent.filter(({ type }) => type === "evaluate")).toEqual([
      { type: "evaluate", cols: [0], ahead: true },
      { type: "evaluate", cols: [0] },
    ]);
    expect(evaluate().textContent).toBe("Evaluating …");
  });
  it("says where there is nothing to take away", () => {
    opened(
      conversation(["The", " first", " man"], 1, [
        [0.5, Number.NaN],
        [0.5, 0.5],
      ]),
    );
    expect(found(".sw-trust-cost").textContent).toBe("There seems to be no word before it that can be taken away.");
  });
  it("tells how long it will take where the time of a pass is known", () => {
    const { model } = opened();
    const menu = conversation().find(([{ type }]) => type === "menu")?.[0] as { methods: object[] };
    model.hear({
      ...menu,
      methods: menu.methods.map((method) => ({ ...method, seconds: 3 })),
    });
    expect(found(".sw-trust-cost").textContent).toMatch(/\(about \d+ s\)|\(less than a second\)/);
  });
  it("asks for all columns of a pinned stretch, and of one that is pinned later", () => {
    const { model, store } = opened();
    store.pin(1, 2);
    evaluate().click();
    expect(model.sent.at(-1)).toEqual({ type: "evaluate", cols: [1, 2] });
    for (const phase of ["cancelled", "failed"]) {
      const [message] = status(phase);
      model.hear(message);
      expect(evaluate().textContent).toBe("Evaluate");
      evaluate().click();
    }
    expect(model.sent.filter((one) => one.type === "evaluate" && one.ahead !== true)).toHaveLength(3);
  });
  it("is not there where there is no model to ask", () => {
    world = mounted(
      conversation().map(([message, scores]) => [
        { ...message, ...(message.type === "document" && { alive: false }) },
        scores,
      ]),
    );
    expect(texts(world.el, ".sw-drawer-toggle:not([hidden])")).not.toContain("Trust");
  });
});

describe("what was found", () => {
  it("is a sentence for each map and operator, a warning, and a curve for each", () => {
    const { el, model } = opened();
    const answer = told();
    model.hear(answer);
    expect(texts(el, ".sw-judged-head b")).toEqual(["Gradient", "Occlusion", "Random"]);
    expect(texts(el, ".sw-judged-line > :last-child")).toEqual(
      answer.maps.flatMap(({ judgements }) => judgements.map(({ sentence }) => sentence)),
    );
    expect(texts(el, ".sw-warning").map((text) => (text ?? "").replace(/^⚠\s*/, ""))).toEqual(
      answer.maps.flatMap(({ warnings }) => warnings),
    );
    const charts = [...el.querySelectorAll(".sw-curves")];
    expect(charts).toHaveLength(2);
    for (const chart of charts) {
      expect(chart.querySelectorAll(".sw-curve path")).toHaveLength(3);
      expect(chart.querySelectorAll(".sw-band")).toHaveLength(1);
      expect(chart.getAttribute("aria-label")).toContain("Occlusion");
    }
  });
  it("has the numbers of the kernel in its curves", () => {
    const { model } = opened();
    const answer = told();
    model.hear(answer);
    const dots = [...found<SVGElement>(".sw-curves .sw-curve-0").querySelectorAll("circle")];
    const ys = dots.map((dot) => Number(dot.getAttribute("cy")));
    const [floor, judged] = [answer.floors[0], answer.maps[0]?.judgements[0]];
    const values = [floor?.whole ?? 0, ...(judged?.without ?? [])];
    // The axis goes from 0 (bottom) to 1 (top): the height of a point is its probability.
    const heights = ys.map((y) => (180 - y) / 170);
    for (const [k, value] of values.entries()) expect(heights[k]).toBeCloseTo(value, 6);
  });
  it("is drawn the other way on demand, from the emptied text on", () => {
    const { el, model } = opened();
    model.hear(told());
    const picks = [...el.querySelectorAll<HTMLElement>(".sw-charts-head .sw-pick")];
    expect(picks.map((pick) => pick.getAttribute("aria-pressed"))).toEqual(["true", "false"]);
    picks[1]?.click();
    expect(found(".sw-curves").getAttribute("aria-label")).toContain("nothing but words kept");
    expect(picks.map((pick) => pick.getAttribute("aria-pressed"))).toEqual(["false", "true"]);
  });
  it("has a matrix of agreement whose names show the maps", () => {
    const { el, model } = opened([...conversation(), [mapOf("m2", { method: "occlusion", aside: true })]]);
    model.hear(told());
    expect(texts(el, ".sw-agreement tbody td")).toEqual([
      "·",
      "−0.18",
      "0.07",
      "−0.18",
      "·",
      "−0.25",
      "0.07",
      "−0.25",
      "·",
    ]);
    const link = [...el.querySelectorAll<HTMLElement>(".sw-agreement tbody .sw-link")][1];
    link?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "occlusion", objective: "probability" });
  });
  it("belongs to its target: another one has none yet", () => {
    const { el, model, store } = opened();
    model.hear(told());
    store.pin(1);
    expect(el.querySelectorAll(".sw-judged")).toHaveLength(0);
    expect(found(".sw-trust-cost").textContent).not.toBe("");
    store.pin(0);
    expect(el.querySelectorAll(".sw-judged")).toHaveLength(3);
  });
  it("of another text is forgotten", () => {
    const { el, model } = opened();
    model.hear(told({ doc: 9 }));
    expect(el.querySelectorAll(".sw-judged")).toHaveLength(0);
  });
  it("offers to judge maps that came later, and to go on where it was stopped", () => {
    const { model } = opened();
    model.hear(told({ maps: told().maps.slice(1) }));
    expect(evaluate().textContent).toBe("Evaluate 1 map too".replace("1 map", "1 newer map"));
    model.hear(told({ complete: false }));
    expect(evaluate().textContent).toBe("Go on");
    expect(found(".sw-trust .sw-ask-line").textContent).toContain("It was stopped");
    evaluate().click();
    expect(found(".sw-trust .sw-ask-line").textContent).toContain("More random orders are on their way");
  });
  it("is text, whatever a name holds", () => {
    const { el, model } = opened();
    const [first, ...rest] = told().maps;
    if (first === undefined) throw new Error("no map");
    model.hear(told({ target: "<b>x</b>", maps: [{ ...first, label: "<img src=x>" }, ...rest] }));
    expect(el.querySelector(".sw-trust img")).toBeNull();
    expect(texts(el, ".sw-judged-head b")[0]).toBe("<img src=x>");
  });
});

describe("whether maps are about the model", () => {
  const CHECKS = join(process.cwd(), "tests/protocol/to_page/sanity.json");
  const known = (more: Partial<Sanity> = {}): Sanity => ({
    ...(JSON.parse(readFileSync(CHECKS, "utf8")) as Sanity),
    ...more,
  });
  const unfold = () => {
    const fold = found<HTMLDetailsElement>(".sw-sanity");
    fold.open = true;
    fold.dispatchEvent(new Event("toggle"));
  };
  const asked = () => world.model.sent.filter(({ type }) => type === "sanity");
  const called = (name: string) => found<HTMLButtonElement>(`.sw-sanity button[aria-label="${name}"]`);

  it("asks what it costs once it is opened, and again only when another map is there", () => {
    const { model } = opened();
    expect(asked()).toEqual([]);
    unfold();
    expect(asked()).toEqual([{ type: "sanity", cols: [0], ahead: true }]);
    model.hear(known());
    expect(asked()).toHaveLength(1);
    model.hear(mapOf("m2", { method: "occlusion", aside: true }));
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m2", seq: 9, col: 0, n_rows: 7 }, Array(7).fill(1));
    expect(asked()).toHaveLength(2);
  });
  it("has a line for each map: what was found, or its price and a button, or why there is none", () => {
    const { el, model } = opened();
    unfold();
    model.hear(known());
    expect(texts(el, ".sw-checked-head b")).toEqual(["Gradient", "Random", "Occlusion", "What it says"]);
    const lines = texts(el, ".sw-checked");
    expect(lines[0]).toContain("no more of its order is left than chance would leave (−0.17).");
    expect(lines[1]).toContain("does not notice the weights");
    expect(lines[1]).toContain("⚠ With all weights shuffled it stays as it was");
    expect(lines[2]).toContain("10 more maps, about 14 s");
    expect(lines[3]).toContain("It was not computed by this model");
    expect(texts(el, ".sw-sanity > summary")[0]).toContain("⚠ Random");
    expect(found(".sw-sanity-cost").textContent).toBe("a copy of the weights takes 538 MB");
    expect([...found(".sw-checked table").querySelectorAll("th")].map((cell) => cell.textContent)).toEqual(
      known().maps[0]?.figures.map(({ label }) => label),
    );
  });
  it("checks one map, or all that are left, once, and can go on after a stop", () => {
    const { model } = opened();
    unfold();
    const [first, ...rest] = known().maps;
    if (first === undefined) throw new Error("no map");
    model.hear(known({ maps: [{ ...first, complete: false }, ...rest] }));
    expect(called("Go on with Gradient").textContent).toBe("Go on");
    called("Check Occlusion").click();
    called("Check all 2 maps").click();
    expect(asked().slice(1)).toEqual([{ type: "sanity", cols: [0], maps: ["m2"] }]);
    expect(called("Check Occlusion").getAttribute("aria-disabled")).toBe("true");
    const [message] = status("cancelled", "Sanity");
    model.hear(message);
    called("Check all 2 maps").click();
    expect(asked().slice(2)).toEqual([{ type: "sanity", cols: [0], maps: ["m1", "m2"] }]);
    const [done] = status("done", "Sanity");
    model.hear(done);
    expect(called("Check all 2 maps").getAttribute("aria-disabled")).toBe("false");
  });
  it("is announced, and belongs to its target", () => {
    const { el, model, store } = opened();
    unfold();
    model.hear(known());
    expect(texts(el, ".sw-trust [role=status]").join(" ")).toContain("Random: With all weights shuffled it stays");
    store.pin(1);
    expect(el.querySelectorAll(".sw-checked")).toHaveLength(0);
    expect(asked().at(-1)).toEqual({ type: "sanity", cols: [1], ahead: true });
  });
  it("of another text is forgotten", () => {
    const { el, model } = opened();
    unfold();
    model.hear(known({ doc: 9 }));
    expect(el.querySelectorAll(".sw-checked")).toHaveLength(0);
  });
});

describe("the mark of a method", () => {
  const marked = () => texts(world.el, ".sw-at-chance");
  it("stands at those that are no better than chance for the target on show, and says so", () => {
    const { model, store } = opened();
    expect(marked()).toEqual([]);
    model.hear(told());
    expect(marked()).toContain("Gradient");
    const title = found(".sw-at-chance").getAttribute("title");
    expect(title).toContain("No better than chance for “Washington”");
    store.pin(2);
    expect(marked()).toEqual([]);
  });
  it("does not stand at a method one of whose maps is better", () => {
    const { model } = opened();
    const [first, ...rest] = told().maps;
    if (first === undefined) throw new Error("no map");
    model.hear(told({ maps: [first, { ...first, map: "m9", is_chance: false }, ...rest] }));
    expect(marked()).not.toContain("Gradient");
  });
});
