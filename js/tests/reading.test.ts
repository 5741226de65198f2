/** How a map is read: by which units and on which scale; why this and not that; and attention head by head. */

import { describe, expect, it, vi } from "vitest";
import { STEPS } from "../src/color";
import { randomTop } from "../src/scale";
import {
  about,
  conversation,
  documentOf,
  METHOD,
  mapOf,
  over,
  press,
  type Said,
  texts,
  tokens,
  viewing,
  type Wire,
} from "./help";

const view = viewing();
const NAN = Number.NaN;
const said = (element: Element | null | undefined) => element?.textContent?.replace(/\s+/g, " ").trim();
const find = (el: Element, query: string): HTMLElement => {
  const found = el.querySelector<HTMLElement>(query);
  if (found === null) throw new Error(`no ${query}`);
  return found;
};
const button = (el: Element, text: string): HTMLElement => {
  const found = [...el.querySelectorAll("button")].find((one) => said(one)?.startsWith(text));
  if (found === undefined) throw new Error(`no button ${text}`);
  return found;
};
/** Another first map: of another method, with other columns. */
const asMap = (more: Wire, messages = conversation()): Said[] =>
  messages.map(([message, scores]) => [message.type === "map" ? { ...message, ...more } : message, scores]);
const choose = (el: Element, text: string) => {
  const label = [...el.querySelectorAll(".sw-options label")].find((one) => said(one) === text);
  label?.querySelector("input")?.click();
};
const lastAsked = ({ sent }: ReturnType<typeof view>["model"]) => sent.filter(({ type }) => type === "ask").at(-1);

/** "pre|sident" and " George" are words of two tokens; the target is one as well. */
function inWords(): Said[] {
  const list = tokens([" The", " pre", "sident", " Geo", "rge", " Wash", "ington", "."], 5);
  const words = [0, 1, 1, 2, 2, 3, 3, 4];
  return about(
    list.map((token, i) => ({ ...token, word: words[i] ?? 0 })),
    5,
    [
      [1, 2, 1, 3, 1, NAN, NAN],
      [1, 2, 3, 1, 1, 8, NAN],
      [1, 1, 1, 1, 1, 1, 1],
    ],
    { probabilities: [0.5, 0.4, 0.9] },
  );
}

describe("what it is read by", () => {
  it("is chosen in the header; the unit says how tokens are put together, and the line that several targets are one", () => {
    const { el, store } = view(inWords());
    const select = find(el, "select[aria-label='Read by']") as HTMLSelectElement;
    expect([select.value, [...select.options].map(({ text }) => text)]).toEqual([
      "token",
      [
        "token",
        "word",
        "word, mean per token",
        "sentence",
        "sentence, mean per token",
        "segment",
        "segment, mean per token",
      ],
    ]);
    expect(texts(el, ".sw-unit span")).toEqual(["share of the gradient norm"]);
    select.value = "word";
    select.dispatchEvent(new Event("change"));
    expect(store.granularity.value).toBe("word");
    expect(texts(el, ".sw-unit span")).toEqual(["share of the gradient norm, summed over words"]);
    // The mean of both columns; what " Washington" owes to its own first piece is left out.
    const choose = (name: string) => {
      select.value = name;
      select.dispatchEvent(new Event("change"));
      return [store.granularity.value, store.pool.value, ...texts(el, ".sw-unit span")];
    };
    expect(choose("word, mean per token")).toEqual([
      "word",
      "mean",
      "share of the gradient norm, mean per token of each word",
    ]);
    store.readBy("sentence");
    expect(select.value).toBe("sentence, mean per token");
    expect(choose("word").slice(0, 2)).toEqual(["word", "sum"]);
    expect(texts(el, ".sw-input")).toEqual(["president .500", "George .375", "The .125"]);
    expect(said(find(el, ".sw-target-line"))).toBe("Washington joint p = .200 shares: mean of 2 tokens");
  });
  it("steps on with g, from segments back to tokens", () => {
    const { box, el, store } = view(inWords());
    const seen = Array.from({ length: 4 }, () => {
      press(box(5), "g");
      return store.granularity.value;
    });
    expect(seen).toEqual(["word", "sentence", "segment", "token"]);
    const select = find(el, "select[aria-label='Read by']");
    press(select, "g"); // there it is the select's own
    expect(store.granularity.value).toBe("token");
  });
  it("is told to screen readers with the probability of all targets on show", () => {
    const { el, store } = view(inWords());
    store.readBy("word");
    vi.advanceTimersByTime(1000);
    const spoken = [...el.querySelectorAll("[aria-live=polite]")].map(said).join("");
    expect(spoken).toContain("Target Washington. Joint probability .200. Most important words: ");
  });
});

