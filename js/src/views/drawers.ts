/** Drawers: panels that are closed until the reader opens them, and built only then. */

import { untracked } from "@preact/signals-core";
import type { Store } from "../store";
import { compareView } from "./compare";
import type { ViewContext } from "./context";
import { h, hasFocus, watch } from "./dom";
import { explainView } from "./explain";
import { matrixView } from "./matrix";
import { takeAwayView } from "./takeaway";
import { trustView } from "./trust";

type Drawer = {
  label: string;
  key: string;
  build: (context: ViewContext) => HTMLElement;
  /** Tells whether the drawer has any content. */
  isThere: (store: Store) => boolean;
  /** Tells whether it is open at first. */
  opensItself?: (store: Store) => boolean;
};

const DRAWERS: readonly Drawer[] = [
  { label: "Matrix", key: "m", build: matrixView, isThere: () => true },
  { label: "Explain", key: "e", build: explainView, isThere: ({ explainers }) => explainers.value !== null },
  {
    label: "Compare",
    key: "c",
    build: compareView,
    isThere: ({ menu }) => menu.value !== null,
    opensItself: ({ document }) => document.value !== null && document.value.beside.length > 0,
  },
  {
    label: "Trust",
    key: "p",
    build: trustView,
    isThere: ({ alive, map, evaluation }) => (alive.value && map.value !== null) || evaluation.value !== null,
  },
  { label: "Export", key: "x", build: takeAwayView, isThere: ({ map }) => map.value !== null },
];

/** Returns the drawers, and `toggle`, which opens or closes the drawer of a key if there is one. */
export function drawersView(context: ViewContext): { element: HTMLElement; toggle: (key: string) => void } {
  const row = h("div", { className: "sw-drawer-row" });
  const element = h("div", { className: "sw-drawers" }, row);
  const toggles = new Map<string, () => void>();
  for (const drawer of DRAWERS) {
    const { button, place, toggle } = drawerView(context, drawer);
    row.append(button);
    element.append(place);
    toggles.set(drawer.key, toggle);
  }
  return { element, toggle: (key) => toggles.get(key)?.() };
}

function drawerView(context: ViewContext, { label, build, isThere, opensItself = () => false }: Drawer) {
  const { store, signal } = context;
  const button = h("button", { type: "button", className: "sw-drawer-toggle", ariaExpanded: "false" }, label);
  const place = h("div"); // keeps the order of drawers
  let lifetime: AbortController | null = null;
  let isNew = true; // only a drawer that was never open opens itself

  function toggle(): void {
    if (button.hidden) return;
    isNew = false;
    if (lifetime === null) {
      lifetime = new AbortController();
      place.append(build({ ...context, signal: AbortSignal.any([signal, lifetime.signal]) }));
    } else {
      const hadFocus = hasFocus(place);
      lifetime.abort();
      lifetime = null;
      place.replaceChildren();
      if (hadFocus) button.focus();
    }
    button.setAttribute("aria-expanded", String(lifetime !== null));
  }
  button.addEventListener("click", toggle, { signal });
  watch(signal, () => {
    button.hidden = place.hidden = !isThere(store);
    if (isNew && opensItself(store)) untracked(toggle);
  });
  return { button, place, toggle };
}
