/** Two finished maps and their difference, without a model: what stands there at once, and what is not offered. */

import { describe, expect, it, vi } from "vitest";
import {
  conversation,
  documentOf,
  FIRST,
  METHOD,
  mapOf,
  over,
  press,
  type Said,
  texts,
  viewing,
  type Wire,
} from "./help";

const view = viewing();
const NAN = Number.NaN;
const A = [
  [0.1, 0.2, 0.3, 0.0, 0.4, NAN, NAN],
  [1, 1, 1, 1, 1, 1, NAN],
  [0, 0, 0, 0, 0, 0, 4],
];
const B = [
  [0.4, 0.1, 0.3, 0.1, 0.1, NAN, NAN],
  [1, 1, 1, 1, 1, 5, NAN],
  [0, 0, 0, 1, 0, 0, 3],
];
const DIFFERENCE = A.map((column, col) => column.map((score, row) => score - (B[col]?.[row] ?? NAN)));
const LABELS = { a: "A: mother", b: "B: father", difference: "A − B" };

/** A map goes on show. */
const shows = (id: string): Wire => ({ ...exhibit().find(([{ map }]) => map === id)?.[0], aside: false });

/** As comparison/exhibit.py tells it; `beside` and `alive` are all that makes it one. */
function exhibit(more: Parameters<typeof documentOf>[2] = {}): Said[] {
  const card = { ...METHOD, uses_objective: false, signed: true, unit: "norm" };
  const menu = {
    type: "menu",
    objectives: [],
    methods: Object.entries(LABELS).map(([id, label]) => ({
      ...card,
      ...(id === "difference" ? { family: "difference", unit: "difference of shares" } : {}),
      id,
      label,
    })),
  };
  const maps = { a: A, b: B, difference: DIFFERENCE };
  const hung = Object.entries(maps).flatMap(([map, columns]): Said[] => [
    [mapOf(map, { method: map, objective: "", aside: map !== "difference" })],
    ...columns.map(
      (scores, col): Said => [{ type: "column", floor: null, n_cols: 1, map, seq: col + 1, col, n_rows: 7 }, scores],
    ),
  ]);
  const told = conversation().filter(([message]) => ["hello", "tokens", "steps"].includes(message.type as string));
  const [hello, tokens, steps] = told as [Said, Said, Said];
  const reason = "There is no model behind it to ask.";
  return [
    hello,
    [documentOf(1, FIRST, { alive: false, beside: ["a", "b"], ...more })],
    tokens,
    [menu],
    steps,
    ...hung,
    [{ type: "explainers", explainers: [], prompts: [], review: "", reason }],
  ];
}

const panels = (el: Element) =>
  [...el.querySelectorAll(".sw-compact")].map((panel) => panel.getAttribute("aria-label"));
const pressed = (el: Element) => texts(el, ".sw-pick[aria-pressed=true]");
const ALL = ["A: mother", "B: father", "A: mother − B: father"];

