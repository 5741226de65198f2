/** The drawer where an LLM is asked why: the question, the answers, and what they are worth. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { decimal } from "../src/format";
import type { Answer, Comparison, Explainers, WireFigure } from "../src/protocol";
import { beyondChance, manner, verdict } from "../src/views/explain/said";
import { gap } from "../src/views/explain/words";
import { conversation, documentOf, METHOD, mounted, over, press, type Said, started, texts, type Wire } from "./help";

const golden = <T>(name: string): T =>
  JSON.parse(readFileSync(join(process.cwd(), "tests/protocol/to_page", `${name}.json`), "utf8"));
const EXPLAINERS = golden<Explainers>("explainers");
const ANSWER = golden<Answer>("answer");
const COMPARISON = golden<Comparison>("comparison");
const PROSE: Answer = {
  ...ANSWER,
  id: 7,
  explainer: "gemini",
  prompt: "Answer and explain",
  kind: "answer",
  guided: false,
  words: null,
  pairs: null,
  problems: [],
  free: null,
  mapped: false,
};
const LLM = { ...METHOD, id: "llm", label: "What it says", signed: true };

const phase = (name: string, what = "") => ({
  type: "status",
  phase: name,
  what,
  done: 62,
  total: null,
  unit: "tokens",
  seconds_left: null,
});

beforeEach(() => {
  vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
});
let world: ReturnType<typeof mounted>;
afterEach(() => {
  world?.life.abort();
  vi.useRealTimers();
});

/** A page with the drawer open. */
function view(...messages: object[]) {
  const withLlm = conversation().map(
    ([message, scores]): Said =>
      message.type === "menu"
        ? [{ ...message, methods: [...(message.methods as object[]), LLM] }, scores]
        : [message, scores],
  );
  world = mounted([...withLlm, ...messages.map((message): Said => [message as Wire])]);
  const [, toggle] = world.el.querySelectorAll<HTMLElement>(".sw-drawer-toggle");
  toggle?.click();
  const { el, model } = world;
  const find = <T extends HTMLElement>(query: string): T => {
    const found = el.querySelector<T>(query);
    if (found === null) throw new Error(`no ${query}`);
    return found;
  };
  const area = (name: string) => find<HTMLTextAreaElement>(`textarea[aria-label="${name}"]`);
  const write = (name: string, text: string) => {
    area(name).value = text;
    area(name).dispatchEvent(new Event("input", { bubbles: true }));
  };
  const hear = (message: object) => model.hear(message as Wire);
  const choose = (label: string) =>
    [...el.querySelectorAll<HTMLElement>(".sw-choice")].find((button) => button.textContent === label)?.click();
  return { ...world, find, area, write, hear, choose };
}

describe("the store", () => {
  it("keeps answers by id, the newest word on each, until the session changes", () => {
    const { store, model } = started();
    for (const answer of [
      { ...ANSWER, id: 5 },
      { ...ANSWER, id: 2 },
      { ...ANSWER, id: 5, text: "more" },
    ])
      model.hear(answer as unknown as Wire);
    model.hear(COMPARISON as unknown as Wire);
    model.hear(EXPLAINERS as unknown as Wire);
    expect(store.answers.value.map(({ id, text }) => [id, text])).toEqual([
      [2, ANSWER.text],
      [5, "more"],
    ]);
    model.hear(documentOf(2, 1));
    expect(store.answers.value.map(({ mapped }) => mapped)).toEqual([false, false]);
    expect([store.comparison.value, store.explainers.value]).toEqual([COMPARISON, EXPLAINERS]);
    model.hear({ type: "hello", protocol: 1, session: "another" });
    expect([store.answers.value, store.comparison.value, store.explainers.value]).toEqual([[], null, null]);
  });
  it("is explaining from the question to the last word", () => {
    const { store, model } = started();
    expect(store.explaining.value).toBe(false);
    store.explain();
    expect(store.explaining.value).toBe(true);
    model.hear(phase("explaining"));
    expect([store.explaining.value, store.running.value]).toEqual([true, true]);
    model.hear({ ...PROSE, state: "writing" } as unknown as Wire);
    model.hear(phase("done"));
    expect([store.explaining.value, store.running.value]).toEqual([true, false]);
    model.hear(PROSE as unknown as Wire);
    expect(store.explaining.value).toBe(false);
  });
  it("waits no longer for an answer once the kernel has refused", () => {
    const { store, model } = started();
    store.explain();
    model.hear({ type: "failed", kind: "InputError", message: "No.", cure: "Yes." });
    expect(store.explaining.value).toBe(false);
  });
});