describe("the view", () => {
  it("asks how tokens are pooled only where units are more than tokens", () => {
    const { el, store } = view(inWords());
    find(el, ".sw-view").click();
    expect(texts(el, ".sw-options legend")).toEqual(["Colours", "Numbers", "Several targets"]);
    store.readBy("word");
    expect(texts(el, ".sw-options legend")).toEqual(["Colours", "Numbers", "Tokens of a word", "Several targets"]);
    choose(el, "max");
    expect(texts(el, ".sw-unit span")).toEqual(["share of the gradient norm, the largest of each word"]);
    choose(el, "sum");
    expect([store.pool.value, store.joint.value]).toEqual(["sum", "mean"]);
  });
  it("says the scale in the legend where it is not linear, and has a slider for the threshold", () => {
    const { el, store } = view();
    find(el, ".sw-view").click();
    expect([texts(el, ".sw-scale-name"), el.querySelector("input[type=range]")]).toEqual([[], null]);
    choose(el, "by rank (quantile)");
    expect([store.scale.value, texts(el, ".sw-scale-name")]).toEqual(["quantile", ["by rank"]]);
    expect(texts(el, ".sw-scale")).toEqual(["by rank"]); // half of the ramp is not half of the largest
    const ramp = () => find(el, ".sw-gradient").style.background;
    const whole = ramp();
    choose(el, "threshold");
    const slider = find(el, "input[type=range]") as HTMLInputElement;
    slider.value = "75";
    slider.dispatchEvent(new Event("input"));
    expect([store.threshold.value, slider.getAttribute("aria-valuetext"), texts(el, ".sw-scale-name")]).toEqual([
      0.75,
      "75 % of the largest",
      ["≥ 75 %"],
    ]);
    expect(ramp()).not.toBe(whole);
  });
  it("shows raw scores as they are, in the legend, for the inputs, and in the card", () => {
    const { el } = view();
    find(el, ".sw-view").click();
    choose(el, "raw score");
    expect(texts(el, ".sw-scale, .sw-input, .sw-unit span")).toEqual([
      "00.400",
      "George 0.400",
      "president 0.300",
      "first 0.200",
      "gradient norm",
    ]);
    find(el, ".sw-info").click();
    expect(said(el.querySelector("[role=dialog][aria-label='About this method']"))).toContain(
      "are the scores themselves",
    );
  });
  it("closes with Escape and gives the focus back", () => {
    const { el } = view();
    find(el, ".sw-view").click();
    press(find(el, ".sw-options input"), "Escape");
    expect([el.querySelector(".sw-options"), document.activeElement]).toEqual([null, find(el, ".sw-view")]);
  });
});

