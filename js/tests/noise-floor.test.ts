/** A size below which scores are noise: what is below has no colour, and the legend says where it ends. */

import { describe, expect, it } from "vitest";
import { STEPS } from "../src/color";
import { painter } from "../src/hover";
import { COLUMNS, conversation, documentOf, FIRST, type Said, started, texts, viewing } from "./help";

const view = viewing();
const WHITE = "rgb(255, 255, 255)";

/** Scores of the first column add up to 1 in size, so that they are their own shares. */
function noisy(floor: number): Said[] {
  return conversation().map(
    ([message, scores]): Said =>
      message.type === "map"
        ? [{ ...message, method: "occlusion" }]
        : [message.type === "column" ? { ...message, floor } : message, scores],
  );
}

describe("a noise floor", () => {
  it("takes the colour from what is below it, and from nothing else", () => {
    const { el, box } = view(noisy(0.25));
    const isPlain = [0, 1, 2, 3, 4].map((row) => box(row).style.backgroundColor === WHITE);
    expect(isPlain).toEqual([true, true, false, true, false]);
    expect(el.querySelector(".sw-floor")?.textContent).toBe("below .250 is noise");
    expect(texts(el, ".sw-input")).toEqual(["George .400", "president .300"]);
  });
  it("is marked on both sides of the ramp, which has no colour between", () => {
    const { el } = view(noisy(0.2));
    const ticks = [...el.querySelectorAll<HTMLElement>(".sw-legend .sw-floor-tick")].map(({ style }) => style.left);
    expect(ticks).toEqual(["25.0%", "75.0%"]); // .2 of .4
    const stops = el.querySelector<HTMLElement>(".sw-gradient")?.style.background.match(/rgb\([^)]*\)/g) ?? [];
    expect(stops.map((stop) => stop === WHITE)).toEqual(
      Array.from({ length: 2 * STEPS + 1 }, (_, k) => Math.abs(k - STEPS) < STEPS / 2),
    );
  });
  it("says where nothing is above it", () => {
    const { el, box } = view(noisy(0.5));
    expect(el.querySelector(".sw-floor")?.textContent).toBe("below .500 is noise: nothing here is more");
    expect([0, 1, 2, 3, 4].every((row) => box(row).style.backgroundColor === WHITE)).toBe(true);
    expect(texts(el, ".sw-input")).toEqual([]);
    expect(el.querySelector(".sw-legend .sw-floor-tick")).toBeNull();
  });
  it("is a score where scores are shown, and a share of a column with another sum", () => {
    const { store } = started(noisy(0.25));
    store.selection.value = 1; // six ones
    expect(store.look.value.floor).toBeCloseTo(0.25 / 6);
    store.measure.value = "raw";
    expect(store.look.value.floor).toBe(0.25);
  });
  it("is none of a map that tells none", () => {
    const { el } = view();
    expect(el.querySelector(".sw-floor, .sw-floor-tick")).toBeNull();
  });
  it("holds in a saved map for each of its columns", () => {
    const map = document.createElement("div");
    map.innerHTML = `${"<span class='sw-token'></span>".repeat(5)}<div class='sw-caption'></div>`;
    const paint = painter(
      map,
      {
        signed: true,
        label: "share",
        floors: [0.25, null],
        rows: [0, 1, 2, 3, 4],
        cols: [null, null, null, null, null],
        ended: [0, 0, 0, 0, 0],
        names: ["a", "b", "c", "d", "e"],
        captions: [0, 1].map((name) => ({ name: `${name}`, detail: "", alternatives: "", hidden: "" })),
      },
      (at) => (COLUMNS[0] as number[]).slice(0, 5).map((score) => score * (at + 1)),
    );
    const plain = () => [...map.querySelectorAll<HTMLElement>(".sw-token")].map((e) => e.style.background === WHITE);
    paint(0, [255, 255, 255]);
    expect(plain()).toEqual([true, true, false, true, false]);
    paint(1, [255, 255, 255]);
    expect(plain()).toEqual([false, false, false, true, false]);
  });
});

describe("a map of a server", () => {
  const status = (phase: string, done: number) => ({
    type: "status",
    phase,
    what: "Occlusion",
    done,
    total: 26,
    unit: phase === "cancelled" ? "requests" : "requests, about 3,100 tokens",
    seconds_left: phase === "cancelled" ? null : 4.2,
  });
  const asked = () =>
    noisy(0.1)
      .filter(([{ type }]) => type !== "column")
      .map(
        ([message, scores]): Said => [
          message.type === "document" ? documentOf(1, FIRST, { alive: false }) : message,
          scores,
        ],
      );
  it("tells its price while it is asked for, and what is kept when it is stopped", () => {
    const { el, model } = view(asked());
    model.hear(status("attributing", 12));
    expect(el.querySelector(".sw-progress-text")?.textContent).toBe(
      "Occlusion: 12 of 26 requests, about 3,100 tokens, 4.2 s left",
    );
    expect(el.querySelector(".sw-legend")?.textContent).toBe("This column is on its way.");
    el.querySelector<HTMLElement>(".sw-cancel")?.click();
    model.hear(status("cancelled", 14));
    expect(el.querySelector(".sw-progress-text")?.textContent).toBe(
      "Cancelled: the answers to 14 of 26 requests are kept.",
    );
    expect(el.querySelector(".sw-legend")?.textContent).toBe("This column was not computed.");
    el.querySelector<HTMLElement>(".sw-go-on")?.click();
    expect(model.sent.at(-1)).toMatchObject({ type: "ask", method: "occlusion" });
  });
});
