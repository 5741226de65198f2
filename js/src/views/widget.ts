/** A view of a store, with all parts in one element. */

import type { Wire } from "../requests";
import type { Store } from "../store";
import { actionsView } from "./actions";
import { announcer, answerAnnouncer, noteAnnouncer } from "./announce";
import { asChatView } from "./as-chat";
import { banzhafView } from "./banzhaf";
import { strikeHovered } from "./chosen";
import { classesView } from "./classes";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { drawersView } from "./drawers";
import { firstView } from "./first";
import { keepFocus } from "./focus";
import { headerView } from "./header";
import { isChord } from "./input";
import { readByNext } from "./options";
import { progressView } from "./progress";
import { restView } from "./rest";
import { keepSteady } from "./steady";
import { targetView } from "./target";
import { textView } from "./text";
import { watchTheme } from "./theme";
import { throughView } from "./through";
import { createTooltip } from "./tooltip";
import { goBack, trailView } from "./trail";
import { undoWhatIf, whatIfView } from "./whatif";

/** Keys that a text field needs, also with Ctrl or Alt: JupyterLab would apply them to the cell. */
const EDITS = /^([acvxyz]|Enter|Backspace|Delete|Home|End|Arrow\w+)$/i;

export function mount(options: Wire & { store: Store; signal: AbortSignal; el: HTMLElement }): void {
  const { store, send, request, signal, el } = options;
  const layer = h("div", { className: "sw-layer" });
  const box = h("div", { className: "sw-box" });
  const root = h("div", { className: "sw-live" }, box, layer);
  root.role = "group";
  root.setAttribute("aria-label", "Saliency map");
  el.append(root);

  const ramp = watchTheme(root, signal);
  const live = () => void [store.map.value?.done.value, store.units.value, store.pinnedCols.value, store.measure.value];
  const tooltip = createTooltip(live, layer, signal);
  const context: ViewContext = { store, send, request, signal, ramp, layer, tooltip };
  layer.append(announcer(context), answerAnnouncer(context), noteAnnouncer(context));
  const header = headerView(context);
  const drawers = drawersView(context);
  const body = h(
    "div",
    { className: "sw-body" },
    trailView(context),
    textView(context),
    asChatView(context),
    classesView(context),
    firstView(context),
    restView(context),
    banzhafView(context),
    actionsView(context),
    throughView(context),
    targetView(context),
    whatIfView(context),
  );
  box.append(header.element, body, drawers.element, progressView(context));
  keepSteady(context, box, drawers.element);
  watch(signal, () => {
    root.classList.toggle("sw-empty", store.document.value === null);
  });
  keepFocus(context, root, body);

  root.addEventListener(
    "keydown",
    (event) => {
      const isIn = (query: string) => event.target instanceof Element && event.target.closest(query) !== null;
      const isForeign = isChord(event) && !(EDITS.test(event.key) && isIn("textarea, input"));
      if (isForeign || event.key === "Tab" || /^F\d+$/.test(event.key)) return;
      // JupyterLab treats plain keys as commands: `a` and `dd` would insert and delete cells.
      event.stopPropagation();
      if (isIn("select, input, textarea") || event.defaultPrevented) return;
      drawers.toggle(event.key);
      if (event.key === "?") header.toggleHelp();
      if (event.key === "g") readByNext(store);
      if (event.key === "b") goBack(context);
      if (event.key === "s") strikeHovered(context);
      if (event.key === "u") undoWhatIf(context);
    },
    { signal },
  );
  signal.addEventListener("abort", () => root.remove(), { once: true });
}
