import { describe, expect, it } from "vitest";
import type { WhatIf } from "../src/protocol";
import { mostChanged, together } from "../src/views/whatif/change";
import { COLUMNS, conversation, documentOf, over, press, type Said, tokens, viewing } from "./help";

const EDITABLE = "The first president was George";
const mounting = viewing();

function view(messages: readonly Said[] = conversation(), editable: string | null = EDITABLE) {
  return mounting(
    messages.map(([message, scores]) =>
      message.type === "document" ? [{ ...message, editable }, scores] : [message, scores],
    ),
  );
}
const signed = (): Said[] =>
  conversation().map(([message, scores]) =>
    message.type === "map" ? [{ ...message, method: "occlusion" }, scores] : [message, scores],
  );
const tried = (
  rows: number[],
  after: (number | null)[],
  text: string | null = null,
  written: [number, string][] = [],
): WhatIf => ({
  type: "what_if",
  request: 1,
  doc: 1,
  rows,
  text,
  written,
  operator: text === null ? "mask" : null,
  reason: null,
  before: [0.8, 0.5, 0.25],
  after,
  others: after.map(() => []),
});
const bar = (el: Element) => el.querySelector<HTMLElement>(".sw-tried");
const said = (el: Element) => bar(el)?.textContent?.replace(/\s+/g, " ").trim() ?? "";
const press1 = (el: Element, label: string) => {
  const button = [...el.querySelectorAll<HTMLElement>(".sw-what-if button")].find(
    ({ textContent }) => textContent?.trim() === label,
  );
  if (button === undefined) throw new Error(`no button ${label}`);
  button.focus();
  button.click();
};