describe("the legend", () => {
  it("says what is left out beside what the template holds", () => {
    const { el, store } = view();
    store.hide({ start: 4, end: 5 });
    expect(texts(el, ".sw-held")).toEqual(["not counted: 40 %"]);
  });
  it("stands alone while the question is turned round", () => {
    const { el, store } = view();
    store.turn({ start: 4, end: 5 });
    expect([find(el, ".sw-target-line").hidden, texts(el, ".sw-scale"), texts(el, ".sw-legend .sw-input")]).toEqual([
      true,
      ["0.400"],
      [],
    ]);
  });
  it("says so where the largest share is no more than noise would have, aloud as well", () => {
    const { el, store, box } = view();
    expect(find(el, ".sw-noise").hidden).toBe(true);
    over(box(6));
    const words = `Nothing stands out: the largest share, .167, is no more than noise over 6 tokens would give (.286).`;
    expect(randomTop(6)).toBeCloseTo(0.2857, 4);
    expect([find(el, ".sw-noise").hidden, said(find(el, ".sw-noise"))]).toEqual([false, words]);
    vi.advanceTimersByTime(1000);
    expect([...el.querySelectorAll("[aria-live=polite]")].map(said).join("")).toContain(words);
    // The scale ends at twice what noise would give, so the largest has no more than half the colour.
    expect(texts(el, ".sw-scale")).toEqual(["0.571"]);
    expect(store.look.value.step(0)).toBe(Math.round((STEPS / 6) * (7 / 4)));
    store.measure.value = "raw"; // the column adds up to 6
    expect([texts(el, ".sw-scale"), store.look.value.step(0)]).toEqual([["03.43"], Math.round((STEPS * 7) / 24)]);
    store.measure.value = "share";
    store.scale.value = "quantile";
    expect(store.look.value.step(0)).toBe(Math.round((STEPS * 7) / 24));
    store.scale.value = "linear";
    over(box(7)); // all of it on one token
    expect(store.look.value.step(6)).toBe(STEPS);
    expect([store.target.value, find(el, ".sw-noise").hidden]).toEqual([2, true]);
  });
  it("does not call three equal shares noise: there is too little to tell", () => {
    const { el } = view(conversation(["a", "b", "c", "d"], 3, [[1, 1, 1]]));
    expect(find(el, ".sw-noise").hidden).toBe(true);
  });
});

describe("what else it might have been", () => {
  it("opens a menu: why not that, and what if it were", () => {
    const { el, model, store } = view();
    const chip = find(el, ".sw-alternative");
    chip.click();
    expect(texts(el, "[role=menuitem]")).toEqual(["Why “Washington” and not “W”?", "Write “W” instead and go on"]);
    expect(document.activeElement).toBe(el.querySelector("[role=menuitem]"));
    press(document.activeElement as Element, "ArrowDown");
    expect(said(document.activeElement)).toBe("Write “W” instead and go on");
    (document.activeElement as HTMLElement).click();
    expect([model.sent.at(-1), document.activeElement]).toEqual([{ type: "branch", col: 0, token: 3 }, chip]);
    store.pin(2);
    chip.click();
    button(el, "Why").click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "saliency", objective: "probability", foil: 3, col: 2 });
  });
  it("asks by the first method and objective that can, where those on show cannot", () => {
    const menu = {
      methods: [{ ...METHOD, id: "attention", uses_objective: false }, { ...METHOD, reason: "No." }, METHOD].map(
        (card, i) => ({ ...card, id: i === 2 ? "smooth" : card.id }),
      ),
      objectives: [
        { id: "logit", label: "logit", means: "" },
        { id: "entropy", label: "entropy", means: "" },
      ],
    };
    const messages = asMap({ method: "attention", objective: "entropy" }).map(
      ([message, scores]): Said => [message.type === "menu" ? { ...message, ...menu } : message, scores],
    );
    const { el, model } = view(messages);
    find(el, ".sw-alternative").click();
    button(el, "Why").click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "smooth", objective: "logit", foil: 3, col: 0 });
  });
  it("of classes are the other classes, the likeliest first; nothing is written there", () => {
    const list = tokens(["good", " film", "bad", "fine", "great"], 2, { 2: "class", 3: "class", 4: "class" });
    const columns = [0, 1, 2].map(() => [1, 2]);
    const { el, model } = view(about(list, 2, columns, { probabilities: [0.1, 0.2, 0.7] }));
    expect(texts(el, ".sw-target-name, .sw-alternative")).toEqual(["great", "fine .200", "bad .100"]);
    find(el, ".sw-alternative").click();
    expect(texts(el, "[role=menuitem]")).toEqual(["Why “great” and not “fine”?"]);
    button(el, "Why").click();
    expect(lastAsked(model)).toMatchObject({ foil: 13, col: 2 });
  });
});

