/** The offer to compute Banzhaf values of the units that are read: those of their tokens do not add up to them. */

import { addsUp } from "../map";
import { askFor } from "./ask";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { settingOf } from "./takeaway/python";

export function banzhafView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const button = h("button", { type: "button", className: "sw-link sw-of-units" });
  const said = h("span", { className: "sw-muted" });
  const root = h("div", { className: "sw-banzhaf" }, said, button);

  function ask(): void {
    const { value: map } = store.map;
    if (map === null) return;
    const own = map.info.settings.filter(([name]) => name !== "instead of" && name !== "hop" && name !== "calls");
    const settings = Object.fromEntries(own.map(([name, value]) => [name, settingOf(value)]));
    askFor(context, { ...store.questionOf(map), settings: { ...settings, unit: store.granularity.value } });
  }

  button.addEventListener("click", ask, { signal });
  watch(signal, () => {
    const [map, unit] = [store.map.value, store.granularity.value];
    root.hidden = map === null || addsUp(map, unit);
    if (root.hidden) return;
    const how = store.poolOf(map) === "max" ? "the largest" : "the mean";
    said.textContent = `Banzhaf values add up to nothing: of a ${unit} this is ${how} of its tokens${store.alive.value ? " · " : "."}`;
    button.hidden = !store.alive.value;
    button.textContent = `compute those of ${unit}s`;
  });
  return root;
}
