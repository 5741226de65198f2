/** The keys among targets, in the matrix, and those that belong to the notebook. */

import { describe, expect, it, vi } from "vitest";
import { button } from "./gestures";
import { conversation, press, type Said, viewing } from "./help";

const view = viewing();

describe("the keyboard", () => {
  it("moves the target, pins it, and goes back", () => {
    const { box, store } = view();
    expect([5, 6, 7].map((i) => box(i).tabIndex)).toEqual([0, -1, -1]);
    box(5).focus();
    press(box(5), "ArrowRight");
    expect([document.activeElement, store.target.value]).toEqual([box(6), 1]);
    expect(box(6).tabIndex).toBe(0);
    press(box(6), "End");
    expect(store.target.value).toBe(2);
    press(box(7), "ArrowRight");
    expect(store.target.value).toBe(2);
    press(box(7), "Home");
    expect(store.target.value).toBe(0);
    press(box(5), "ArrowRight");
    press(box(6), "Enter");
    expect(store.pinned.value).toBe(1);
    press(box(6), "ArrowRight");
    press(box(7), "Escape");
    expect([store.hoverCol.value, store.target.value, document.activeElement]).toEqual([null, 1, box(6)]);
    press(box(6), " ");
    expect(store.pinned.value).toBeNull();
  });
  it("keeps plain keys from the notebook, and lets its chords, Tab and function keys pass", () => {
    const { el, box } = view();
    const heard: string[] = [];
    el.addEventListener("keydown", ({ key }) => heard.push(key));
    for (const key of ["a", "b", "d", "x", "z", "m", "?", "ArrowDown", "ArrowRight", "Enter", "Escape", "0"])
      press(box(5), key);
    expect(heard).toEqual([]);
    press(box(5), "Tab");
    press(box(5), "F5");
    press(box(5), "s", { ctrlKey: true });
    press(box(5), "s", { metaKey: true });
    expect(heard).toEqual(["Tab", "F5", "s", "s"]);
  });
  it("opens and closes the matrix and the list of keys", () => {
    const { el, box } = view();
    const toggle = el.querySelector(".sw-drawer-toggle");
    press(box(5), "m");
    expect([toggle?.getAttribute("aria-expanded"), el.querySelectorAll("canvas").length]).toEqual(["true", 1]);
    press(box(5), "m");
    expect([toggle?.getAttribute("aria-expanded"), el.querySelectorAll("canvas").length]).toEqual(["false", 0]);
    press(box(5), "?");
    expect(el.querySelector("[role=dialog]")?.textContent).toContain("previous, next target");
  });
  it("walks the matrix from cell to cell, within what the target can see", () => {
    const { el, store } = view();
    el.querySelector<HTMLElement>(".sw-drawer-toggle")?.click();
    const matrix = el.querySelector(".sw-matrix-scroll") as HTMLElement;
    press(matrix, "ArrowRight");
    expect([store.hoverRow.value, store.hoverCol.value]).toEqual([0, 0]);
    for (let i = 0; i < 9; i++) press(matrix, "ArrowDown");
    expect([store.hoverRow.value, store.hoverCol.value]).toEqual([4, 0]);
    press(matrix, "ArrowRight");
    press(matrix, "Enter");
    expect(store.pinned.value).toBe(1);
    press(matrix, "Escape");
    expect([store.hoverRow.value, store.hoverCol.value]).toEqual([null, null]);
  });
  it("is told to screen readers when it comes to rest", () => {
    const { el } = view();
    vi.advanceTimersByTime(1000);
    expect(el.querySelector(".sw-layer > [aria-live=polite]")?.textContent).toBe(
      "Target Washington. Probability .796. Most important: George .400, president .300, first .200.",
    );
  });
  it("is told with what it is set against", () => {
    const { el, store } = view(
      conversation().map(
        ([message, scores]): Said => [message.type === "map" ? { ...message, foil: " Bush", col: 0 } : message, scores],
      ),
    );
    const told = () => {
      vi.advanceTimersByTime(1000);
      return el.querySelector(".sw-layer > [aria-live=polite]")?.textContent;
    };
    expect(told()).toMatch(/^Target Washington and not Bush\. /);
    store.pin(1); // of which it says nothing
    expect(told()).toMatch(/^Target \.\. /);
  });
});

describe("the focus", () => {
  const inactive = () => document.activeElement === document.body || document.activeElement === null;
  const another = (doc: number) =>
    conversation()
      .slice(1)
      .map(([message, scores]): Said => [{ ...message, doc, map: `m${doc}` }, scores]);

  it("goes on with the target on show when another text takes the place of what had it", async () => {
    const { el, box, model } = view();
    el.querySelector<HTMLElement>(".sw-alternative")?.focus();
    const [begins, ...rest] = another(2) as [Said, ...Said[]];
    model.hear(...begins);
    expect(el.querySelector(".sw-target-line")?.closest("[hidden]")).not.toBeNull();
    (document.activeElement as HTMLElement).blur(); // as browsers do where it is not to be seen
    for (const [message, scores] of rest) model.hear(message, scores);
    await Promise.resolve();
    expect(document.activeElement).toBe(box(5));
    press(box(5), "ArrowRight");
    for (const [message, scores] of another(3)) model.hear(message, scores);
    await Promise.resolve();
    expect(document.activeElement).toBe(box(5));
  });
  it("stays where it is when it was not here", async () => {
    const { el, box, model } = view();
    const elsewhere = document.createElement("button");
    el.after(elsewhere);
    box(5).focus();
    elsewhere.focus();
    elsewhere.remove();
    for (const [message, scores] of another(2)) model.hear(message, scores);
    await Promise.resolve();
    expect(inactive()).toBe(true);
  });
  it("does not go with a button of the inputs' line that says something else", () => {
    const { el, box, store } = view();
    store.hide({ start: 0, end: 1 });
    store.turn({ start: 1, end: 2 });
    button(el, "Back").focus();
    button(el, "Back").click();
    expect(document.activeElement).toBe(box(5));
  });
});