describe("why this and not that", () => {
  const contrast = (method = "occlusion"): Said[] => [
    ...conversation(),
    [mapOf("why", { method, foil: " Bush", col: 0 })],
    [{ type: "column", floor: null, n_cols: 1, map: "why", seq: 9, col: 0, n_rows: 7 }, [1, -2, 3, 0, 4, NAN, NAN]],
  ];

  it("says what it is about, what the colours mean, and that the other targets have no part in it", () => {
    const { el, box } = view(contrast());
    expect(said(find(el, ".sw-contrast"))).toBe("Why “Washington” and not “Bush”×");
    expect(said(find(el, ".sw-legend"))).toContain("purple: speaks for “Washington”, orange: for “Bush”");
    over(box(6));
    expect(said(find(el, ".sw-legend"))).toBe("This contrast is about “Washington” alone.");
  });
  it("is kept by another method and objective that look at a single target, and by no other", () => {
    const menu = {
      methods: [METHOD, { ...METHOD, id: "smooth" }, { ...METHOD, id: "attention", uses_objective: false }],
      objectives: ["probability", "logit", "entropy"].map((id) => ({ id, label: id, means: "" })),
    };
    const { el, model } = view(
      conversation().map(
        ([message, scores]): Said => [message.type === "menu" ? { ...message, ...menu } : message, scores],
      ),
    );
    find(el, ".sw-alternative").click();
    button(el, "Why").click();
    const asked = { type: "ask", method: "saliency", objective: "probability", foil: 3, col: 0 };
    expect(model.sent.at(-1)).toEqual(asked);
    const methods = [...el.querySelectorAll<HTMLElement>(".sw-method")];
    methods[1]?.click();
    expect(model.sent.at(-1)).toEqual({ ...asked, method: "smooth" });
    const choose = (id: string) => {
      find(el, ".sw-objective button").click();
      button(el, id).click();
    };
    choose("logit");
    expect(model.sent.at(-1)).toEqual({ ...asked, method: "smooth", objective: "logit" });
    choose("entropy");
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "smooth", objective: "entropy" });
    find(el, ".sw-alternative").click();
    button(el, "Why").click();
    methods[2]?.click();
    expect(model.sent.at(-1)).toMatchObject({ type: "ask", method: "attention" });
    expect(model.sent.at(-1)).not.toHaveProperty("foil");
  });
  it("has no sides where the method has no signs", () => {
    const { el } = view(contrast("saliency"));
    expect(said(find(el, ".sw-legend"))).not.toContain("purple");
  });
  it.each(["click", "Escape"])("goes back to the whole map at once with %s, and the focus goes on", (how) => {
    const { el, model, store } = view(contrast("saliency"));
    const back = find(el, ".sw-contrast button");
    back.focus();
    if (how === "click") back.click();
    else press(back, "Escape");
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "saliency", objective: "probability" });
    expect([store.map.value?.info.map, el.querySelector(".sw-contrast")]).toEqual(["m1", null]);
    expect(document.activeElement).toBe(find(el, ".sw-alternative"));
  });
});

