import { beforeEach, expect, it, vi } from "vitest";

const TEXTS = ["The", " first", " George", " Washington", "\n"];
const SHARES = [
  [0.25, 0.05, 0.7, Number.NaN],
  [0.1, 0.1, 0.1, 0.7],
];

/** What export/html.py writes, packed by another route: DataView, value by value. */
function page(shown = 0): HTMLElement {
  const maxima = SHARES.map((column) => Math.max(...column.filter((share) => !Number.isNaN(share))));
  const packed = new DataView(new ArrayBuffer(2 * 8));
  SHARES.flat().forEach((share, i) => {
    const max = maxima[Math.floor(i / 4)] ?? 1;
    packed.setInt16(2 * i, Number.isNaN(share) ? -32768 : Math.round((share / max) * 32767), true);
  });
  const data = {
    first_target: 3,
    shown,
    n_rows: 4,
    n_cols: 2,
    signed: false,
    unit: "gradient norm",
    texts: TEXTS,
    names: { 4: "⏎" },
    probabilities: [0.796, null],
    alternatives: [
      [
        ["W", 0.088],
        ["Bush", 0.0045],
      ],
      [],
    ],
    shares: btoa(String.fromCharCode(...new Uint8Array(packed.buffer))),
    maxima,
    raw_l1: [1, 1],
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
    box.className = "sw-t";
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

let map: HTMLElement;
beforeEach(async () => {
  map = page();
  vi.resetModules();
  await import("../src/static");
});
const box = (i: number) => map.querySelectorAll<HTMLElement>(".sw-t")[i] as HTMLElement;
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
  map = page(1);
  vi.resetModules();
  await import("../src/static");
  expect(caption()).toMatch(/^⏎Washington/);
});

it("the legend runs from nothing to the largest share of the column, in the colours of the boxes", () => {
  const parts = [...map.querySelectorAll<HTMLElement>(".sw-key span")];
  expect([parts[0]?.textContent, parts[10]?.textContent]).toEqual(["0", ".700"]);
  expect(parts[9]?.style.background).toBe(box(2).style.background);
  expect(new Set(parts.slice(1, 10).map(({ style }) => style.background)).size).toBe(9);
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
    element.append(...[...map.querySelectorAll(".sw-t")].filter((_, i) => i < 3 === (side === 0)));
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