describe("what stands side by side", () => {
  it("is there at once: both maps and their difference, with all numbers, and nothing was asked for", () => {
    const { el, model, store } = view(exhibit());
    expect(panels(el)).toEqual(ALL);
    expect(pressed(el)).toEqual(["A: mother", "B: father"]);
    expect(el.querySelector('.sw-drawer-toggle[aria-expanded="true"]')?.textContent).toBe("Compare");
    expect(texts(el, ".sw-compact-foot").map((foot) => foot?.split(" ")[0])).toEqual([
      "−.400.400",
      "−.400.400",
      "−.300.300",
    ]);
    expect(model.sent.map(({ type }) => type)).not.toContain("ask");
    expect(store.map.value?.info.map).toBe("difference");
  });
  it("says the same of the difference above and below, however it is read", () => {
    const { el, store, box } = view(exhibit());
    const above = () => [...texts(el, ".sw-body .sw-scale"), ...texts(el, ".sw-body .sw-legend .sw-input")];
    const below = () => texts(el, ".sw-compact-foot .sw-scale")[2];
    expect(above()).toEqual(["−.300.300", "The −.300", "George .300", "first .100"]);
    expect([below(), texts(el, ".sw-unit > span")]).toEqual(["−.300.300", ["difference of shares"]]);
    el.querySelector<HTMLElement>(".sw-body .sw-info")?.click();
    expect(el.querySelector(".sw-panel")?.textContent).toContain("are the scores themselves: difference of shares");
    const seen = [() => store.readBy("word"), () => store.hide({ start: 3, end: 4 }), () => store.pin(1, 2)].map(
      (read) => {
        read();
        return [above()[0], below()];
      },
    );
    for (const [one, other] of seen) expect(one).toBe(other);
    expect([store.hiddenShare.value, store.templateShare.value]).toEqual([null, null]); // of a difference nothing is held
    expect(new Set(seen.map(([one]) => one)).size).toBe(seen.length);
    over(box(1));
    expect(el.querySelector("[role=tooltip]")?.textContent).toContain(" less ");
    box(7).dispatchEvent(new MouseEvent("click", { bubbles: true, altKey: true }));
    expect(texts(el, ".sw-body .sw-legend")).toEqual(["No target has a share of this."]);
    expect(texts(el, ".sw-compact-foot")[0]).toBe("no target has a share of this");
  });
  it("tells of a target how probable it was in the map on show, and of the difference nothing", () => {
    const { el, model } = view(exhibit());
    const said = () => el.querySelector(".sw-target-line")?.textContent?.replace(/\s+/g, " ").trim();
    expect(said()).toBe("Washington");
    model.hear(shows("b"));
    expect(said()).toBe("Washington p = .796 instead of W .088");
  });
  it("once closed stays closed in this view, and is there again in another", () => {
    const messages = exhibit();
    const { el, model } = view(messages);
    press(el.querySelector(".sw-text") as Element, "c");
    expect(panels(el)).toEqual([]);
    for (const [message, scores] of messages) model.hear(message, scores);
    expect(panels(el)).toEqual([]);
    press(el.querySelector(".sw-text") as Element, "c");
    expect(panels(el)).toEqual(ALL);
    expect(panels(view(messages).el)).toEqual(ALL);
  });
  it("is what the reader chose since, also where the kernel says all of it again", () => {
    const messages = exhibit();
    const { el, model } = view(messages);
    const pick = [...el.querySelectorAll<HTMLElement>(".sw-pick")].find(
      ({ textContent }) => textContent === "B: father",
    );
    pick?.click();
    for (const [message, scores] of messages) model.hear(message, scores);
    expect(pressed(el)).toEqual(["A: mother"]);
  });
  it("is on its way while its columns are, not to be computed", () => {
    const { el } = view(exhibit().filter(([message]) => message.type !== "column"));
    expect(texts(el, ".sw-compact-foot")).toEqual(["on its way", "on its way", "on its way"]);
    expect(texts(el, ".sw-legend")[0]).toBe("This column is on its way.");
  });
  it("says that no target has a share only once both maps are whole", () => {
    const { el, store } = view(exhibit().filter(([message]) => message.type !== "column" || message.map !== "b"));
    store.turn({ start: 7, end: 8 });
    expect(texts(el, ".sw-body .sw-legend")).toEqual(["This column is on its way."]);
    expect(texts(el, ".sw-compact-foot")).toEqual(["no target has a share of this", "on its way", "on its way"]);
  });
  it("is the difference of two maps that are there, and no other map is", () => {
    const messages = exhibit();
    const { store, model } = view(messages);
    for (const [message, scores] of messages) model.hear(message, scores);
    const ofWhich = () =>
      [...store.maps.value.values()].map(({ difference }) => difference?.map(({ info }) => info.map).join(" "));
    expect(ofWhich()).toEqual([undefined, undefined, "a b"]);
    expect(view(messages.filter(([message]) => message.map !== "b")).store.map.value?.difference).toBeUndefined();
  });
  it("is nothing at first in any other widget", () => {
    const { el, store } = view(exhibit({ beside: [] }));
    expect([panels(el), store.beside.value]).toEqual([[], []]);
    expect(el.querySelector('.sw-drawer-toggle[aria-expanded="true"]')).toBeNull();
  });
});