describe("what a method says of its own result", () => {
  const WHOLE = { text: "Each column adds up to the change of the objective, but for at most 0.0041.", cols: null };
  const SOME = { text: "<b>Half precision</b> leaves scores uncertain by up to 0.2.", cols: [1, 2] };
  const notes = (map = "m1", list: Wire[] = [WHOLE, SOME]) => ({ type: "notes", map, notes: list });
  const aloud = (el: Element) => {
    vi.advanceTimersByTime(1000);
    return [...el.querySelectorAll("[aria-live=polite]")].map(said);
  };
  it("stands below the colours, as text, of the columns that it concerns alone", () => {
    const { el, model, box, store } = view();
    expect(texts(el, ".sw-notes > div")).toEqual([]);
    model.hear(notes());
    expect(texts(el, ".sw-notes > div")).toEqual([WHOLE.text]);
    over(box(6));
    expect(texts(el, ".sw-notes > div")).toEqual([WHOLE.text, SOME.text]);
    store.preview(null, null);
    store.pin(0, 2); // the second of two
    expect(texts(el, ".sw-notes > div")).toEqual([WHOLE.text, SOME.text]);
    store.turn({ start: 4, end: 5 });
    expect(texts(el, ".sw-notes > div")).toEqual([WHOLE.text]);
  });
  it("is of the map on show: another has its own, a later word replaces an earlier one, another text has none", () => {
    const { el, model } = view();
    model.hear(notes());
    model.hear(notes("unknown", [{ text: "Of no map.", cols: null }]));
    model.hear(mapOf("m2", { method: "occlusion" }));
    expect(texts(el, ".sw-notes > div")).toEqual([]);
    model.hear(notes("m2", [{ text: "Of another.", cols: null }]));
    expect(texts(el, ".sw-notes > div")).toEqual(["Of another."]);
    model.hear(notes("m2", []));
    expect(texts(el, ".sw-notes > div")).toEqual([]);
    model.hear(mapOf("m1"));
    expect(texts(el, ".sw-notes > div")).toEqual([WHOLE.text]);
    model.hear(documentOf(2, 5));
    expect(texts(el, ".sw-notes > div")).toEqual([]);
  });
  it("is read aloud once the reader rests, and not again with every target", () => {
    const { el, model, box } = view();
    const live = aloud(el).length;
    model.hear(notes());
    expect(aloud(el)).toContain(WHOLE.text);
    const [region] = [...el.querySelectorAll("[aria-live=polite]")].filter((one) => said(one) === WHOLE.text);
    const changes: MutationRecord[] = [];
    const observer = new MutationObserver((records) => changes.push(...records));
    observer.observe(region as Element, { childList: true, characterData: true, subtree: true });
    model.hear(notes("m1", [WHOLE]));
    over(box(7));
    expect(aloud(el).length).toBe(live);
    expect([observer.takeRecords(), changes]).toEqual([[], []]);
    observer.disconnect();
  });
});

describe("the texts that were shown", () => {
  const trail = (names: string[], at: number) => ({ type: "trail", names, at, as_chat: false });
  it("are a line of names once there is more than one, the one on show marked", () => {
    const { el, model } = view();
    expect(find(el, ".sw-trail").hidden).toBe(true);
    model.hear(trail(["The first president"], 0));
    expect(find(el, ".sw-trail").hidden).toBe(true);
    model.hear(trail(["The first president", "Bush", "Clinton"], 1));
    expect([find(el, ".sw-trail").hidden, said(find(el, ".sw-trail"))]).toEqual([
      false,
      "The first president›Bush›Clinton",
    ]);
    expect(texts(el, ".sw-trail [aria-current=true]")).toEqual(["Bush"]);
    button(el, "Clinton").click();
    expect(model.sent.at(-1)).toEqual({ type: "back", to: 2 });
  });
  it("lead back with b, and no further than to the first", () => {
    const { box, model } = view();
    const back = () => model.sent.filter(({ type }) => type === "back");
    press(box(5), "b");
    model.hear(trail(["a", "b"], 1));
    press(box(5), "b");
    model.hear(trail(["a", "b"], 0));
    press(box(5), "b");
    expect(back()).toEqual([{ type: "back", to: 0 }]);
  });
});