describe("the drawer", () => {
  it("opens and closes with e, and is not there before the kernel has said who can be asked", () => {
    world = mounted();
    const { el, box, model } = world;
    const [, toggle] = el.querySelectorAll<HTMLElement>(".sw-drawer-toggle");
    press(box(5), "e");
    expect([toggle?.hidden, el.querySelector(".sw-explain")]).toEqual([true, null]);
    model.hear(EXPLAINERS as unknown as Wire);
    press(box(5), "e");
    expect([toggle?.hidden, toggle?.getAttribute("aria-expanded")]).toEqual([false, "true"]);
    const button = el.querySelector<HTMLElement>(".sw-choice");
    button?.focus();
    press(button as HTMLElement, "e");
    expect([el.querySelector(".sw-explain"), document.activeElement]).toEqual([null, toggle]);
    press(box(5), "?");
    expect(el.querySelector("[role=dialog]")?.textContent).toContain("open or close the explanations");
  });
  it("says why nobody can be asked", () => {
    const { el } = view({ ...EXPLAINERS, reason: "A base model answers no questions." });
    expect(texts(el, ".sw-form")).toEqual(["A base model answers no questions."]);
  });
});

describe("the question", () => {
  it("goes to whom, with what and about what the reader chose", () => {
    const { el, find, choose, write, model } = view(EXPLAINERS);
    const select = find<HTMLSelectElement>("select.sw-who");
    expect([...select.options].map(({ text }) => text)).toEqual([
      "SmolLM2-135M-Instruct · this model, on cpu",
      "gemini-2.0-flash · generativelanguage.googleapis.com",
    ]);
    find(".sw-primary").click();
    const [answer, scores] = EXPLAINERS.prompts;
    const said = {
      type: "explain",
      explainer: "model",
      kind: "answer",
      prompt: answer?.text,
      review: EXPLAINERS.review,
    };
    expect(model.sent.at(-1)).toEqual(said);
    model.hear(phase("done"));
    select.value = "gemini";
    select.dispatchEvent(new Event("change"));
    choose("Score each word");
    expect(texts(el, ".sw-choice[aria-pressed=true]")).toEqual(["Score each word"]);
    write("Text", "So bad.");
    find(".sw-primary").click();
    expect(model.sent.at(-1)).toEqual({
      ...said,
      explainer: "gemini",
      kind: "scores",
      prompt: scores?.text,
      review: "So bad.",
    });
  });
  it("names the only one that can be asked", () => {
    const { el, find } = view({ ...EXPLAINERS, explainers: EXPLAINERS.explainers.slice(0, 1) });
    expect([el.querySelector("select.sw-who"), find(".sw-who").textContent]).toEqual([
      null,
      "SmolLM2-135M-Instruct this model, on cpu",
    ]);
  });
  it("keeps an edited prompt, through another prompt and a closed drawer, until it is reset", () => {
    const { el, area, write, choose, box, model, find } = view(EXPLAINERS);
    write("Prompt", "Is {review} good?");
    expect(texts(el, ".sw-fold summary")[0]).toBe("Prompt edited");
    choose("Score each word");
    expect(area("Prompt").value).toBe(EXPLAINERS.prompts[1]?.text);
    choose("Answer and explain");
    press(box(5), "e");
    press(box(5), "e");
    expect(area("Prompt").value).toBe("Is {review} good?");
    find(".sw-primary").click();
    expect(model.sent.at(-1)).toMatchObject({ prompt: "Is {review} good?" });
    find(".sw-form .sw-link").click();
    expect([area("Prompt").value, document.activeElement]).toEqual([EXPLAINERS.prompts[0]?.text, area("Prompt")]);
    expect(el.querySelector(".sw-form .sw-link")).toBeNull();
  });
  it("wants a place for the text, and a text", () => {
    const { find, write, model, el } = view(EXPLAINERS);
    const ask = find(".sw-primary");
    write("Prompt", "Is it good?");
    ask.click();
    expect(texts(el, ".sw-under span")[0]).toBe("Write {review} where the text is to stand.");
    write("Prompt", "{review}");
    write("Text", " ");
    ask.click();
    find(".sw-compares").click();
    expect(ask.getAttribute("aria-disabled")).toBe("true");
    expect(model.sent.filter(({ type }) => type === "explain" || type === "say_versus_do")).toEqual([]);
  });
  it("is asked with Ctrl+Enter, which does not reach the notebook; Enter is a new line", () => {
    const { el, area, model } = view(EXPLAINERS);
    const heard: string[] = [];
    el.addEventListener("keydown", ({ key }) => heard.push(key));
    expect(press(area("Text"), "Enter").defaultPrevented).toBe(false);
    press(area("Text"), "Enter", { shiftKey: true });
    for (const key of ["e", "m", "?", "d"]) press(area("Text"), key);
    expect(el.querySelectorAll(".sw-explain")).toHaveLength(1);
    expect(model.sent.some(({ type }) => type === "explain")).toBe(false);
    expect(press(area("Text"), "Enter", { ctrlKey: true }).defaultPrevented).toBe(true);
    expect(model.sent.at(-1)?.type).toBe("explain");
    press(area("Prompt"), "Enter", { metaKey: true });
    expect([model.sent.filter(({ type }) => type === "explain").length, heard]).toEqual([1, []]);
  });
  it("leaves undo and the clipboard to the field, and saving to the notebook", () => {
    const { el, area, box } = view(EXPLAINERS);
    const heard: string[] = [];
    el.addEventListener("keydown", ({ key }) => heard.push(key));
    for (const key of ["z", "Z", "y", "a", "v", "ArrowLeft", "Backspace", "s", "b"])
      expect(press(area("Text"), key, { ctrlKey: true }).defaultPrevented).toBe(false);
    press(area("Text"), "Enter", { altKey: true });
    press(box(5), "z", { ctrlKey: true });
    expect(heard).toEqual(["s", "b", "z"]);
  });
  it("is not asked twice while something is explained", () => {
    const { find, hear, model, el } = view(EXPLAINERS);
    find(".sw-primary").click();
    find(".sw-primary").click();
    find(".sw-compares").click();
    expect(model.sent.filter(({ type }) => type === "explain")).toHaveLength(1);
    expect(find(".sw-primary").textContent).toBe("Explaining …");
    hear(phase("explaining", "Asking gemini"));
    expect(texts(el, ".sw-progress-text")).toEqual(["Asking gemini: 62 tokens"]);
    hear(phase("cancelled"));
    expect([texts(el, ".sw-note span"), find(".sw-primary").textContent]).toEqual([["Stopped explaining."], "Ask"]);
  });
  it("can be stopped where it was asked, and leaves the focus there", () => {
    const { find, hear, model, el } = view(EXPLAINERS);
    expect(el.querySelector(".sw-stop")).toBeNull();
    find(".sw-compares").click();
    find(".sw-stop").focus();
    find(".sw-stop").click();
    expect(model.sent.at(-1)).toEqual({ type: "cancel" });
    hear(phase("cancelled"));
    expect([el.querySelector(".sw-stop"), document.activeElement]).toEqual([null, find(".sw-primary")]);
  });
  it("sets what is said beside what is done, where that can be", () => {
    const { find, hear, el, model } = view(EXPLAINERS);
    expect(find(".sw-compares").title).toContain("beside what the methods compute");
    find(".sw-compares").click();
    expect(model.sent.at(-1)).toEqual({ type: "say_versus_do", review: EXPLAINERS.review });
    hear({ ...EXPLAINERS, compares: false });
    expect(el.querySelector(".sw-compares")).toBeNull();
  });
});

