/** Maps side by side: what is asked of the kernel, and numbers worked out by hand. */

import { afterEach, describe, expect, it } from "vitest";
import { type MapBegins, PROTOCOL } from "../src/protocol";
import { differenceOfShares, shareOf, statsOf } from "../src/scores";
import { rankCorrelation } from "../src/views/compare/rank";
import { conversation, mapOf, mounted, over, press, type Said, texts } from "./help";

const NAN = Number.NaN;
/** Of the map "m2": what " Washington" and "." are given by another method. */
const OTHER = [
  [0.4, -0.1, 0.3, 0.1, -0.1, NAN, NAN],
  [-1, 1, 1, 1, 1, 1, NAN],
];

let world: ReturnType<typeof mounted>;
afterEach(() => world?.life.abort());

/** With the map on show alone: the reader let go of the second one before. */
function opened(messages: readonly Said[] = conversation()) {
  world = mounted(messages);
  world.store.beside.value = [{ method: "saliency", objective: "probability" }];
  press(world.el.querySelector(".sw-text") as Element, "c");
  return world;
}

function begins(more: Partial<MapBegins> = {}): Said {
  return [mapOf("m2", { method: "occlusion", aside: true, ...more })];
}

function columns(map = "m2", numbers = OTHER): Said[] {
  return numbers.map((scores, col) => [
    { type: "column", floor: null, n_cols: 1, map, seq: 10 + col, col, n_rows: 7 },
    scores,
  ]);
}

const status = (phase: string): Said => [
  { type: "status", phase, what: "Occlusion", done: 0, total: null, unit: "tokens", seconds_left: null },
];
const option = (el: Element, name: string) => {
  const found = [...el.querySelectorAll<HTMLElement>(".sw-pick")].find(({ textContent }) => textContent === name);
  if (found === undefined) throw new Error(`no option ${name}`);
  return found;
};
const pressed = (el: Element) => texts(el, ".sw-pick[aria-pressed=true]");
const panels = (el: Element) => [...el.querySelectorAll<HTMLElement>(".sw-compact")];
const names = (el: Element) => panels(el).map((panel) => panel.getAttribute("aria-label"));
const feet = (el: Element) => texts(el, ".sw-compact-foot");
const both = () => [...conversation(), begins(), ...columns()];
/** Both maps side by side. */
function compared() {
  const { el, ...rest } = opened(both());
  option(el, "Occlusion").click();
  return { el, ...rest };
}

describe("the numbers", () => {
  it("are the differences of shares, and nothing divides them once more", () => {
    const found = differenceOfShares(Float32Array.from([1, 3, NAN, 0]), Float32Array.from([2, -1, 1, NAN]));
    // shares: ¼ ¾ – 0 and ½ −¼ ¼ –
    expect([...found]).toEqual([-0.25, 1, NAN, NAN]);
    expect([0, 1, 2].map((row) => shareOf(found, row))).toEqual([-0.25, 1, NAN]);
    expect(statsOf(found)).toEqual({ l1: 1, max: 1, visible: 2 });
  });
  it("say of two equal columns that nothing is different, and of a column without shares nothing", () => {
    const one = Float32Array.from([1, 3]);
    expect(statsOf(differenceOfShares(one, Float32Array.from([2, 6]))).max).toBe(0);
    expect([...differenceOfShares(one, new Float32Array(2))]).toEqual([NAN, NAN]);
  });
  it("are Spearman's: with signs, over the rows that both have", () => {
    const rho = (a: number[], b: number[]) => rankCorrelation(Float32Array.from(a), Float32Array.from(b));
    expect(rho([1, 2, 3], [10, 20, 1000])).toBe(1);
    expect(rho([1, 2, 3], [3, 2, -9])).toBe(-1);
    expect(rho([1, 2, 3, 4, 5], [2, 1, 4, 3, 5])).toBeCloseTo(0.8, 12); // 1 − 6 · 4 / (5 · 24)
    // ranks 1.5 1.5 3 and 1 2.5 2.5: covariance 0.75, variances 1.5
    expect(rho([7, 7, 8], [0, 4, 4])).toBeCloseTo(0.5, 12);
    expect(rho([1, NAN, 2, 3], [10, 99, 20, 1000])).toBe(1);
    expect(rho([1, 1], [1, 2])).toBeNaN();
    expect(rho([], [])).toBeNaN();
  });
});