describe("a text that was over at once", () => {
  const trail = (as_chat: boolean, names = ["What is it?"]) => ({
    type: "trail",
    names,
    at: names.length - 1,
    as_chat,
  });
  const aloud = (el: Element) => [...el.querySelectorAll("[aria-live=polite]")].map(said).join("");
  it("is said to have been read as plain text, and can be asked as a chat, where the kernel says so", () => {
    const { el, model } = view();
    expect(find(el, ".sw-as-chat").hidden).toBe(true);
    model.hear(trail(false));
    expect([find(el, ".sw-as-chat").hidden, aloud(el)]).toEqual([true, ""]);
    model.hear(trail(true));
    expect([find(el, ".sw-as-chat").hidden, said(find(el, ".sw-as-chat"))]).toEqual([
      false,
      "Read as plain text · ask it as a chat",
    ]);
    expect(aloud(el)).toContain("Read as plain text. You can ask it as a chat.");
    const offer = button(el, "ask it as a chat");
    expect([offer.tagName, offer.tabIndex]).toEqual(["BUTTON", 0]);
    offer.click();
    expect(model.sent.at(-1)).toEqual({ type: "as_chat" });
    model.hear(trail(false, ["What is it?", "as a chat"]));
    expect([find(el, ".sw-as-chat").hidden, aloud(el)]).toEqual([true, ""]);
  });
  it("is not offered where there is no model to ask", () => {
    const { el, model } = view();
    model.hear(trail(true));
    model.hear(documentOf(1, 5, { alive: false }));
    expect(find(el, ".sw-as-chat").hidden).toBe(true);
  });
});

describe("the target before any is chosen", () => {
  const roles = (...special: number[]) => Object.fromEntries(special.map((at) => [at, "special" as const]));
  const first = (...special: number[]) => {
    const written = tokens(["Why", "?", "<|end|>", " Cat", "nip"], 2, roles(...special));
    return view(about(written, 2, [])).store.shown.value?.col;
  };
  it("is the first word that says something, no special token before it", () => {
    expect([first(), first(2), first(2, 3)]).toEqual([0, 1, 2]);
  });
  it("is a special token where nothing else was written", () => {
    expect(first(2, 3, 4)).toBe(0);
  });
});

