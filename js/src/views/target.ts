/** Below the text: the target (target/line), what its colours mean (target/legend), and what was computed. */

import { cardButton } from "./card";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { headsButton } from "./heads";
import { methodCard } from "./target/card";
import { legendView } from "./target/legend";
import { targetLine } from "./target/line";
import { chosenParts, noise, unitText } from "./words";

export function targetView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const unitWords = h("span");
  const info = cardButton(context, "About this method", () => methodCard(store));
  const unit = h("div", { className: "sw-unit" }, unitWords, headsButton(context), info);
  const note = h("div", { className: "sw-muted sw-noise" });
  const root = h(
    "div",
    { className: "sw-about" },
    targetLine(context),
    h("div", { className: "sw-legend-line" }, legendView(context), unit),
    h("div", { className: "sw-noise-line" }, note),
  );

  watch(signal, () => {
    root.hidden = store.shown.value === null;
    unit.hidden = store.method.value === null;
    unitWords.textContent = [unitText(store), ...chosenParts(store)].join(" · ");
    const said = store.look.value.turned ? null : noise(store);
    note.hidden = said === null;
    note.textContent = said ?? "";
  });
  return root;
}
