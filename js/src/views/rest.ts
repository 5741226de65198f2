/** The offer to compute all columns of a map that takes long, with its price. */

import { plural, seconds } from "../format";
import { askFor } from "./ask";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";

export function restView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const button = h("button", { type: "button", className: "sw-link sw-all" });
  button.addEventListener(
    "click",
    () => {
      const { value: map } = store.map;
      if (map !== null) askFor(context, store.questionOf(map), { all: true });
    },
    { signal },
  );
  const said = "Each word of the answer gets its colours when it is hovered · ";
  const root = h("div", { className: "sw-rest" }, h("span", { className: "sw-muted" }, said), button);
  watch(signal, () => {
    const { value: rest } = store.rest;
    root.hidden = rest === null || !store.alive.value;
    if (rest === null) return;
    const other = rest.n_cols < (store.map.value?.info.n_cols ?? 0) ? "other " : "";
    button.textContent = `all ${other}${plural(rest.n_cols, "token")}: about ${seconds(rest.seconds)}`;
  });
  return root;
}