/** "first" of the text is in A alone, and "person" in B alone, in its place. */
const REPLACED: Wire = {
  type: "exhibited",
  doc: 1,
  replaced: [[1, 2, 3]],
  steps: [0.5, 0.25].map((probability, side) => ({
    map: "ab"[side],
    steps: [
      { probability, value: null, alternatives: [] },
      { probability: side === 0 ? 0.5 : null, value: null, alternatives: [] },
      { probability, value: null, alternatives: [] },
    ],
  })),
};
function replaced(): Said[] {
  const without = (map: unknown) => (map === "a" ? 2 : 1);
  const said = exhibit().map(([message, scores]): Said => {
    if (message.type !== "column" || message.map === "difference") return [message, scores];
    return [message, scores?.map((score, row) => (row === without(message.map) ? NAN : score))];
  });
  said.splice(2, 0, [REPLACED]);
  return said;
}
const lines = (el: Element) =>
  [...el.querySelectorAll(".sw-body .sw-variant")].map((line) => [line.getAttribute("aria-label"), line.textContent]);

describe("what was replaced", () => {
  it("stands in one place, what the first text has above what the second has", () => {
    const { el, store, box } = view(replaced());
    expect(lines(el)).toEqual([
      ["A: mother", texts(el, ".sw-body [data-position='1']")[0]],
      ["B: father", texts(el, ".sw-body [data-position='2']")[0]],
    ]);
    expect(box(1).closest(".sw-replaced")).toBe(box(2).closest(".sw-replaced"));
    expect(box(3).closest(".sw-replaced")).toBeNull();
    store.readBy("word");
    store.readBy("token");
    expect(lines(el)).toHaveLength(2);
  });
  it("is one place however late the page learns of it", () => {
    const [hello, document, place, ...rest] = replaced() as [Said, Said, Said, ...Said[]];
    const { el } = view([hello, document, ...rest, place]);
    expect(lines(el)).toHaveLength(2);
    expect(el.querySelectorAll(".sw-body [data-position='1']")).toHaveLength(1);
  });
  it("is one input of the difference: what stands there in A less what stands there in B", () => {
    const { el, store, box } = view(replaced());
    const [a, b] = [0.1 + 0.2 + 0.0 + 0.4, 0.4 + 0.3 + 0.1 + 0.1];
    const by = 0.2 / a - 0.3 / b;
    const scores = store.unitScores(store.map.value, { start: 0, end: 1 });
    expect(scores?.[store.units.value.of[1] ?? -1]).toBeCloseTo(by, 6);
    expect(store.units.value.of[1]).toBe(store.units.value.of[2]);
    expect(box(1).style.backgroundColor).toBe(box(2).style.backgroundColor);
    over(box(2));
    expect(el.querySelector("[role=tooltip]")?.textContent).toContain("/");
  });
  it("has a colour in a map only where that map's own text stands, and only its name", () => {
    const { el, model, box } = view(replaced());
    model.hear(shows("a"));
    const isBlind = (token: number) => box(token).classList.contains("sw-blind");
    expect([isBlind(1), isBlind(2)]).toEqual([false, true]);
    model.hear(shows("b"));
    expect([isBlind(1), isBlind(2)]).toEqual([true, false]);
    const own = texts(el, ".sw-tops ol").map((list) => list?.includes("/"));
    expect(own).toEqual([false, false, true]);
  });
  it("goes with the probability of the target in either text, and each leads to that text's map", () => {
    const { el, model, store } = view(replaced());
    const chips = () => texts(el, ".sw-target-line .sw-pick").map((said) => said?.replace(/\s+/g, " "));
    expect(chips()).toEqual(["A: mother p = .500", "B: father p = .250"]);
    expect(texts(el, ".sw-own-number")).toEqual(["p = .500", "p = .250"]);
    el.querySelectorAll<HTMLElement>(".sw-target-line .sw-pick")[1]?.click();
    expect(model.sent.at(-1)).toMatchObject({ type: "ask", method: "b" });
    expect(store.map.value?.info.map).toBe("b");
    expect(el.querySelectorAll(".sw-target-line .sw-pick")[1]?.getAttribute("aria-pressed")).toBe("true");
    store.pin(1);
    expect(chips()[1]).toBe("B: father not a target there");
    store.pin(0, 3);
    expect(chips()[0]).toBe("A: mother joint p = .125");
  });
});

