/** The foot of the page: what runs, what was cut short, what went wrong. */

import { describe, expect, it, vi } from "vitest";
import { conversation, texts, viewing } from "./help";

const view = viewing();

describe("the foot", () => {
  const status = (phase: string, done = 0, total: number | null = null, seconds_left: number | null = null) => ({
    type: "status",
    phase,
    what: "Gradient",
    done,
    total,
    unit: "tokens",
    seconds_left,
  });
  it("shows what runs, how far it is, and Cancel; and goes when it is done", () => {
    const { el, model } = view();
    expect(el.querySelector("[role=progressbar]")).toBeNull();
    model.hear(status("attributing", 14, 32, 0.83));
    expect(el.querySelector(".sw-progress-text")?.textContent).toBe("Gradient: 14 of 32 tokens, 0.8 s left");
    expect(el.querySelector("[role=progressbar]")?.getAttribute("aria-valuenow")).toBe("14");
    el.querySelector<HTMLElement>(".sw-cancel")?.click();
    expect(model.sent.at(-1)).toEqual({ type: "cancel" });
    model.hear(status("done"));
    expect(el.querySelector(".sw-foot")?.textContent?.trim()).toBe("");
  });
  it("runs a clock while nothing is done that would tell how long it takes", () => {
    vi.useFakeTimers();
    const { el, model } = view();
    const said = () => el.querySelector(".sw-progress-text")?.textContent;
    const bar = () => el.querySelector("[role=progressbar]");
    model.hear(status("attributing", 0, 32));
    expect([said(), bar()?.getAttribute("aria-valuenow")]).toEqual(["Gradient: 0 of 32 tokens", null]);
    expect(bar()?.classList).toContain("sw-bar-open");
    vi.advanceTimersByTime(12_500);
    expect(said()).toBe("Gradient: 0 of 32 tokens, 12 s so far");
    model.hear(status("attributing", 0, 32));
    expect(said()).toBe("Gradient: 0 of 32 tokens, 12 s so far");
    model.hear(status("attributing", 1, 32, 90));
    expect([said(), bar()?.getAttribute("aria-valuenow")]).toEqual(["Gradient: 1 of 32 tokens, 2 min left", "1"]);
    model.hear({ ...status("attributing", 0, 32), what: "Occlusion" });
    expect(said()).toBe("Occlusion: 0 of 32 tokens");
    model.hear(status("done"));
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
  it("counts the time down between two words of the kernel, and says so where it takes longer", () => {
    vi.useFakeTimers();
    const { el, model } = view();
    const said = () => el.querySelector(".sw-progress-text")?.textContent?.replace("Gradient: 3 of 32 tokens", "");
    model.hear(status("attributing", 3, 32, 12));
    const heard: (string | undefined)[] = [];
    for (let second = 0; second < 16; second++) {
      heard.push(said());
      vi.advanceTimersByTime(1000);
    }
    const left = Array.from({ length: 12 }, (_, k) => `, ${12 - k < 10 ? `${12 - k}.0` : 12 - k} s left`);
    expect(heard).toEqual([...left, "", "", "", ", longer than expected"]);
    model.hear(status("attributing", 3, 32, 5));
    expect(said()).toBe(", 5.0 s left");
    vi.advanceTimersByTime(1999); // never older than two seconds
    expect(said()).toBe(", 4.0 s left");
    model.hear(status("done"));
    expect(vi.getTimerCount()).toBe(0);
    vi.useRealTimers();
  });
  it("counts what the kernel counts", () => {
    const { el, model } = view();
    const said = () => el.querySelector(".sw-progress-text")?.textContent;
    model.hear({ ...status("attributing", 120, 2000, 40), what: "Occlusion", unit: "words" });
    expect(said()).toBe("Occlusion: 120 of 2,000 words, 40 s left");
    model.hear({ ...status("attributing", 3, 7), unit: "" });
    expect(said()).toBe("Gradient: 3 of 7");
    model.hear(status("generating", 1200));
    expect(said()).toBe("Gradient: 1,200 tokens");
  });
  it("counts a download in bytes, other steps of loading as they are", () => {
    const { el, model } = view(conversation().slice(0, 1));
    const said = () => el.querySelector(".sw-progress-text")?.textContent;
    model.hear(status("loading", 42_000_000, 92_900_000, 6.4));
    expect(said()).toBe("Gradient: 42 of 93 MB, 6.4 s left");
    model.hear(status("loading", 12, 272));
    expect(said()).toBe("Gradient: 12 of 272");
    model.hear(status("loading", 12));
    expect(said()).toBe("Gradient");
  });
  it("goes on with a cancelled map when asked to", () => {
    const { el, model } = view(conversation().slice(0, -1));
    model.hear(status("cancelled"));
    const button = el.querySelector<HTMLElement>(".sw-go-on");
    expect(button?.textContent).toBe("Go on");
    button?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "saliency", objective: "probability" });
    expect(el.querySelector(".sw-go-on")).toBeNull();
  });
  it("goes on with a map that was cancelled before it began", () => {
    const { el, model } = view();
    el.querySelectorAll<HTMLElement>(".sw-method")[1]?.click();
    model.hear(status("attributing", 0, 3));
    el.querySelector<HTMLElement>(".sw-cancel")?.click();
    model.hear(status("cancelled"));
    expect(texts(el, ".sw-note span")).toEqual(["Cancelled before Attention began."]);
    el.querySelector<HTMLElement>(".sw-go-on")?.click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "attention", objective: "probability" });
  });
  it("offers nothing to go on with where the map is whole", () => {
    const { el, model } = view();
    model.hear(status("cancelled"));
    expect([texts(el, ".sw-note"), el.querySelector(".sw-go-on")]).toEqual([["Cancelled."], null]);
  });
  it("does not pretend to know a total", () => {
    const { el, model } = view();
    model.hear(status("loading"));
    expect(el.querySelector("[role=progressbar]")?.hasAttribute("aria-valuenow")).toBe(false);
  });
  it("says how much of a cancelled job is here, until something is asked", () => {
    const { el, model } = view(conversation().slice(0, -1));
    model.hear(status("cancelled"));
    expect(texts(el, ".sw-note span")).toEqual(["Cancelled: 2 of 3 columns are here."]);
    el.querySelectorAll<HTMLElement>(".sw-method")[1]?.click();
    expect(texts(el, ".sw-note")).toEqual([]);
  });
  it("shows an error with its cure, and the map stays", () => {
    const { el, box, model } = view();
    model.hear({ type: "failed", kind: "X", message: "It broke.", cure: "Mend it." });
    expect(el.querySelector("[role=alert] b")?.textContent).toBe("It broke.");
    expect(el.querySelector("[role=alert]")?.textContent).toContain("Mend it.");
    expect(box(4).style.backgroundColor).not.toBe("");
  });
});