describe("what was tried", () => {
  it("is not there until it is", () => {
    expect(bar(view().el)?.hidden).toBe(true);
  });
  it("says what is missing, and how probable the target on show was and is", () => {
    const { el, store } = view();
    store.tried(tried([1, 2], [0.3, 0.5, 0.2]));
    expect(said(el)).toContain("Without “first president”: Washington p .800 → .300 (−.500)");
  });
  it("is what an alternative goes on from", () => {
    const { el, model, store } = view();
    store.tried({ ...tried([1, 2], [0.3, 0.5, 0.2]), others: [[{ id: 9, text: " John", probability: 0.4 }], [], []] });
    const write = () => {
      el.querySelector<HTMLElement>(".sw-alternative")?.click();
      const items = [...el.querySelectorAll<HTMLElement>("[role=menuitem]")];
      return items.find(({ textContent }) => textContent?.startsWith("Write"));
    };
    const without = write();
    expect(without?.textContent).toBe("Write “John” instead and go on, without “first president”");
    without?.click();
    expect(model.sent.at(-1)).toEqual({ type: "branch", col: 0, token: 9, rows: [1, 2] });
    store.tried({
      ...tried([1], [0.3, 0.5, 0.2], "What"),
      others: [[{ id: 9, text: " John", probability: 0.4 }], [], []],
    });
    const edited = write();
    expect(edited?.textContent).toBe("Write “John” instead and go on in the edited text");
    edited?.click();
    expect(model.sent.at(-1)).toEqual({ type: "branch", col: 0, token: 9, text: "What" });
  });
  it("says how the tokens were taken away, and why not as usual", () => {
    const { el, store } = view();
    store.tried(tried([1, 2], [0.3, 0.5, 0.2]));
    expect(said(el)).toContain("No token could attend to what is struck out, and all others kept their places.");
    const reason = "MambaForCausalLM has no attention, so no token can be hidden from the others.";
    store.tried({ ...tried([1, 2], [0.3, 0.5, 0.2]), operator: "delete", reason });
    expect(said(el)).toContain(`The text closed up where tokens were struck out. ${reason}`);
    store.tried(tried([1], [0.3, 0.5, 0.2], "The second president was George"));
    expect(said(el)).not.toMatch(/closed up|attend/);
  });
  it("names what stands apart one after the other", () => {
    const { el, store } = view();
    store.tried(tried([0, 2, 3], [0.9, 0.5, 0.2]));
    expect(said(el)).toContain("Without “The”, “president was”:");
    expect(said(el)).toContain("(+.100)");
  });
  it("has the target that changed most as its headline, and beside it the one on show", () => {
    const { el, store, box } = view();
    store.tried(tried([1], [0.75, 0.1, 0.2]));
    expect(said(el)).toMatch(/^Without “first”: \. p \.500 → \.100 \(−\.400\)/);
    expect(said(el)).toContain("on show: Washington p .800 → .750 (−.050)");
    over(box(6)); // the headline itself
    expect(said(el)).not.toContain("on show");
  });
  it("shows the target on show where nothing changed", () => {
    const { el, store } = view();
    store.tried(tried([1], [0.8, 0.5, 0.25]));
    expect(said(el)).toContain("Without “first”: Washington p .800 → .800 (.000)");
  });
  it("tells numbers before and after where the model gives no probabilities", () => {
    const { el, model, store } = view();
    model.hear(documentOf(1, 5, { raw: true, editable: EDITABLE }));
    store.tried({ ...tried([1], [1.25, 2, 3]), before: [-3.5, 2, 3] });
    expect(said(el)).toContain("Washington −3.50 → 1.25 (+4.75)");
    expect(said(el)).not.toContain("p −3.50");
    expect(el.querySelector(".sw-two-bars")).toBeNull();
  });
  it("follows the target under the mouse", () => {
    const { el, box, store } = view();
    store.tried(tried([1], [0.3, 0.4, 0.2]));
    over(box(7));
    expect(said(el)).toContain("He p .250 → .200 (−.050)");
  });
  it("takes several targets together", () => {
    const { el, store } = view();
    store.tried(tried([1], [0.4, 0.5, 0.2]));
    store.pin(0, 2);
    expect(said(el)).toContain("Washington. joint p .400 → .200");
    expect(together([0.5, null], { start: 0, end: 2 })).toBeNull();
  });
  it("sets beside it the share that the map gave, where its scores are no parts of the probability", () => {
    const { el, store } = view();
    store.tried(tried([4], [0.3, 0.5, 0.2]));
    expect(said(el)).toContain("the map gave it 40 % of this column");
  });
  it("sets beside it the change that a signed map predicted", () => {
    const { el, store } = view(signed());
    store.tried(tried([2, 4], [0.3, 0.5, 0.2]));
    expect(said(el)).toContain("the map predicted −.700");
  });
  it("predicts no change from scores that set a target against another token", () => {
    const against = signed().map(
      ([message, scores]): Said =>
        message.type === "map" ? [{ ...message, foil: " Bush", col: 0 }, scores] : [message, scores],
    );
    const { el, store } = view(against);
    store.tried(tried([2, 4], [0.3, 0.5, 0.2]));
    expect(said(el)).toContain("the map gave them 70 % of this column");
  });
  it("predicts no change from scores of another objective, nor of several targets", () => {
    const logit = signed().map(
      ([message, scores]): Said =>
        message.type === "map" ? [{ ...message, objective: "logit" }, scores] : [message, scores],
    );
    const { el, store } = view(logit);
    store.tried(tried([4], [0.3, 0.5, 0.2]));
    expect(said(el)).toContain("the map gave it 40 %");
  });
  it("says of a signed share which way it points", () => {
    const against = signed().map(
      ([message, scores]): Said =>
        message.type === "map"
          ? [{ ...message, objective: "logit" }, scores]
          : [message, scores?.map((score) => -score)],
    );
    const { el, store } = view(against);
    store.tried(tried([4], [0.3, 0.5, 0.2]));
    expect(said(el)).toContain("the map gave it −40 %");
  });
  it("says nothing of the map while its column is not here", () => {
    const { el, model, store } = view(conversation().filter(([{ type }]) => type !== "column"));
    store.tried(tried([4], [0.3, 0.5, 0.2]));
    expect(said(el)).toContain("p .800 → .300");
    expect(said(el)).not.toContain("the map gave");
    model.hear({ type: "column", floor: null, n_cols: 1, map: "m1", seq: 1, col: 0, n_rows: 7 }, COLUMNS[0]);
    expect(said(el)).toContain("the map gave it 40 %");
  });
  it("says that a target is struck out itself", () => {
    const { el, box, store } = view();
    store.tried(tried([5], [null, 0.4, 0.2]));
    expect(said(el)).toContain("Washington is struck out itself");
    over(box(6));
    expect(said(el)).toContain(". p .500 → .400");
  });
  it("lists the targets that changed most, those that are gone left out", () => {
    const after = [null, 0.1, 0.2, 0.9, 0.5];
    const before = [0.8, 0.12, 0.9, 0.9, 0.4];
    const most = mostChanged(
      {
        type: "what_if",
        request: 1,
        doc: 1,
        rows: [5],
        text: null,
        written: [],
        operator: "mask",
        reason: null,
        before,
        after,
        others: [],
      },
      2,
    );
    expect(most.map(({ col }) => col)).toEqual([2, 4]);
    const { el, store } = view();
    store.tried(tried([1], [0.3, 0.4, 0.25]));
    expect([...el.querySelectorAll(".sw-changes tr")].map((row) => row.textContent)).toEqual([
      "most changedbeforeafterchange",
      "Washington.800.300−.500",
      "..500.400−.100",
    ]);
  });
  it("strikes the tokens through, and no longer once it is undone", () => {
    const { el, box, store } = view();
    store.tried(tried([1, 2], [0.3, 0.5, 0.2]));
    const struck = () => [0, 1, 2, 3].map((i) => box(i).classList.contains("sw-struck"));
    expect(struck()).toEqual([false, true, true, false]);
    store.tried({ ...tried([], []), before: [] });
    expect(struck()).toEqual([false, false, false, false]);
    expect(bar(el)?.hidden).toBe(true);
  });
  it("is undone by its button and by key, and kept by the other", () => {
    const { el, box, model, store } = view();
    store.tried(tried([1], [0.3, 0.5, 0.2]));
    press1(el, "Undo");
    press(box(5), "u");
    press1(el, "Show its map");
    const { request } = model.sent.at(-3) as { request: number };
    expect(model.sent.slice(-3)).toEqual([
      { type: "try", request },
      { type: "try", request: request + 1 },
      { type: "keep", rows: [1] },
    ]);
    store.tried({ ...tried([], []), before: [] });
    expect(document.activeElement).toBe(box(5)); // the button is gone
    const { length } = model.sent;
    press(box(5), "u");
    expect(model.sent).toHaveLength(length);
  });
  it("is read aloud once, and hostile names are text", () => {
    const list = ["<b>x</b>", " \u0000", " y", " z"];
    const { el, box, store } = view(conversation(list, 2, [[1, 1, Number.NaN], [1, 1, 1]])); // biome-ignore format: short
    store.tried({ ...tried([0, 1], [0.4, 0.5]), before: [0.8, 0.5] });
    const live = () =>
      [...el.querySelectorAll("[role=status]")]
        .map(({ textContent }) => textContent)
        .join("")
        .replace(/\s+/g, " ");
    expect(live()).toContain("Without “<b>x</b> NUL”: y p .800 now .400 (−.400)");
    over(box(3));
    expect(live()).toContain("y p .800 now .400");
    expect(el.querySelector(".sw-tried b b, .sw-tried bdi b")).toBeNull();
  });
});

