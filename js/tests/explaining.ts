/** What LLMs say, as a kernel tells it, and a page with the drawer open. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Answer, Comparison, Explainers } from "../src/protocol";
import { conversation, METHOD, type Said, viewing, type Wire } from "./help";

const golden = <T>(name: string): T =>
  JSON.parse(readFileSync(join(process.cwd(), "tests/protocol/to_page", `${name}.json`), "utf8"));
export const EXPLAINERS = golden<Explainers>("explainers");
export const ANSWER = golden<Answer>("answer");
export const COMPARISON = golden<Comparison>("comparison");
export const PROSE: Answer = {
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

export const phase = (name: string, what = "") => ({
  type: "status",
  phase: name,
  what,
  done: 62,
  total: null,
  unit: "tokens",
  seconds_left: null,
});

/** For a file of tests: pages with the drawer open, and what a reader does there. */
export function explaining() {
  const open = viewing();
  return (...messages: object[]) => {
    const withLlm = conversation().map(
      ([message, scores]): Said =>
        message.type === "menu"
          ? [{ ...message, methods: [...(message.methods as object[]), LLM] }, scores]
          : [message, scores],
    );
    const world = open([...withLlm, ...messages.map((message): Said => [message as Wire])]);
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
  };
}