describe("an answer", () => {
  it("says who answered, how, what, and at what cost; the newest comes first", () => {
    const { el } = view(EXPLAINERS, ANSWER, { ...PROSE, label: null, label_probability: null });
    expect(texts(el, ".sw-answer-head")).toEqual([
      "gemini-2.0-flash Answer and explain undecided",
      "SmolLM2-135M-Instruct Score each word positive .830 constrained",
    ]);
    expect(texts(el, ".sw-cost")).toEqual(["184 + 212 tokens · 3.1 s", "184 + 212 tokens · 3.1 s"]);
    el.querySelectorAll<HTMLElement>(".sw-answer .sw-info")[1]?.click();
    const card = el.querySelector(".sw-panel[role=dialog]");
    expect(card?.textContent).toContain("not what it computes");
    press(card as Element, "Escape");
    expect(el.querySelector("[role=dialog]")).toBeNull();
  });
  it("has no card before there is anything to say of it", () => {
    const { find, hear } = view(EXPLAINERS, {
      ...PROSE,
      state: "writing",
      card: { about: [], reads: "", caveats: [], reference: "" },
    });
    expect(find(".sw-answer .sw-info").hidden).toBe(true);
    hear(PROSE);
    expect(find(".sw-answer .sw-info").hidden).toBe(false);
  });
  it("is text, whatever it says, and whoever says it", () => {
    const evil = "<script>alert(1)</script></style><img src=x>";
    const { el } = view(
      { ...EXPLAINERS, explainers: [{ ...EXPLAINERS.explainers[0], name: evil }], review: evil },
      { ...PROSE, text: evil },
      {
        ...ANSWER,
        text: evil,
        free: evil,
        problems: [evil],
        words: [{ text: evil, score: 1, uncertainty: null }],
        pairs: [{ word: evil, value: 1, fate: "invented", at: null }],
      },
      { ...PROSE, id: 9, state: "failed", failure: [evil, evil] },
      { ...COMPARISON, words: COMPARISON.words.map(() => evil) },
    );
    expect(el.querySelectorAll("script, style, img")).toHaveLength(0);
    expect(texts(el, ".sw-answer .sw-said")).toContain(evil);
    expect(texts(el, ".sw-word")).toEqual([`${evil}: 1.00`]);
  });
  it("streams into the same text, and follows it unless the reader looks back", () => {
    const { find, hear } = view(EXPLAINERS, { ...PROSE, state: "waiting", text: "", seconds: 0 });
    expect(find(".sw-answer-body").textContent?.trim()).toBe("Waiting for gemini-2.0-flash …");
    hear({ ...PROSE, state: "writing", text: "The" });
    const said = find(".sw-said");
    const [node] = said.childNodes;
    let height = 100;
    Object.defineProperties(said, { scrollHeight: { get: () => height }, clientHeight: { get: () => 50 } });
    hear({ ...PROSE, state: "writing", text: "The review" });
    expect([said.textContent, said.scrollTop, said.classList.contains("sw-writing")]).toEqual([
      "The review",
      100,
      true,
    ]);
    expect([find(".sw-said"), said.firstChild]).toEqual([said, node]);
    said.scrollTop = 10;
    said.dispatchEvent(new Event("scroll"));
    height = 200;
    hear({ ...PROSE, state: "writing", text: "The review is" });
    expect([said.textContent, said.scrollTop]).toEqual(["The review is", 10]);
    said.scrollTop = 150;
    said.dispatchEvent(new Event("scroll"));
    height = 300;
    hear({ ...PROSE, text: "The review is good." });
    expect([said.textContent, said.scrollTop, said.classList.contains("sw-writing")]).toEqual([
      "The review is good.",
      300,
      false,
    ]);
  });
  it("shows its words on a scale from -1 to 1, and those it left out as not said", () => {
    const { el, find } = view(EXPLAINERS, ANSWER);
    const words = [...el.querySelectorAll<HTMLElement>(".sw-word")];
    expect(find(".sw-words").textContent).toContain("powerful: 0.80 performances: 0.40.: not said");
    expect(words[7]?.style.backgroundColor).not.toBe("");
    expect([words[16]?.className, words[16]?.style.backgroundColor]).toEqual(["sw-word sw-missing", ""]);
    expect(texts(el, ".sw-words-line .sw-scale span")).toEqual(["−1", "", "1"]);
    over(words[4] as HTMLElement);
    expect(texts(el, "[role=tooltip]")).toEqual(["compelling said 0.90 uncertainty 35 % of the largest possible"]);
    over(words[16] as HTMLElement);
    expect(texts(el, "[role=tooltip]")).toEqual([". not said"]);
    words[0]?.focus();
    press(words[0] as HTMLElement, "ArrowRight");
    expect([document.activeElement, words[1]?.tabIndex, words[0]?.tabIndex]).toEqual([words[1], 0, -1]);
    press(words[1] as HTMLElement, "End");
    expect(document.activeElement).toBe(words[16]);
  });
  it("says what became of every pair, what was written, and what the free prompt gave", () => {
    const { el } = view(EXPLAINERS, ANSWER);
    expect(texts(el, ".sw-words-line > span:not(.sw-scale)")).toEqual([
      "16 of 17 words scored · 1 invented · 1 repeated · 1 out of range (clipped)",
    ]);
    expect(texts(el, ".sw-misfits li")).toEqual([
      "captivates 1.50 out of range (clipped)",
      "powerful 0.70 repeated",
      "cinematography 0.40 invented",
    ]);
    expect(texts(el, ".sw-problem")).toEqual(ANSWER.problems);
    expect(texts(el, ".sw-answer .sw-fold .sw-said")).toEqual([ANSWER.text.replace(/\s+/g, " "), ANSWER.free]);
  });
  it("becomes the map on request", () => {
    const { find, hear, model, el } = view(EXPLAINERS, ANSWER);
    expect(find(".sw-as-map").getAttribute("aria-pressed")).toBe("false");
    find(".sw-as-map").click();
    expect(model.sent.at(-1)).toEqual({ type: "ask", method: "llm", objective: "probability" });
    expect(find(".sw-as-map").getAttribute("aria-pressed")).toBe("true");
    hear({ ...ANSWER, mapped: false });
    expect(el.querySelector(".sw-as-map")).toBeNull();
  });
  it("that was stopped or failed keeps its text", () => {
    const failure = ["It did not answer in time.", "Give it more."];
    const { el } = view(
      EXPLAINERS,
      { ...PROSE, state: "cancelled", text: "Half" },
      { ...PROSE, id: 8, state: "failed", text: "A third", failure },
    );
    expect(texts(el, ".sw-answer .sw-answer-body")).toEqual([
      "A third It did not answer in time.Give it more.",
      "Half Stopped.",
    ]);
  });
  it("of long ago waits behind a button", () => {
    const { el, find } = view(EXPLAINERS, ...[1, 2, 3, 4, 5].map((id) => ({ ...PROSE, id, text: `No. ${id}` })));
    const seen = () => [...el.querySelectorAll<HTMLElement>(".sw-answer")].filter(({ hidden }) => !hidden).length;
    expect([seen(), find(".sw-earlier").textContent]).toEqual([3, "2 earlier answers"]);
    find(".sw-earlier").click();
    expect([seen(), find(".sw-earlier").hidden, texts(el, ".sw-said").at(-1)]).toEqual([5, true, "No. 1"]);
  });
  it("is told to screen readers once it is whole, and only then", () => {
    const { el, hear } = view(EXPLAINERS, { ...PROSE, id: 1 });
    const said = () => el.querySelectorAll(".sw-layer > [aria-live=polite]")[1]?.textContent;
    hear({ ...ANSWER, state: "writing", words: null });
    expect(said()).toBe("");
    hear(ANSWER);
    expect(said()).toContain("SmolLM2-135M-Instruct has answered: positive, p = .830. 16 of 17 words scored");
    hear({ ...PROSE, id: 9, state: "waiting" });
    hear({ ...PROSE, id: 9, state: "failed", failure: ["Too late.", "Wait."] });
    expect(said()).toBe("gemini-2.0-flash failed. Too late.");
    hear(phase("explaining"));
    hear(COMPARISON);
    expect(said()).toContain("It answered positive");
  });
});

