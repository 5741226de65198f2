/** Finding a passage of a text, however long it is. */

import { describe, expect, it } from "vitest";
import { hitsOf, textOf } from "../src/views/search";
import { button, classed, click, said } from "./gestures";
import { conversation, over, press, texts, viewing } from "./help";

const view = viewing();

describe("the search", () => {
  const many = [
    ...Array.from({ length: 240 }, (_, i) => (i % 60 === 7 ? " Uni" : i % 60 === 8 ? "ted" : ` w${i}`)),
    " x",
  ];
  const long = () => conversation(many, 240, [many.slice(1).map((_, row) => row)]);
  const field = (el: Element) => el.querySelector<HTMLInputElement>(".sw-field") as HTMLInputElement;
  function find(el: Element, query: string): void {
    field(el).value = query;
    field(el).dispatchEvent(new Event("input"));
  }
  const counted = (el: Element) => el.querySelector(".sw-search [role=status]")?.textContent;

  it("is there for long texts alone", () => {
    const { el, box } = view();
    expect(el.querySelector<HTMLElement>(".sw-search")?.hidden).toBe(true);
    press(box(5), "/");
    expect(field(el).hidden).toBe(true);
  });
  it("opens with a key or its button, finds across tokens whatever the case, and goes from hit to hit", () => {
    const { el, box } = view(long());
    press(box(240), "/");
    expect(document.activeElement).toBe(field(el));
    find(el, "UNITED");
    expect([counted(el), classed(el, "sw-found"), classed(el, "sw-found-current")]).toEqual([
      "1 of 4",
      [7, 8, 67, 68, 127, 128, 187, 188],
      [7, 8],
    ]);
    for (const [key, more, at] of [
      ["Enter", {}, 67],
      ["ArrowDown", {}, 127],
      ["Enter", { shiftKey: true }, 67],
      ["ArrowUp", {}, 7],
      ["ArrowUp", {}, 187],
    ] as const) {
      press(field(el), key, more);
      expect(classed(el, "sw-found-current")).toEqual([at, at + 1]);
    }
    find(el, "nowhere");
    expect([counted(el), classed(el, "sw-found")]).toEqual(["not found", []]);
  });
  it("closes with Esc, takes its marks with it, and leaves the reader at the hit", () => {
    const { el, box } = view(long());
    button(el, "Find in the text").click();
    find(el, "w12");
    press(field(el), "Escape");
    expect([field(el).hidden, classed(el, "sw-found"), counted(el)]).toEqual([true, [], ""]);
    expect([document.activeElement, box(12).getAttribute("role")]).toEqual([box(12), "button"]);
  });
  it("knows for each hit its tokens, in any text", () => {
    const { store } = view(conversation([" Straße", "İst", "an", "bul", "\n", " 我", "們 ", "aaa", "!"], 8, []));
    const text = textOf(store.pieces.value);
    expect(hitsOf(text, "STRASSE")).toEqual([]);
    expect(hitsOf(text, "straße")).toEqual([{ start: 0, end: 1 }]);
    expect(hitsOf(text, " İSTANBUL")).toEqual([]);
    expect(hitsOf(text, "İSTANBUL")).toEqual([{ start: 1, end: 4 }]);
    expect(hitsOf(text, "我們")).toEqual([{ start: 5, end: 7 }]);
    expect(hitsOf(text, "a").at(-1)).toEqual({ start: 7, end: 8 });
    expect(hitsOf(text, "a").length).toBe(5);
    expect([hitsOf(text, ""), hitsOf(text, "  ")]).toEqual([[], []]);
  });
  it("of 10,000 tokens looks at a few places for each hit, not at all of them", () => {
    const { store } = view(
      conversation(
        Array.from({ length: 10_000 }, (_, i) => ` word${i % 97}`),
        9_999,
        [],
      ),
    );
    const { text, starts } = textOf(store.pieces.value);
    let looks = 0;
    const watched = new Proxy(starts, {
      get(array, key) {
        looks += 1;
        return Reflect.get(array, key) as unknown;
      },
    });
    const hits = hitsOf({ text, starts: watched }, "word1");
    expect(hits.length).toBeGreaterThan(1000);
    expect(looks).toBeLessThan(50 * hits.length); // two searches by halves: 14 steps each
  });
});

describe("an enormous token", () => {
  const huge = `<script>alert(1)</script>\u0000\ud800${"x".repeat(99_973)}`;
  it("is drawn in its beginning, with how much is left out; its names stay short", () => {
    const { el, box } = view(conversation([huge, huge], 1, [[1]]));
    expect(box(0).textContent).toContain("… 99,000 more characters");
    expect(box(0).textContent?.length).toBeLessThan(1100);
    over(box(0));
    for (const text of [
      el.querySelector("[role=tooltip]")?.textContent,
      box(1).getAttribute("aria-label"),
      el.querySelector(".sw-target-name")?.textContent,
    ])
      expect(text?.length).toBeLessThan(300);
    click(box(0));
    expect(said(el)?.length).toBeLessThan(500);
    expect(el.querySelectorAll("script")).toHaveLength(0);
    expect(texts(el, ".sw-token .sw-sign").slice(0, 2)).toEqual(["NULU+D800", "… 99,000 more characters"]);
  });
});