describe("layers × heads", () => {
  const NROWS = 7;
  /** Layer 1 looks at the first token, layer 3 at " George"; layer 3 has one head only. */
  const weights = [0.9, 0.1, 0, 0, 0, NAN, NAN, 0.2, 0.8, 0, 0, 0, NAN, NAN, 0, 0, 0, 0.3, 0.41, NAN, NAN].concat(
    Array(NROWS).fill(NAN),
  );
  const heads = (col = 0) => ({ type: "heads", doc: 1, col, layers: [1, 3], n_heads: 2, n_rows: NROWS });
  const attention = () =>
    asMap(
      { method: "attention" },
      conversation().map(([message, scores]) => [
        message.type === "menu"
          ? {
              ...message,
              methods: [{ ...METHOD, id: "attention", family: "attention", uses_objective: false }, METHOD],
            }
          : message,
        scores,
      ]),
    );
  const opened = async () => {
    const made = view(attention());
    find(made.el, ".sw-heads-toggle").click();
    await made.model.reply(heads(), weights);
    const cell = (layer: number, head: number) => find(made.el, `[data-at="${layer + 1} ${head + 1}"]`);
    return { ...made, cell };
  };

  it("are offered where attention is on show, and nowhere else", () => {
    const { el, model } = view(attention());
    expect(find(el, ".sw-heads-toggle").hidden).toBe(false);
    model.hear({ ...attention().find(([{ type }]) => type === "map")?.[0], map: "m2", method: "saliency" });
    expect(find(el, ".sw-heads-toggle").hidden).toBe(true);
  });
  it("asks for the heads of the target on show, once, and again when the reader rests on another", async () => {
    const { el, box, model } = await opened();
    const wanted = () => model.sent.filter(({ type }) => type === "heads");
    expect(wanted()).toMatchObject([{ type: "heads", col: 0 }]);
    over(box(6));
    over(box(7));
    expect(wanted()).toHaveLength(1);
    vi.advanceTimersByTime(150);
    expect(wanted()).toMatchObject([
      { type: "heads", col: 0 },
      { type: "heads", col: 2 },
    ]);
    expect(find(el, "[role=grid]").getAttribute("aria-busy")).toBe("true");
    await model.reply(heads(2), weights);
    expect(find(el, "[role=grid]").getAttribute("aria-busy")).toBe("false");
    find(el, ".sw-heads-toggle").click();
    over(box(6));
    vi.advanceTimersByTime(1000);
    expect(wanted()).toHaveLength(2);
  });
  it("says where a head looks most, and that one is not there", async () => {
    const { el, cell } = await opened();
    over(cell(1, 0));
    expect(said(find(el, ".sw-head-said"))).toBe("layer 3, head 0: looks most at “George” .410");
    expect(cell(0, 1).getAttribute("aria-label")).toBe("layer 1, head 1: looks most at “first” .800");
    expect(cell(1, 1).getAttribute("aria-label")).toBe("layer 3 has no head 1");
  });
  it("shows a head in the text for as long as it is pointed at, and asks for nothing", async () => {
    const { el, model, store, cell } = await opened();
    const inputs = () => texts(el, ".sw-inputs .sw-input");
    const before = inputs();
    const asked = model.sent.length;
    over(cell(0, 1));
    expect(inputs()).toEqual(["first .800", "The .200"]);
    expect(texts(el, ".sw-unit span")[0]).toContain("layer 1 · head 1");
    over(cell(0, -1));
    expect(inputs()).toEqual(["The .550", "first .450"]); // the mean of its two heads
    over(cell(1, -1));
    expect(inputs()[0]).toBe("George .577"); // .41 of .71: of its one head
    over(cell(1, 1));
    expect(inputs()).toEqual(before); // there is no such head
    over(cell(0, 1));
    expect(store.isFaded.value).toBe(false);
    find(el, "[role=grid]").dispatchEvent(new PointerEvent("pointerleave"));
    expect(inputs()).toEqual(before);
    over(cell(0, 1));
    press(find(el, ".sw-heads"), "Escape");
    expect([inputs(), store.glimpse.value, model.sent.length]).toEqual([before, null, asked]);
  });
  it("is not shown in the text where that is about another question: of several targets, or turned round", async () => {
    const { store, cell } = await opened();
    store.pin(0, 2);
    over(cell(0, 1));
    expect(store.glimpse.value).toBeNull();
    store.pin(0, 2);
    store.turn({ start: 0, end: 1 });
    over(cell(0, 0));
    expect(store.glimpse.value).toBeNull();
  });
  it("says what a cell is", async () => {
    const { el } = await opened();
    expect(said(find(el, ".sw-head-key"))).toContain("from left to right the 5 tokens before it");
  });
  it("asks for the map of a head, of a layer, or of all, and marks which is on show", async () => {
    const { el, model, cell } = await opened();
    const picked = () => [...el.querySelectorAll("[aria-selected=true]")].map((one) => one.getAttribute("aria-label"));
    expect(picked()).toEqual(["all layers and heads"]);
    cell(1, 0).click();
    expect(lastAsked(model)).toMatchObject({ method: "attention", settings: { layer: 3, head: 0 } });
    expect(picked()).toEqual(["layer 3, head 0: looks most at “George” .410"]);
    cell(0, -1).click();
    expect(lastAsked(model)).toMatchObject({ settings: { layer: 1 } });
    expect(picked()).toEqual(["layer 1, all heads"]);
    cell(-1, -1).click();
    expect(lastAsked(model)).toEqual({ type: "ask", method: "attention", objective: "probability" });
    cell(1, 1).click();
    expect(model.sent.filter(({ type }) => type === "ask")).toHaveLength(3);
  });
  it("knows the head of a map that was asked for elsewhere", async () => {
    const { el, model } = await opened();
    const map = attention().find(([{ type }]) => type === "map")?.[0];
    model.hear({
      ...map,
      map: "m2",
      settings: [
        ["layer", "1"],
        ["head", "1"],
        ["reduction", "mean"],
      ],
    });
    expect(el.querySelector("[aria-selected=true]")?.getAttribute("aria-label")).toContain("layer 1, head 1");
    expect(texts(el, ".sw-unit span")).toEqual(["share of the gradient norm · layer 1 · head 1"]);
  });
  it("is walked with the arrows, one tab stop, and picked with Enter", async () => {
    const { el, model, cell } = await opened();
    const panel = find(el, ".sw-heads");
    const step = (key: string) => press(document.activeElement ?? panel, key);
    panel.focus();
    step("ArrowDown");
    step("ArrowRight");
    expect(document.activeElement).toBe(cell(0, 0));
    step("ArrowDown");
    step("End");
    step("ArrowRight");
    expect([document.activeElement, el.querySelectorAll(".sw-heads [tabindex='0']").length]).toEqual([cell(1, 1), 1]);
    step("ArrowLeft");
    step("Enter");
    expect(lastAsked(model)).toMatchObject({ settings: { layer: 3, head: 0 } });
    expect(document.activeElement).toBe(cell(1, 0));
    for (const key of ["ArrowUp", "ArrowUp", "ArrowUp"]) step(key);
    expect(document.activeElement).toBe(cell(-1, -1));
    step("Escape");
    expect([el.querySelector(".sw-heads"), document.activeElement]).toEqual([null, find(el, ".sw-heads-toggle")]);
  });
});