describe("the comparison", () => {
  it("shows what was said and done of each word, each method as a share of its own largest score", () => {
    const { el } = view(EXPLAINERS, COMPARISON);
    expect(texts(el, ".sw-word-table thead th")).toEqual(["word", "said", "Gradient", "Occlusion"]);
    const rows = [...el.querySelectorAll(".sw-word-table tbody tr")].map((row) => texts(row, "th, td"));
    expect(rows[4]).toEqual(["compelling", "0.90", "0.83", "1.00"]);
    expect(rows[8]).toEqual(["audiences", "0.20", "0.34", "−0.46"]);
    expect(rows[16]).toEqual([".", "–", "0.13", "–"]);
    const titles = [...el.querySelectorAll<HTMLElement>(".sw-word-table tbody tr:nth-child(9) td")].map(
      (td) => td.title,
    );
    expect(titles).toEqual(["0.20 ± 0.12 in 3 askings", "Gradient: 0.0580", "Occlusion: −0.0520"]);
  });
  it("stands above the answers until another is asked for, through a closed drawer", () => {
    const { el, hear, box } = view(EXPLAINERS, PROSE, COMPARISON);
    const order = () => [...(el.querySelector(".sw-explain")?.children ?? [])].map(({ className }) => className);
    expect(order()).toEqual(["sw-form", "sw-comparison", ""]);
    hear({ ...PROSE, text: "More." });
    expect(order()).toEqual(["sw-form", "sw-comparison", ""]);
    hear({ ...PROSE, id: PROSE.id + 1, state: "waiting" });
    expect(order()).toEqual(["sw-form", "", "sw-comparison"]);
    press(box(5), "e");
    press(box(5), "e");
    expect(order()).toEqual(["sw-form", "", "sw-comparison"]);
    hear({ ...COMPARISON, levels: 3 });
    expect(order()).toEqual(["sw-form", "sw-comparison", ""]);
  });
  it("takes a figure for chance where rounding alone tells it from what shuffled words reach", () => {
    const figure = (value: number) => ({ ...(COMPARISON.sides[0]?.figures[0] as WireFigure), value, random_high: 0.6 });
    expect([0.6, 0.6 + 1e-12, 0.61, -0.47 - 1e-12, -0.48].map((value) => beyondChance(figure(value)))).toEqual([
      0, 0, 1, 0, -1,
    ]);
  });
  it("sets chance beside every figure, and is bold only beyond it", () => {
    const { el } = view(EXPLAINERS, COMPARISON);
    expect(texts(el, ".sw-figure-table td")).toEqual([
      "0.86shuffled −0.01 [−0.47, 0.48]",
      "0.31shuffled −0.02 [−0.45, 0.46]",
      "0.80shuffled 0.31 [0.00, 0.60]",
      "–shuffled 0.30 [0.00, 0.60]",
    ]);
    expect(texts(el, ".sw-figure-table b")).toEqual(["0.86", "0.80"]);
    el.querySelector<HTMLElement>(".sw-comparison .sw-info")?.click();
    expect(el.querySelector("[role=dialog]")?.textContent).toContain("no proof");
  });
  it("comes to a sentence in plain words", () => {
    const figure = COMPARISON.sides[0]?.figures[0];
    const of = (...values: (number | null)[]): Comparison => ({
      ...COMPARISON,
      sides: values.map((value, i) => ({
        method: `${i}`,
        label: "ABCD"[i] ?? "",
        signed: true,
        scores: [],
        figures: figure === undefined ? [] : [{ ...figure, value }],
      })),
    });
    const said = (...values: (number | null)[]) =>
      verdict(of(...values)).replace("It answered positive (p = .830). ", "");
    const more = "what it said more than shuffled words do.";
    expect(said(0, 0.1, 0.48, null)).toBe(`Of 4 methods none agrees with ${more}`);
    expect(said(0, 0.9)).toBe(`Of 2 methods only B agrees with ${more}`);
    expect(said(0.8, 0, 0.9)).toBe(`Of 3 methods A and C agree with ${more}`);
    expect(said(0.8, 0.9)).toBe(`All 2 methods agree with ${more}`);
    expect(said(0.8)).toBe(`A agrees with ${more}`);
    expect(said(0)).toBe(`A does not agree with ${more}`);
    expect(said(0, -0.9)).toBe(`Of 2 methods none agrees with ${more} B runs against it.`);
    expect(said(null, null)).toBe("What it said cannot be ranked against any method.");
    expect(verdict({ ...of(), label: -1 })).toBe("It answered negative (p = .830).");
    expect(manner(COMPARISON)).toBe(
      "10 distinct values, 44 % zeros; asked 3 times: rank correlation 0.92 between askings",
    );
    expect(manner({ ...COMPARISON, levels: 1, zeros: 0, askings: 1, stability: null })).toBe(
      "1 distinct value, 0 % zeros; asked once",
    );
  });
});

it("guesses the space between words and marks", () => {
  const join = (words: string[]) =>
    words.map((word, i) => (i === 0 ? word : gap(words[i - 1] ?? "", word) + word)).join("");
  expect(join(["It", "'s", "(", "so", ")", "good", ",", "I", "cried", "."])).toBe("It's (so) good, I cried.");
  expect(join(["我", "喜歡", "它", "。", "OK"])).toBe("我喜歡它。 OK");
});

it("writes decimals without a minus before nothing", () => {
  expect([0.314, -0.02, -0.001, 1.5, Number.NaN].map((value) => decimal(value))).toEqual([
    "0.31",
    "−0.02",
    "0.00",
    "1.50",
    "–",
  ]);
});
