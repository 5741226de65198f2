/** The drawer where an LLM is asked why: who is asked, and what. */

import { describe, expect, it } from "vitest";
import { PROTOCOL } from "../src/protocol";
import { ANSWER, COMPARISON, EXPLAINERS, explaining, PROSE, phase } from "./explaining";
import { documentOf, press, started, texts, viewing, type Wire } from "./help";

const view = explaining();
const page = viewing();

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
    model.hear({ type: "hello", protocol: PROTOCOL, session: "another", hover: "" });
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
    const { el, box, model } = page();
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

const WHY = {
  id: "why",
  label: "Why this word",
  kind: "why",
  text: "Why did you write “{target}” after “{review}”?",
};
const CHOOSE = { id: "choose", label: "Choose a label and explain", kind: "answer", text: "{labels}? {review}" };
const CHOOSE_SCORES = { ...CHOOSE, id: "choose-scores", label: "Score each word for the label", kind: "scores" };
const ASKED = { ...EXPLAINERS, prompts: [WHY, CHOOSE, CHOOSE_SCORES, ...EXPLAINERS.prompts] };

describe("the question", () => {
  it("goes to whom, with what and about what the reader chose", () => {
    const { el, find, choose, write, model } = view(EXPLAINERS);
    const select = find<HTMLSelectElement>("select.sw-explainer");
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
      homework: true,
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
  it("is first why the target on show was written, after all that stands before it", () => {
    const { el, find, choose, model, store } = view(ASKED);
    store.pin(1); // "." after " Washington"
    expect(texts(el, ".sw-choice")).toEqual(["Why this word", "Labels of your own", "Movie review (homework 7)"]);
    const question = `Why did you write “.” after “${ASKED.review} Washington”?`;
    expect(texts(el, ".sw-summary")).toEqual([question, `${ASKED.review} Washington`]);
    expect(el.querySelector(".sw-compares")).toBeNull(); // what is set beside what is done is a class
    find(".sw-primary").click();
    expect(model.sent.at(-1)).toEqual({
      type: "explain",
      explainer: "model",
      kind: "why",
      prompt: WHY.text,
      review: `${ASKED.review} Washington`,
      target: ".",
      col: 1,
    });
    model.hear(phase("done"));
    choose("Movie review (homework 7)");
    expect(texts(el, ".sw-choice[aria-pressed=true]")).toEqual(["Movie review (homework 7)", "Answer and explain"]);
    find(".sw-primary").click();
    expect(model.sent.at(-1)).toMatchObject({ prompt: EXPLAINERS.prompts[0]?.text, review: ASKED.review });
    expect(el.querySelector(".sw-compares")).not.toBeNull();
  });
  it("why a word was written is answered without a label, in words and with a number a word", () => {
    const said = { ...ANSWER, kind: "why", id: 9, prompt: "Why this word", decides: false, label: null, leans: 0 };
    const { el } = view(ASKED, {
      ...said,
      text: "Because.",
      free: null,
      ends: ["against it", "for it"],
      state: "done",
    });
    expect([texts(el, ".sw-answer-name").length, el.querySelector(".sw-verdict")]).toEqual([1, null]);
    expect(el.querySelector(".sw-answer .sw-said")?.textContent).toContain("Because.");
    expect(el.querySelector(".sw-words-line")?.innerHTML).toContain("orange: speaks against it; purple: for it");
    expect(texts(el, ".sw-word").length).toBe(ANSWER.words?.length);
  });
  it("is about labels of the reader's own, which go along, and are at least two", () => {
    const { el, find, choose, model } = view(ASKED);
    choose("Labels of your own");
    const [ask, compares] = [find(".sw-primary"), () => find(".sw-compares")];
    const field = find<HTMLInputElement>(".sw-labels");
    const type = (text: string) => {
      field.value = text;
      field.dispatchEvent(new Event("input", { bubbles: true }));
    };
    for (const typed of ["", "sport", "sport, sport ,"]) {
      type(typed);
      expect([ask, compares()].map((button) => button.getAttribute("aria-disabled"))).toEqual(["true", "true"]);
      expect(find(".sw-labels-line").textContent).toContain("at least two");
    }
    type(" sport, cooking；science ");
    expect([ask.getAttribute("aria-disabled"), find(".sw-labels-line").textContent?.includes("at least")]).toEqual([
      "false",
      false,
    ]);
    ask.click();
    const labels = ["sport", "cooking", "science"];
    const said = {
      type: "explain",
      explainer: "model",
      kind: "answer",
      prompt: CHOOSE.text,
      review: ASKED.review,
      labels,
    };
    expect(model.sent.at(-1)).toEqual(said);
    model.hear(phase("done"));
    choose("Score each word for the label");
    expect(texts(el, ".sw-choice[aria-pressed=true]")).toEqual(["Labels of your own", "Score each word for the label"]);
    ask.click();
    expect(model.sent.at(-1)).toEqual({ ...said, kind: "scores" });
    model.hear(phase("done"));
    compares().click();
    expect(model.sent.at(-1)).toEqual({ type: "say_versus_do", review: ASKED.review, explainer: "model", labels });
  });
  it("folds what a reasoning model thought", () => {
    const { el } = view(ASKED, { ...PROSE, id: 9, thinking: "Let me see <b>…</b>", state: "done" });
    const fold = [...el.querySelectorAll("details")].find((one) => one.textContent?.startsWith("What it thought"));
    expect([fold?.open, fold?.querySelector(".sw-said")?.textContent]).toEqual([false, "Let me see <b>…</b>"]);
  });
  it("shows a label as text, and no colour of a scale that it is not on", () => {
    const { find } = view(ASKED, { ...PROSE, id: 9, decides: true, label: "<b>sport</b>", leans: 0, state: "done" });
    expect([find(".sw-verdict").textContent, find(".sw-verdict").className.trim()]).toEqual([
      "<b>sport</b> .830",
      "sw-verdict",
    ]);
  });
  it("names the only one that can be asked", () => {
    const { el, find } = view({ ...EXPLAINERS, explainers: EXPLAINERS.explainers.slice(0, 1) });
    expect([el.querySelector("select.sw-explainer"), find(".sw-explainer").textContent]).toEqual([
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
    expect(model.sent.at(-1)).toEqual({ type: "say_versus_do", review: EXPLAINERS.review, explainer: "model" });
    const explainers = EXPLAINERS.explainers.map((one) => ({ ...one, compares: false }));
    hear({ ...EXPLAINERS, explainers });
    expect(el.querySelector(".sw-compares")).toBeNull();
  });
});
