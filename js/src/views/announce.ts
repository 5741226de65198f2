/** Tells screen readers, once the reader has come to rest, what the target is and what mattered most for it. */

import { share } from "../format";
import { labelOf, partOf } from "../pieces";
import { shareOf } from "../scores";
import type { Store } from "../store";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";

const REST = 500; // ms

export function announcement(store: Store): string {
  const { value: shown } = store.shown;
  const token = shown === null ? undefined : store.tokens.value[shown.token];
  if (shown === null || token === undefined) return "";
  const name = (of: typeof token) => [labelOf(of), partOf(of)].filter((text) => text !== "").join(", ");
  const step = store.steps.value[shown.col];
  const { scores } = shown;
  const inputs =
    scores === null
      ? []
      : store.top.value.flatMap((row) => {
          const input = store.tokens.value[row];
          return input === undefined ? [] : [`${name(input)} ${share(shareOf(scores, row))}`];
        });
  return [
    `${token.role === "class" ? "Class" : "Target"} ${name(token)}.`,
    step === undefined ? "" : `Probability ${share(step.probability)}.`,
    inputs.length > 0 ? `Most important: ${inputs.join(", ")}.` : "Not computed yet.",
  ]
    .filter((text) => text !== "")
    .join(" ");
}

export function announcer({ store, signal }: ViewContext): HTMLElement {
  const root = h("div", { className: "sw-unseen", role: "status" });
  root.setAttribute("aria-live", "polite");
  let timer: ReturnType<typeof setTimeout> | undefined;
  watch(signal, () => {
    const text = announcement(store);
    clearTimeout(timer);
    timer = setTimeout(() => {
      if (root.textContent !== text) root.textContent = text;
    }, REST);
  });
  signal.addEventListener("abort", () => clearTimeout(timer), { once: true });
  return root;
}
