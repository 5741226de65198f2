/** The switch between the direct map of an answer and the steps back by way of the model's thinking. */

import { html, nothing, render } from "lit-html";
import { askFor, canGoBack, mapOnShow } from "./ask";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { timeOf } from "./says";

const WAYS = ["direct", "through the thinking", "two steps back"] as const;
const SAYS = [
  "What the answer reads, in the thinking and before it",
  "What the strongest words of the thinking read in turn",
  "One step further back: what those words of the thinking read that led to the strongest ones",
] as const;
const LONG = 1; // s, above which the price stands beside a way

export function throughView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const root = h("div", { className: "sw-picks sw-through", role: "group", ariaLabel: "The way to the answer" });

  watch(signal, () => {
    const now = mapOnShow(store);
    root.hidden = store.thinking.value.length === 0 || now === null || store.map.value === null;
    if (root.hidden || now === null) return;
    const { col: _, foil: __, hop: on = 0, ...question } = now;
    const card = store.methodCalled(now.method);
    const canGo = canGoBack(store, now.method);

    function way(hop: number) {
      const asked = hop > 0 ? { ...question, hop } : question;
      const isHere = store.answerTo(asked) !== null;
      const isOff = hop !== on && !(isHere || (store.alive.value && (hop === 0 || canGo)));
      const price = isHere || isOff || (card?.seconds ?? 0) <= LONG || card === undefined ? "" : timeOf(card);
      const choose = () => !isOff && hop !== on && askFor(context, asked);
      const title =
        isOff && !canGo ? `${card?.label} has scores for and against: no share of them can be handed on.` : SAYS[hop];
      return html`<button
        type="button"
        class="sw-pick"
        title=${title ?? nothing}
        aria-pressed=${hop === on}
        aria-disabled=${isOff}
        @click=${choose}
      >${WAYS[hop]}${price === "" ? nothing : html` <span class="sw-muted">· ${price}</span>`}</button>`;
    }
    render(
      WAYS.map((_, hop) => way(hop)),
      root,
    );
  });
  return root;
}