describe("the text, edited", () => {
  const words = (el: Element) =>
    [...el.querySelectorAll(".sw-body .sw-struck, .sw-body ins")].map(({ textContent, tagName }) => [
      tagName,
      textContent,
    ]);
  it("stands there as a difference: what is gone struck out, what is new beside it, until it is undone", () => {
    const { el, store, box } = view();
    store.tried(tried([1, 4], [0.3, 0.5, 0.2], "New", [[0, "Oh, "], [2, " last"], [5, " <b>\u0000"]])); // biome-ignore format: short
    expect(words(el)).toEqual([
      ["INS", "Oh, "],
      ["SPAN", "first"],
      ["INS", "last"],
      ["SPAN", "George"],
      ["INS", "<b>NUL"],
    ]);
    expect(box(0).previousSibling?.nodeName).toBe("INS");
    store.pin(1);
    over(box(2));
    expect(el.querySelectorAll("ins")).toHaveLength(3);
    store.tried({ ...tried([], []), before: [] });
    expect(words(el)).toEqual([]);
  });
  it("is offered only where it can be written anew", () => {
    const { el } = view(conversation(), null);
    expect(el.querySelector<HTMLElement>(".sw-editor")?.hidden).toBe(true);
  });
  const opened = () => {
    const all = view();
    press1(all.el, "Edit the text");
    const area = all.el.querySelector<HTMLTextAreaElement>(".sw-editor textarea");
    if (area === null) throw new Error("no area");
    return { ...all, area };
  };
  it("opens in place with the text in it and the focus on it", () => {
    const { area } = opened();
    expect([area.value, area.dir, document.activeElement]).toEqual([EDITABLE, "auto", area]);
  });
  it("keeps its keys from the notebook, which would run the cell", () => {
    const { el } = view();
    press1(el, "Edit the text");
    const heard: string[] = [];
    const hear = ({ key }: KeyboardEvent) => heard.push(key);
    document.body.addEventListener("keydown", hear);
    press(el.querySelector("textarea") as Element, "Enter", { ctrlKey: true });
    document.body.removeEventListener("keydown", hear);
    expect(heard).toEqual([]);
  });
  it("is tried by its button, and by Ctrl and Enter", () => {
    const { el, area, model } = opened();
    area.value = "The first president was Abraham";
    press1(el, "Try");
    press(area, "Enter", { ctrlKey: true });
    const wanted = { type: "try", text: "The first president was Abraham" };
    expect(model.sent.filter(({ type }) => type === "try")).toMatchObject([wanted, wanted]);
    expect(press(area, "Enter").defaultPrevented).toBe(false);
  });
  it("closes once it is on show, and has no prediction", () => {
    const { el, store } = opened();
    press1(el, "Try");
    store.tried(tried([], [0.3, 0.5, 0.2], "Well"));
    expect(el.querySelector(".sw-editor textarea")).toBeNull();
    expect(said(el)).toContain("With the edited text: Washington p .800 → .300 (−.500) an edit has no prediction");
    press1(el, "Edit the text");
    expect(el.querySelector<HTMLTextAreaElement>(".sw-editor textarea")?.value).toBe("Well");
  });
  it("stays open, to be mended, when it could not be tried", () => {
    const { el, area, model } = opened();
    area.value = "too long";
    press1(el, "Try");
    model.hear({ type: "failed", kind: "TextTooLong", message: "It is too long.", cure: "Cut it." });
    expect([
      area.isConnected,
      area.value,
      el.querySelector(".sw-editor .sw-primary")?.getAttribute("aria-disabled"),
    ]).toEqual([true, "too long", "false"]);
  });
  it("is left as it was with Escape, which goes back to the button", () => {
    const { el, area, model } = opened();
    const event = press(area, "Escape");
    expect([event.defaultPrevented, el.querySelector("textarea"), document.activeElement?.textContent]).toEqual([
      true,
      null,
      "Edit the text",
    ]);
    expect(model.sent.some(({ type }) => type === "try")).toBe(false);
  });
  it("closes when another text begins", () => {
    const { el, model } = opened();
    model.hear(documentOf(2, 0, { editable: "b" }));
    model.hear({ type: "tokens", doc: 2, start: 0, tokens: tokens(["b"], 0), segments: [] });
    expect(el.querySelector("textarea")).toBeNull();
  });
});
