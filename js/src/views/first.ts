/** Tells a newcomer what to do first, until it was done once: later widgets, and later days, need not say it again. */

import { signal as state } from "@preact/signals-core";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { outputsOf } from "./words";

const KEY = "saliency-widget:hovered";

export function firstView({ store, signal }: ViewContext): HTMLElement {
  const root = h("div", { className: "sw-muted sw-first" });
  const isDone = state(kept()?.getItem(KEY) != null);
  watch(signal, () => {
    if (isDone.value || store.hoverCol.value === null) return;
    isDone.value = true;
    kept()?.setItem(KEY, "1");
  });
  watch(signal, () => {
    const { map, nTargets, kind, inputs } = store;
    root.hidden = isDone.value || map.value === null || nTargets.value < 2 || inputs.value !== null;
    const what = kind.value === "classes" ? `one of the ${outputsOf(store).label}` : "a word the model wrote";
    root.textContent = `Hover ${what}: the colours show what led to it.`;
  });
  return root;
}

/** Some hosts show a widget where nothing may be kept. */
function kept(): Storage | null {
  try {
    return localStorage;
  } catch {
    return null;
  }
}
