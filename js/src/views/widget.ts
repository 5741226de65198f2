/** One view of a store: everything that is drawn into one element. */

import type { ToKernel } from "../protocol";
import type { Store } from "../store";
import { announcer } from "./announce";
import { classesView } from "./classes";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { headerView } from "./header";
import { isChord } from "./input";
import { matrixView } from "./matrix";
import { progressView } from "./progress";
import { targetView } from "./target";
import { textView } from "./text";
import { watchTheme } from "./theme";
import { createTooltip } from "./tooltip";

export function mount(options: {
  store: Store;
  send: (message: ToKernel) => void;
  signal: AbortSignal;
  el: HTMLElement;
}): void {
  const { store, send, signal, el } = options;
  const layer = h("div", { className: "sw-layer" });
  const box = h("div", { className: "sw-box" });
  const root = h("div", { className: "sw-live" }, box, layer);
  root.role = "group";
  root.setAttribute("aria-label", "Saliency map");
  el.append(root);

  const ramp = watchTheme(root, signal);
  const context: ViewContext = { store, send, signal, ramp, layer, tooltip: createTooltip(layer, signal) };
  const header = headerView(context);
  const drawers = drawersView(context);
  box.append(
    header.element,
    h("div", { className: "sw-body" }, textView(context), classesView(context), targetView(context)),
    drawers.element,
    progressView(context),
  );
  layer.append(announcer(context));
  watch(signal, () => {
    root.classList.toggle("sw-empty", store.document.value === null);
  });

  root.addEventListener(
    "keydown",
    (event) => {
      if (isChord(event) || event.key === "Tab" || /^F\d+$/.test(event.key)) return;
      // JupyterLab takes plain keys for commands: `a` and `dd` would insert and delete cells.
      event.stopPropagation();
      const typing = event.target instanceof Element && event.target.closest("select, input, textarea") !== null;
      if (typing || event.defaultPrevented) return;
      if (event.key === "m") drawers.toggleMatrix();
      if (event.key === "?") header.toggleHelp();
    },
    { signal },
  );
  signal.addEventListener("abort", () => root.remove(), { once: true });
}

/** What stays closed until it is asked for, and is built only then. */
function drawersView(context: ViewContext): { element: HTMLElement; toggleMatrix: () => void } {
  const toggle = h("button", { type: "button", className: "sw-drawer-toggle", ariaExpanded: "false" }, "Matrix");
  const element = h("div", { className: "sw-drawers" }, h("div", { className: "sw-drawer-row" }, toggle));
  let open: { drawer: HTMLElement; lifetime: AbortController } | null = null;

  function toggleMatrix(): void {
    if (open !== null) {
      open.lifetime.abort();
      open.drawer.remove();
      open = null;
    } else {
      const lifetime = new AbortController();
      const drawer = matrixView({ ...context, signal: AbortSignal.any([context.signal, lifetime.signal]) });
      element.append(drawer);
      open = { drawer, lifetime };
    }
    toggle.setAttribute("aria-expanded", String(open !== null));
  }
  toggle.addEventListener("click", toggleMatrix, { signal: context.signal });
  return { element, toggleMatrix };
}