describe("the scale of a difference", () => {
  it("ends at a tenth of the column at least, above and below, and where nothing differs there is none", () => {
    const near = A.map((column) => column.map((score, row) => (row === 0 ? score * 1.02 : score)));
    const said = exhibit().map(([message, scores]): Said => {
      return message.type === "column" && message.map === "b"
        ? [message, near[message.col as number]]
        : [message, scores];
    });
    const { el, store } = view(said);
    expect(texts(el, ".sw-body .sw-scale")).toEqual(["−.100.100"]);
    expect(texts(el, ".sw-compact-foot .sw-scale")[2]).toBe("−.100.100");
    expect(store.look.value.top).toBeLessThan(0.01);
    const steps = [0, 1, 2, 3, 4].map((token) => Math.abs(store.look.value.step(token) ?? 0));
    expect(Math.max(...steps)).toBeLessThan(10); // of 32
    const same = exhibit().map(([message, scores]): Said => {
      return message.type === "column" && message.map === "b" ? [message, A[message.col as number]] : [message, scores];
    });
    expect(texts(view(same).el, ".sw-compact-foot")[2]).toBe("no difference");
  });
});

/** Everything that can be pressed, after the reader has chosen an input. */
function offers(alive: boolean) {
  const { el, box, model } = view([...exhibit({ alive }), [shows("a")]]);
  const others = texts(el, ".sw-target-line .sw-input, .sw-alternative");
  const menus = el.querySelectorAll(".sw-alternative").length;
  box(2).click();
  const acts = texts(el, ".sw-actions button");
  press(box(2), "s");
  el.querySelector<HTMLElement>(".sw-help")?.click();
  const keys = texts(el, ".sw-keys dt");
  return { others, menus, acts, keys, tried: model.sent.some(({ type }) => type === "try") };
}

describe("what only a model could answer", () => {
  it("is offered where there is one", () => {
    const { others, menus, acts, keys, tried } = offers(true);
    expect([others, menus, tried]).toEqual([["W .088"], 1, true]);
    expect(acts).toEqual(["Leave out of the shares", "Strike out", "Back"]);
    expect(keys).toEqual(expect.arrayContaining(["h", "s", "u", "b"]));
  });
  it("is not offered where there is none: other words are numbers, and nothing is struck, undone or gone back to", () => {
    const { others, menus, acts, keys, tried } = offers(false);
    expect([others, menus, tried]).toEqual([["W .088"], 0, false]);
    expect(acts).toEqual(["Leave out of the shares", "Back"]);
    expect(keys).toContain("h");
    for (const key of ["s", "u", "b"]) expect(keys).not.toContain(key);
  });
  it("leaves no other button without an answer", () => {
    const { el } = view(exhibit());
    for (const query of [".sw-editor", ".sw-heads-toggle", ".sw-trail", ".sw-tried"])
      expect(el.querySelector<HTMLElement>(query)?.hidden).toBe(true);
    expect(el.querySelector<HTMLElement>(".sw-objective")?.hidden).toBe(true);
    press(el.querySelector(".sw-text") as Element, "e");
    expect(texts(el, ".sw-form")).toEqual(["There is no model behind it to ask."]);
  });
});

describe("a file of a difference", () => {
  it("tells the shares that are seen, and no probability: those are of either map", async () => {
    const made: Blob[] = [];
    vi.spyOn(URL, "createObjectURL").mockImplementation((blob) => `blob:${made.push(blob as Blob)}`);
    const { el, store } = view(exhibit());
    const take = async (label: string) => {
      const before = made.length;
      const buttons = [...el.querySelectorAll<HTMLElement>("button")];
      if (before === 0) buttons.find(({ textContent }) => textContent?.includes("Export"))?.click();
      [...el.querySelectorAll<HTMLElement>(".sw-ways button")]
        .find(({ textContent }) => textContent === label)
        ?.click();
      await vi.waitFor(() => expect(made).toHaveLength(before + 1));
      return (await made[before]?.text()) ?? "";
    };
    const cells = (await take("CSV")).trim().split("\r\n").slice(1);
    expect(cells.length).toBeGreaterThan(3);
    for (const cell of cells) expect(cell.split(",").at(-1)).toBe(cell.split(",").at(-2));
    store.readBy("word");
    store.hide({ start: 3, end: 4 });
    const { shares, cols } = JSON.parse(await take("JSON"));
    expect(cols.every((col: object) => !("probability" in col))).toBe(true);
    const seen = store.unitScores(store.map.value, { start: 0, end: 1 }) ?? [];
    expect(shares[0].slice(0, 3)).toEqual(Array.from(seen, (value) => (Number.isNaN(value) ? null : expect.closeTo(value))).slice(0, 3)); // biome-ignore format: a line
    vi.restoreAllMocks();
  });
});
