import { beforeEach, expect, it, vi } from "vitest";

const TEXTS = ["The", " first", " George", " Washington", "\n"];
const SCORES = [
  [2.5, 0.5, 7, Number.NaN],
  [0.1, 0.1, 0.1, 0.7],
];

function packed(scores: number[]): string {
  const bytes = new DataView(new ArrayBuffer(4 * scores.length));
  for (const [i, score] of scores.entries()) bytes.setFloat32(4 * i, score, true);
  return btoa(String.fromCharCode(...new Uint8Array(bytes.buffer)));
}

/** What export/html.py writes: a box a token, but for `more`. */
function page(more: Record<string, unknown> = {}): HTMLElement {
  const data = {
    shown: 0,
    signed: false,
    scale: "linear",
    threshold: 0.5,
    label: "share",
    rows: [0, 1, 2, 3, null],
    cols: [null, null, null, 0, 1],
    ended: [0, 0, 0, 0, 1],
    about: "target",
    names: ["The", "first", "George", "Washington"],
    captions: [
      { name: "Washington", detail: " p = .796", alternatives: " instead of W .088 · Bush .0045", hidden: "" },
      { name: "⏎", detail: "", alternatives: "", hidden: " · not counted: 23 %" },
    ],
    scores: packed(SCORES.flat()),
    ...more,
  };
  const map = document.createElement("div");
  map.className = "sw-static-map";
  const source = document.createElement("script");
  source.type = "application/json";
  source.className = "sw-data";
  source.textContent = JSON.stringify(data);
  const caption = document.createElement("p");
  caption.className = "sw-caption";
  for (const text of TEXTS) {
    const box = document.createElement("span");
    box.className = "sw-token";
    box.textContent = text;
    map.append(box);
  }
  const legend = document.createElement("div");
  legend.className = "sw-key";
  legend.append(...Array.from({ length: 11 }, () => document.createElement("span")));
  map.append(caption, legend, source);
  document.body.replaceChildren(map);
  return map;
}

/** The page as its script leaves it. */
async function revived(more: Record<string, unknown> = {}): Promise<void> {
  map = page(more);
  vi.resetModules();
  await import("../src/static");
}

let map: HTMLElement;
beforeEach(() => revived());
const box = (i: number) => map.querySelectorAll<HTMLElement>(".sw-token")[i] as HTMLElement;
const caption = () => map.querySelector(".sw-caption")?.textContent;
const over = (element: Element) => element.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));

it("the first column is there at once, with numbers a mouse can find", () => {
  expect(map.hasAttribute("data-sw-ready")).toBe(true);
  expect(caption()).toBe(
    "Washington p = .796 instead of W .088 · Bush .0045George\u00a0.700 · The\u00a0.250 · first\u00a0.050",
  );
  expect([map.querySelector(".sw-caption strong")?.textContent, map.querySelectorAll(".sw-caption br")]).toEqual([
    "Washington",
    expect.objectContaining({ length: 1 }),
  ]);
  expect([0, 2, 3, 4].map((i) => box(i).title)).toEqual([
    "The · share .250 · rank 2 of 3",
    "George · share .700 · rank 1 of 3",
    "Washington · the target",
    "",
  ]);
  expect([box(2).style.color, box(3).style.outline, box(3).style.background]).toEqual([
    "rgb(255, 255, 255)",
    "#2563c9 solid 2px", // as happy-dom spells it
    "",
  ]);
});

it("begins with the target that was shown when it was saved", async () => {
  await revived({ shown: 1 });
  expect(caption()).toMatch(/^⏎Washington/);
});

it("the legend runs from nothing to the largest share of the column, in the colours of the boxes", () => {
  const parts = [...map.querySelectorAll<HTMLElement>(".sw-key span")];
  expect([parts[0]?.textContent, parts[10]?.textContent]).toEqual(["0", ".700"]);
  expect(parts[9]?.style.background).toBe(box(2).style.background);
  expect(new Set(parts.slice(1, 10).map(({ style }) => style.background)).size).toBe(9);
});

it("the legend of a map with signs runs from one end to the other, by way of the paper", async () => {
  await revived({ signed: true });
  const parts = [...map.querySelectorAll<HTMLElement>(".sw-key span")];
  expect([parts[0]?.textContent, parts[10]?.textContent]).toEqual(["−.700", ".700"]);
  const colours = parts.slice(1, 10).map(({ style }) => style.background);
  expect([new Set(colours).size, colours[4], colours[8]]).toEqual([9, "rgb(255, 255, 255)", box(2).style.background]);
});