describe("what is put side by side", () => {
  it("is at first the map on show and the first other that can be had, which is asked for", () => {
    world = mounted(conversation());
    press(world.el.querySelector(".sw-text") as Element, "c");
    expect(pressed(world.el)).toEqual(["Gradient", "Attention"]);
    expect(world.model.sent.at(-1)).toMatchObject({ type: "ask", method: "attention", aside: true });
  });
  it("begins with the map on show, and says how to go on", () => {
    const { el } = opened();
    expect(pressed(el)).toEqual(["Gradient"]);
    expect(el.querySelector<HTMLElement>(".sw-compare .sw-quiet")?.hidden).toBe(false);
    expect(panels(el)).toEqual([]);
    option(el, "Gradient").click(); // the last one stays
    expect(pressed(el)).toEqual(["Gradient"]);
  });
  it("may be a map that is here, though its method cannot run, and each map once", () => {
    const { el } = opened([...conversation(), begins({ method: "attnlrp" }), ...columns()]);
    expect(texts(el, ".sw-pick")).toEqual(["Gradient", "Attention", "Occlusion", "AttnLRP", "Random"]);
    expect(option(el, "AttnLRP").getAttribute("aria-disabled")).toBe("false");
  });
  it("is never nothing: the last one stays, whichever it is", () => {
    const { el } = compared();
    option(el, "Gradient").click();
    option(el, "Occlusion").click();
    expect(pressed(el)).toEqual(["Occlusion"]);
  });
  it("is asked of the kernel once, and the map on show stays", () => {
    const { el, model, store } = opened();
    const asks = () => model.sent.filter(({ type }) => type === "ask");
    option(el, "Occlusion").click();
    option(el, "Occlusion").click();
    option(el, "Occlusion").click();
    expect(asks()).toEqual([{ type: "ask", method: "occlusion", objective: "probability", aside: true }]);
    expect(feet(el)[1]).toBe("on its way");
    for (const [message, scores] of [status("attributing"), begins(), ...columns(), status("done")])
      model.hear(message, scores);
    expect(store.map.value?.info.map).toBe("m1");
    expect(feet(el)[1]).toContain("−.400.400");
    option(el, "Occlusion").click();
    option(el, "Occlusion").click();
    expect(asks()).toHaveLength(1);
  });
  it("is offered again where nothing came of it", () => {
    const { el, model } = opened();
    option(el, "Random").click();
    model.hear(...status("attributing"));
    model.hear(...status("cancelled"));
    expect(feet(el)[1]).toBe("not computedCompute");
    panels(el)[1]?.querySelector("button")?.click();
    expect(model.sent.filter(({ type }) => type === "ask")).toHaveLength(2);
    expect(feet(el)[1]).toBe("on its way");
  });
  it("is no more than four, and no method that cannot run here", () => {
    const { el, store, model } = opened();
    const impossible = option(el, "AttnLRP");
    expect([impossible.title, impossible.getAttribute("aria-disabled")]).toEqual(["No rule for this model.", "true"]);
    impossible.click();
    expect(pressed(el)).toEqual(["Gradient"]);
    store.beside.value = ["a", "b", "c", "d"].map((method) => ({ method, objective: "probability" }));
    const fifth = option(el, "Random");
    expect(fifth.title).toBe("4 at most");
    fifth.click();
    expect(names(el)).toEqual(["a", "b", "c", "d"]);
    expect(model.sent.some(({ type }) => type === "ask")).toBe(false);
  });
  it("may be the same method with other settings, the newest first; each says its own", () => {
    const settings = (replacement: string): Partial<MapBegins> => ({ settings: [["replacement", replacement]] });
    const { el } = opened([...conversation(), begins(settings("·")), begins({ map: "m3", ...settings("_") })]);
    option(el, "Occlusion").click();
    option(el, "Occlusion · replacement ·").click();
    expect(texts(el, ".sw-compact-head")).toEqual([
      "Gradient share of the gradient norm",
      "Occlusion share of the gradient norm · replacement _",
      "Occlusion · replacement · share of the gradient norm",
    ]);
  });
  it("may be about something else than the map on show, and says so", () => {
    const { el, store } = opened([...both(), begins({ map: "m3", method: "saliency", objective: "logit" })]);
    store.beside.value = [
      { method: "attention", objective: "probability" },
      { method: "saliency", objective: "logit" },
    ];
    expect(pressed(el)).toEqual(["Attention", "Gradient · logit"]);
    store.ask({ method: "saliency", objective: "logit" });
    expect(pressed(el)).toEqual(["Gradient", "Attention"]);
  });
  it("is remembered while the drawer is closed, which leaves nothing behind", () => {
    const { el, store, model } = compared();
    const [panel] = panels(el);
    press(panel as Element, "c");
    expect(el.querySelector(".sw-compare")).toBeNull();
    store.hoverCol.value = 1; // repaints what still listens
    expect(panel?.querySelector(".sw-token[data-position='6']")?.classList.contains("sw-target")).toBe(false);
    store.hoverCol.value = null;
    press(el.querySelector(".sw-text") as Element, "c");
    expect(names(el)).toEqual(["Gradient", "Occlusion", "Gradient − Occlusion"]);
    expect(model.sent.some(({ type }) => type === "ask")).toBe(false);
  });
  it("outlives a text by its methods, and a session not at all", () => {
    const { store, model } = opened(both());
    store.beside.value = [
      { method: "saliency", objective: "probability" },
      { method: "occlusion", objective: "probability", map: "m2" },
    ];
    model.hear({ ...conversation()[1]?.[0], doc: 2 });
    expect(store.beside.value.map(({ method }) => method)).toEqual(["saliency"]);
    model.hear({ type: "hello", protocol: PROTOCOL, session: "t", hover: "" });
    expect(store.beside.value).toEqual([]);
  });
});

