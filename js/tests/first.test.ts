/** The first minute: what to do first, what a colour means, and an input struck out while its target stays on show. */

import { beforeEach, describe, expect, it } from "vitest";
import { conversation, over, press, viewing } from "./help";

const view = viewing();
const said = (element: Element | null) => element?.textContent?.replace(/\s+/g, " ").trim();
beforeEach(() => localStorage.clear());

describe("what to do first", () => {
  it("is said until it was done once, here or on another day", () => {
    const { el, box } = view();
    const first = el.querySelector<HTMLElement>(".sw-first") as HTMLElement;
    expect(said(first)).toBe("Hover a word the model wrote: the colours show what led to it.");
    over(box(2)); // one that it read
    expect(first.hidden).toBe(false);
    over(box(6));
    expect(first.hidden).toBe(true);
    expect(view().el.querySelector<HTMLElement>(".sw-first")?.hidden).toBe(true);
  });
});

describe("what a colour means", () => {
  it("stands first on the card, with the pinned target and the unit that is read", () => {
    const { el, store } = view();
    store.pin(2);
    store.readBy("sentence");
    el.querySelector<HTMLElement>(".sw-info")?.click();
    expect(said(el.querySelector("[role=dialog] p"))).toBe("Darker: changing this sentence would change He more.");
  });
  it("is part of the help, before the mouse and the keys", () => {
    const { el } = view();
    el.querySelector<HTMLElement>(".sw-help")?.click();
    const heads = [...el.querySelectorAll("[role=dialog] h3")].map(said);
    expect(heads).toEqual(["Colours", "Mouse", "Keyboard"]);
    expect([...el.querySelectorAll("kbd")].slice(0, 4).map(said)).toEqual(["hover", "click", "drag", "dark"]);
  });
});

describe("an input that is struck out where it stands", () => {
  const OTHERS = [
    { id: 3, text: " Bush", probability: 0.3 },
    { id: 4, text: " Abe", probability: 0.2 },
  ];
  it("is asked for from the card under the mouse, and by s", () => {
    const { el, box, model, store } = view();
    store.pin(0);
    over(box(2));
    el.querySelector<HTMLElement>(".sw-tooltip .sw-strike")?.click();
    expect(model.sent.at(-1)).toMatchObject({ type: "try", rows: [2] });
    expect([store.inputs.value, el.querySelector<HTMLElement>(".sw-tooltip")?.hidden]).toEqual([null, true]);
    over(box(3));
    press(el.querySelector(".sw-column") as Element, "s");
    expect(model.sent.at(-1)).toMatchObject({ type: "try", rows: [3] });
    over(box(6)); // a target is none
    expect(el.querySelector(".sw-tooltip .sw-strike")).toBeNull();
  });
  it("leaves the target on show, its bar and what might have stood there as they are without it", () => {
    const { el, store } = view(conversation());
    const line = () => said(el.querySelector(".sw-target-line"));
    const bar = () => el.querySelector<HTMLElement>(".sw-target-bar i")?.style.width;
    const before = [line(), bar()];
    const about = {
      type: "what_if" as const,
      request: 1,
      doc: 1,
      rows: [1],
      text: null,
      written: [],
      operator: "mask",
      reason: null,
    };
    store.tried({ ...about, before: [0.8, 0.5, 0.25], after: [0.1, 0.5, 0.25], others: [OTHERS, [], []] });
    expect(line()).toBe("Washington p = .100 was .796 instead of Bush .300Abe .200");
    expect(bar()).toBe("10%");
    store.tried({ ...about, rows: [], before: [], after: [], others: [] });
    expect([line(), bar()]).toEqual(before);
  });
});