it("a theme whose style sheet comes after its name repaints it too", async () => {
  vi.useFakeTimers();
  const light = box(0).style.background;
  document.body.dataset.jpThemeLight = "false";
  await vi.advanceTimersByTimeAsync(100);
  document.documentElement.style.backgroundColor = "rgb(17, 17, 17)";
  await vi.advanceTimersByTimeAsync(299);
  expect(box(0).style.background).toBe(light);
  await vi.advanceTimersByTimeAsync(1);
  expect(box(0).style.background).not.toBe(light);
  document.documentElement.removeAttribute("style");
  vi.useRealTimers();
});

it("another theme repaints it, and keeps the target", async () => {
  vi.useFakeTimers();
  over(box(4));
  const light = box(0).style.background;
  document.body.style.backgroundColor = "rgb(17, 17, 17)";
  document.body.dataset.jpThemeLight = "false";
  await vi.advanceTimersByTimeAsync(500);
  expect(box(0).style.background).not.toBe(light);
  expect(caption()).toMatch(/^⏎/);
  document.body.removeAttribute("style");
  await vi.advanceTimersByTimeAsync(500); // that is a change, too
  vi.useRealTimers();
});

it("hover previews another target, leaving goes back, a click pins", () => {
  const rest = box(2).style.background;
  over(box(4));
  expect(caption()).toMatch(/^⏎Washington\u00a0\.700/);
  expect(box(2).title).toBe("George · share .100 · rank 2 of 4");
  map.dispatchEvent(new PointerEvent("pointerleave"));
  expect(box(2).style.background).toBe(rest);
  over(box(0));
  expect(caption()).toMatch(/^Washington p/);
  box(4).click();
  map.dispatchEvent(new PointerEvent("pointerleave"));
  expect(caption()).toMatch(/^⏎/);
});

it("boxes may stand in two texts, or be classes below the text: they count in the order of the page", async () => {
  map = page();
  const sides = [0, 1].map((side) => {
    const element = document.createElement("div");
    element.append(...[...map.querySelectorAll(".sw-token")].filter((_, i) => i < 3 === (side === 0)));
    return element;
  });
  map.prepend(...sides);
  vi.resetModules();
  await import("../src/static");
  over(box(4));
  expect(caption()).toMatch(/^⏎/);
  expect([box(4).style.outline, box(3).style.outline]).toEqual(["#2563c9 solid 2px", ""]);
  sides[1]?.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
  expect(caption()).toMatch(/^Washington/);
});

it("a map that is revived already is left alone", async () => {
  box(4).click();
  vi.resetModules();
  await import("../src/static");
  expect(caption()).toMatch(/^⏎/);
});

const colours = () => [0, 1, 2, 3, 4].map((i) => box(i).style.background);

it("a box may be a part of a row, and of a target; what is left out is neither", async () => {
  await revived({ rows: [0, 1, 1, 3, 3], cols: [null, null, 0, 0, 1], shown: 1 });
  expect([box(1).title, box(2).title]).toEqual(Array(2).fill("first · share .100 · rank 2 of 4"));
  expect(box(1).style.background).toBe(box(2).style.background);
  expect(box(3).title).toBe("Washington · share .700 · rank 1 of 4");
  over(box(2));
  expect([2, 3, 4].map((i) => box(i).title)).toEqual(["Washington · the target", "Washington · the target", ""]);
  expect([2, 3].map((i) => box(i).style.outline)).toEqual(Array(2).fill("#2563c9 solid 2px"));
  await revived({ rows: [0, null, 2, 3, null] });
  expect([box(1).title, box(1).style.background]).toEqual(["", ""]);
});

it("what comes after the target has no colour, though its row began before", async () => {
  await revived({ rows: [0, 1, 2, 2, 2] });
  expect(box(2).title).toBe("George · share .700 · rank 1 of 3");
  expect([box(4).title, box(4).style.background]).toEqual(["", ""]);
});

it("a target says what is left out of its column", async () => {
  over(box(4));
  expect(caption()).toMatch(/ · not counted: 23 %$/);
});

it("by rank, every number has a step of its own; from a threshold on, the others have none", async () => {
  const linear = colours();
  await revived({ scale: "quantile" });
  expect(colours()[2]).toBe(linear[2]);
  expect(new Set(colours().slice(0, 3)).size).toBe(3);
  expect(colours()[0]).not.toBe(linear[0]);
  await revived({ scale: "threshold" }); // a half of .7
  const [paper] = [...map.querySelectorAll<HTMLElement>(".sw-key span")].slice(1).map(({ style }) => style.background);
  expect(colours()).toEqual([paper, paper, linear[2], "", ""]);
  const key = [...map.querySelectorAll<HTMLElement>(".sw-key span")].slice(1, -1);
  expect(key.map(({ style }) => style.background === paper)).toEqual(key.map((_, k) => k < 4)); // of 9, 0 … .7
});

