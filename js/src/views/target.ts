/** Below the text: the target (target/line), what its colours mean (target/legend), and what was computed. */

import { render } from "lit-html";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { headsButton } from "./heads";
import { createPopover } from "./popover";
import { methodCard } from "./target/card";
import { legendView } from "./target/legend";
import { targetLine } from "./target/line";
import { noise, unitText } from "./target/words";

export function targetView(context: ViewContext): HTMLElement {
  const { store, signal, layer } = context;
  const unitWords = h("span");
  const info = h("button", { type: "button", className: "sw-round sw-info", ariaLabel: "About this method" }, "i");
  const unit = h("div", { className: "sw-unit" }, unitWords, headsButton(context), info);
  const note = h("div", { className: "sw-muted sw-noise" });
  const root = h(
    "div",
    { className: "sw-about" },
    targetLine(context),
    h("div", { className: "sw-legend-line" }, legendView(context), unit),
    note,
  );

  const card = h("div", { role: "dialog", ariaLabel: "About this method", tabIndex: -1 });
  const popover = createPopover({
    button: info,
    panel: card,
    layer,
    signal,
    placement: "bottom-end",
    fill: () => render(methodCard(store), card),
  });
  info.addEventListener("click", popover.toggle, { signal });

  watch(signal, () => {
    root.hidden = store.shown.value === null;
    unit.hidden = store.method.value === null;
    unitWords.textContent = unitText(store);
    const said = store.look.value.turned ? null : noise(store);
    note.hidden = said === null;
    note.textContent = said;
  });
  return root;
}