describe("what is not known yet", () => {
  it("is no probability: that of several targets needs that of each", () => {
    const { el, store } = view(
      conversation().map(([message, scores]) =>
        message.type === "steps"
          ? [{ ...message, steps: (message.steps as Wire[]).slice(0, 1) }, scores]
          : [message, scores],
      ),
    );
    expect(texts(el, ".sw-target-line .sw-probability")).toEqual(["p = .796"]);
    store.pin(0, 2);
    expect(texts(el, ".sw-target-line .sw-probability")).toEqual([]);
  });
  it("is said of a contrast in other words where it is about the target on show", () => {
    const { el, store } = view(asMap({ foil: " Bush", col: 0 }).filter(([message]) => message.type !== "column"));
    expect(texts(el, ".sw-about .sw-legend")).toEqual(["This column was not computed."]);
    store.pin(1);
    expect(texts(el, ".sw-about .sw-legend")).toEqual(["This contrast is about “Washington” alone."]);
  });
});

describe("Banzhaf values, which add up to nothing", () => {
  const settings = (unit: string): [string, string][] => [
    ["unit", unit],
    ["estimand", "banzhaf"],
    ["calls", "100"],
    ["seed", "3"],
  ];
  it("are the mean of a word's tokens, never their sum, and those of words can be asked for", () => {
    const { el, store, model } = view(asMap({ settings: settings("token") }, inWords()));
    const offer = find(el, ".sw-of-units").parentElement as HTMLElement;
    expect(offer.hidden).toBe(true);
    store.readBy("word");
    store.pin(2);
    expect([...(store.shown.value?.scores ?? [])].slice(0, 3)).toEqual([1, 1, 1]);
    store.pin(2);
    store.pin(0, 1);
    // The mean of both columns of " Washington": (1+1)/2; then the means of (2+2)/2, (1+3)/2 and of (3+1)/2, (1+1)/2.
    expect([...(store.shown.value?.scores ?? [])].slice(0, 3)).toEqual([1, 2, 1.5]);
    expect(store.pool.value).toBe("sum");
    expect(said(offer)).toBe(
      "Banzhaf values add up to nothing: of a word this is the mean of its tokens · compute those of words",
    );
    expect(texts(el, ".sw-unit span")).toEqual(["share of the gradient norm, mean per token of each word"]);
    button(el, "colours and numbers").click();
    const sum = [...el.querySelectorAll<HTMLInputElement>(".sw-options input")].find(({ disabled }) => disabled);
    expect(said(sum?.parentElement)).toBe("sum");
    button(el, "compute those of words").click();
    expect(lastAsked(model)).toEqual({
      type: "ask",
      method: "saliency",
      objective: "probability",
      settings: { unit: "word", estimand: "banzhaf", seed: 3 },
    });
  });
  it("of words are added up from the equal parts that their tokens have", () => {
    const { el, store } = view(asMap({ settings: settings("word") }, inWords()));
    store.readBy("word");
    expect([...(store.shown.value?.scores ?? [])].slice(0, 3)).toEqual([1, 4, 3]);
    expect(find(el, ".sw-of-units").parentElement?.hidden).toBe(true);
    store.readBy("sentence");
    expect(find(el, ".sw-of-units").parentElement?.hidden).toBe(false);
  });
});