describe("side by side", () => {
  it("each text has its own colours, scale and tooltips, and their target is the same", () => {
    const { el } = compared();
    expect(feet(el)[0]).toBe("0.400");
    expect(feet(el)[1]).toContain("−.400.400");
    const [, occlusion] = panels(el);
    const box = occlusion?.querySelector(".sw-token[data-position='1']") as HTMLElement;
    const [first] = panels(el)[0]?.querySelectorAll<HTMLElement>(".sw-token[data-position='1']") ?? [];
    expect(box.style.backgroundColor).not.toBe(first?.style.backgroundColor);
    over(box);
    expect(el.querySelector("[role=tooltip]")?.textContent).toContain("share −.100");
    over(occlusion?.querySelector(".sw-token[data-position='6']") as Element);
    expect(
      panels(el).map((panel) => panel.querySelector(".sw-token[data-position='6']")?.classList.contains("sw-target")),
    ).toEqual([true, true, true]);
  });
  it("of two the difference is the third, in shares, whatever is measured", () => {
    const { el, store } = compared();
    const difference = panels(el)[2] as HTMLElement;
    over(difference.querySelector(".sw-token[data-position='4']") as Element); // .4 less −.1
    expect(texts(el, "[role=tooltip] div:not([class])")).toEqual([
      ".400 less −.100: .500",
      "of the shares for Washington",
    ]);
    expect(feet(el)[2]).toBe("−.500.500");
    store.measure.value = "raw";
    expect([feet(el)[0], feet(el)[2]]).toEqual(["00.400", "−.500.500"]);
    store.hoverCol.value = 2;
    expect(feet(el)[2]).toBe("not computed"); // one of them has not come so far
  });
  it("the difference is that of the units on show, without what is hidden", () => {
    const { el, store } = compared();
    store.hide({ start: 2, end: 5 }); // left: .1 .2 and .4 −.1
    const difference = panels(el)[2] as HTMLElement;
    over(difference.querySelector(".sw-token[data-position='0']") as Element);
    expect(texts(el, "[role=tooltip] div:not([class])")[0]).toBe(".333 less .800: −.467");
    store.turn({ start: 0, end: 2 });
    over(el.querySelector(".sw-text") as Element);
    store.hoverCol.value = null;
    expect(feet(el)[2]).toBe("−.667.667"); // (⅓ + ⅔) − (.8 − .2); (⅓ + ⅓) − (−⅓ + ⅓) is the larger
  });
  it("three have no difference, and each is ranked against the first", () => {
    const { el } = compared();
    // ranks 2 3 4 1 5 and 5 1.5 4 3 1.5: −4 / √(10 · 9.5)
    expect(feet(el)[1]).toContain("rank correlation with Gradient ρ = −.41 for this target");
    option(el, "Random").click();
    expect(names(el)).toEqual(["Gradient", "Occlusion", "Random"]);
    expect(feet(el)[0]).not.toContain("ρ");
  });
});

describe("what weighs most", () => {
  it("is listed for each map and for the difference, as many as one likes", () => {
    const { el } = compared();
    const lists = () => [...el.querySelectorAll(".sw-tops ol")].map((list) => texts(list, "li"));
    expect(lists()).toEqual([
      ["George .400", "president .300", "first .200", "The .100"],
      ["The .400", "president .300", "first −.100", "was .100", "George −.100"],
      ["George .500", "The −.300", "first .300", "was −.100"],
    ]);
    expect(texts(el, ".sw-tops .sw-target-name")).toEqual(["Washington"]);
  });
  it("has the colour of its sign", () => {
    const { el } = compared();
    const bars = [...el.querySelectorAll<HTMLElement>(".sw-top-lists ol:first-of-type")][1]?.querySelectorAll("li");
    const colours = new Map<boolean, Set<string>>([[true, new Set()], [false, new Set()]]); // biome-ignore format: a table
    for (const bar of bars ?? [])
      colours
        .get(bar.textContent?.includes("−") === true)
        ?.add(bar.querySelector<HTMLElement>(".sw-top-bar")?.style.background ?? "");
    expect([...colours.values()].map(({ size }) => size)).toEqual([1, 1]);
    expect(colours.get(true)).not.toEqual(colours.get(false));
  });
  it("is marked in all lists, and in the texts, when one points at it", () => {
    const { el, store } = compared();
    const george = el.querySelector(".sw-tops li") as Element;
    george.dispatchEvent(new PointerEvent("pointerenter"));
    expect(store.hoverRow.value).toBe(4);
    expect(texts(el, ".sw-same bdi")).toEqual(["George", "George", "George"]);
    expect(panels(el).every((panel) => panel.querySelector(".sw-hovered")?.textContent === "George")).toBe(true);
    george.dispatchEvent(new PointerEvent("pointerleave"));
    expect([store.hoverRow.value, texts(el, ".sw-same")]).toEqual([null, []]);
  });
});