it("raw scores are said as they are", async () => {
  await revived({ label: "score" });
  expect([box(2).title, map.querySelector(".sw-key")?.lastChild?.textContent]).toEqual([
    "George · score 7.00 · rank 1 of 3",
    "7.00",
  ]);
  expect(caption()).toMatch(/George\u00a07\.00 · The\u00a02\.50/);
});

it("a column of zeros says so", async () => {
  await revived({ scores: btoa("\0".repeat(32)) });
  expect(box(0).title).toBe("The · share .000 · rank 1 of 4");
  expect(caption()).toMatch(/No input has a share/);
});

it("turned round, an input is asked about, and what was fed is told as it is", async () => {
  await revived({
    about: "input",
    label: "fed",
    rows: [null, null, 0, 1, null],
    cols: [0, 1, 2, null, null],
    ended: [0, 1, 2, 3, 3],
    names: ["George", "Washington"],
    captions: ["The", "first", "George"].map((name) => ({ name, detail: " feeds", alternatives: "", hidden: "" })),
    scores: packed([0.2, 0.6, 0, 0, Number.NaN, 0.5]),
  });
  expect(caption()).toBe("The feedsWashington\u00a0.600 · George\u00a0.200");
  expect([0, 1, 2, 3].map((i) => box(i).title)).toEqual([
    "The · the input",
    "",
    "George · fed .200 · rank 2 of 2",
    "Washington · fed .600 · rank 1 of 2",
  ]);
  over(box(2)); // was written, and is an input of what follows
  expect(caption()).toBe("George feedsWashington\u00a0.500");
  over(box(1));
  expect(caption()).toBe("first feedsno target that has a share of this");
});

it("a box after the target was not seen, though it may be none itself and its sentence began before", async () => {
  await revived({ rows: [0, 1, 2, 3, 2], cols: [null, null, null, 0, null] });
  expect([box(2).title, box(4).title]).toEqual(["George · share .700 · rank 1 of 3", ""]);
});

it("a difference of shares is told as it is", async () => {
  await revived({ label: "difference", scores: packed([0.25, -0.5, 0.125, Number.NaN, 0, 0, 0, 0]) });
  expect(box(1).title).toBe("first · difference −.500 · rank 1 of 3");
});

it("all maps of a page are painted again when its theme changes", async () => {
  vi.useFakeTimers(); // a map looks again 400 ms after a change, when the document may be gone
  const first = page();
  const second = page();
  document.body.replaceChildren(first, second);
  vi.resetModules();
  await import("../src/static");
  const [light] = [first, second].map((of) => of.querySelector<HTMLElement>(".sw-token")?.style.background);
  document.body.style.backgroundColor = "rgb(16, 18, 22)";
  document.body.className = "dark";
  await vi.advanceTimersByTimeAsync(500);
  const dark = [first, second].map((of) => of.querySelector<HTMLElement>(".sw-token")?.style.background);
  document.body.removeAttribute("style");
  await vi.advanceTimersByTimeAsync(500); // that is a change, too
  vi.useRealTimers();
  expect(dark[0]).toBe(dark[1]);
  expect(dark[0]).not.toBe(light);
});

it("the line of a folded thinking follows the target", async () => {
  const fold = (map: HTMLElement) => {
    const details = document.createElement("details");
    details.className = "sw-thinking";
    details.innerHTML = '<summary>thinking<span class="sw-held"></span></summary>';
    const boxes = [...map.querySelectorAll(".sw-token")];
    boxes[0]?.after(details);
    details.append(...boxes.slice(1, 3));
    return details;
  };
  const said = async (more: Record<string, unknown>) => {
    map = page(more);
    const details = fold(map);
    vi.resetModules();
    await import("../src/static");
    const held = () => details.querySelector(".sw-held")?.textContent;
    const first = held();
    over(box(4));
    return [first, held()];
  };
  // (0.5 + 7) / 10 of the first target; (0.1 + 0.1) / 1 of the second.
  expect(await said({})).toEqual([" · 75 %", " · 20 %"]);
  expect(await said({ label: "score" })).toEqual(["", ""]);
  const [none = Number.NaN, ...others] = [Number.NaN, Number.NaN];
  expect(await said({ scores: packed([2.5, none, ...others, 0, 0.1, 0.1, 0.1, 0.7]) })).toEqual(["", " · 20 %"]);
});
