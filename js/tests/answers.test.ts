/** What an LLM answered: its text, its words, what became of them. */

import { describe, expect, it } from "vitest";
import { decimal } from "../src/format";
import { gap } from "../src/views/explain/words";
import { ANSWER, COMPARISON, EXPLAINERS, explaining, PROSE, phase } from "./explaining";
import { over, press, texts } from "./help";

const view = explaining();

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
      { ...PROSE, id: 9, state: "failed", failure: { message: evil, cure: evil } },
      { ...COMPARISON, words: COMPARISON.words.map(() => evil) },
    );
    expect(el.querySelectorAll("script, style, img")).toHaveLength(0);
    expect(texts(el, ".sw-answer .sw-said")).toContain(evil);
    expect(texts(el, ".sw-word")).toEqual([`${evil}: 1.00`]);
  });
  it("grows by what is new of it, and is whole only once its beginning was heard", () => {
    const { find, hear, el } = view(EXPLAINERS);
    const grows = (start: number, text: string) => hear({ ...PROSE, state: "writing", start, text, free: null });
    grows(4, "sky"); // to a page that came later, before it is told the whole
    expect(el.querySelector(".sw-said")).toBeNull();
    grows(0, "The 🙂");
    grows(6, " sky");
    expect(find(".sw-said").textContent).toBe("The 🙂 sky");
    grows(6, "!");
    expect(find(".sw-said").textContent).toBe("The 🙂!");
    grows(99, "?");
    expect(find(".sw-said").textContent).toBe("The 🙂!");
    hear({ ...PROSE, state: "done", start: 0, text: "Whole." });
    expect(find(".sw-said").textContent).toBe("Whole.");
  });
  it("keeps what was written freely while the list grows", () => {
    const { find, hear } = view(EXPLAINERS, { ...ANSWER, state: "writing", text: "[", free: "It is good." });
    hear({ ...ANSWER, state: "writing", start: 1, text: "(", free: null });
    expect(find(".sw-answer-body").textContent).toContain("It is good.");
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
    const failure = { message: "It did not answer in time.", cure: "Give it more." };
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
    hear({ ...PROSE, id: 9, state: "failed", failure: { message: "Too late.", cure: "Wait." } });
    expect(said()).toBe("gemini-2.0-flash failed. Too late.");
    hear(phase("explaining"));
    hear(COMPARISON);
    expect(said()).toContain("It answered positive");
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
