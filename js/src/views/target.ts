/** The lines below the text: the target (target/line), its legend (target/legend), and the method's notes. */

import { cardButton } from "./card";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { headsButton } from "./heads";
import { methodCard } from "./target/card";
import { legendView } from "./target/legend";
import { targetLine } from "./target/line";
import { chosenParts, noise, notesOn, unitText } from "./words";

export function targetView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const unitWords = h("span");
  const info = cardButton(context, "About this method", () => methodCard(store));
  const unit = h("div", { className: "sw-unit" }, unitWords, headsButton(context), info);
  const noiseLine = h("div", { className: "sw-muted sw-noise" });
  const notes = h("div", { className: "sw-muted sw-notes" });
  const root = h(
    "div",
    { className: "sw-about" },
    targetLine(context),
    h("div", { className: "sw-legend-line" }, legendView(context), unit),
    h("div", { className: "sw-noise-line" }, noiseLine, notes),
  );

  watch(signal, () => {
    root.hidden = store.shown.value === null;
    unit.hidden = store.method.value === null;
    unitWords.textContent = [unitText(store), ...chosenParts(store)].join(" · ");
    const said = store.look.value.turned ? null : noise(store);
    noiseLine.hidden = said === null;
    noiseLine.textContent = said ?? "";
  });
  watch(signal, () => {
    notes.replaceChildren(...notesOn(store).map((text) => h("div", {}, text)));
  });
  return root;
}
