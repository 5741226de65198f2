/** Several maps side by side, and where they differ. */

import { signal as state } from "@preact/signals-core";
import { html, nothing, render } from "lit-html";
import type { Beside } from "../store";
import { barsView } from "./compare/bars";
import { panelView } from "./compare/panel";
import { chosenOf, keyOf, MOST, type Option, optionsOf, type Side, sidesOf } from "./compare/sides";
import type { ViewContext } from "./context";
import { h, keyed, watch } from "./dom";

export function compareView(context: ViewContext): HTMLElement {
  const { store, send, signal } = context;
  const options = h("div", { className: "sw-picks", role: "group", ariaLabel: "Maps to put side by side" });
  const hint = h("p", { className: "sw-quiet" }, "Choose one more to see them side by side.");
  const grid = h("div", { className: "sw-panels" });
  const sides = sidesOf(store);
  const root = h("div", { className: "sw-compare" }, options, hint, grid, barsView(context, sides));
  /** The maps that were asked for here and that the kernel has not begun. */
  const waiting = state<ReadonlySet<string>>(new Set());

  function compute(entry: Beside): void {
    const key = keyOf(store, entry);
    if (waiting.value.has(key)) return;
    waiting.value = new Set(waiting.value).add(key);
    send({ type: "ask", method: entry.method, objective: entry.objective, aside: true });
    if (store.pinned.value !== null) send({ type: "focus", col: store.pinned.value, n_cols: store.extent.value });
  }

  function toggle({ key, entry, reason }: Option): void {
    const chosen = chosenOf(store);
    const others = chosen.filter((other) => keyOf(store, other) !== key);
    if (others.length < chosen.length) {
      if (others.length > 0) store.beside.value = others;
    } else if (reason === null && chosen.length < MOST) {
      store.beside.value = [...chosen, entry];
      if (store.mapBeside(entry) === null) compute(entry);
    }
  }

  // Who opens it for the first time sees two maps, and their difference.
  const [only, ...more] = chosenOf(store);
  const second = optionsOf(store).find(({ key, reason }) => reason === null && only && key !== keyOf(store, only));
  if (store.beside.value.length + more.length === 0 && store.alive.value && second) toggle(second);

  watch(signal, () => {
    const chosen = new Set(chosenOf(store).map((entry) => keyOf(store, entry)));
    const full = chosen.size < MOST ? null : `${MOST} at most`;
    hint.hidden = chosen.size > 1;
    render(
      optionsOf(store).map((option) => {
        const isChosen = chosen.has(option.key);
        const why = isChosen ? null : (option.reason ?? full);
        return html`<button
          type="button"
          class="sw-pick"
          title=${why ?? nothing}
          aria-pressed=${isChosen}
          aria-disabled=${why !== null}
          @click=${() => toggle(option)}
        >${option.name}</button>`;
      }),
      options,
    );
  });

  watch(signal, () => {
    void [store.status.value, store.failure.value];
    if (!store.running.value) waiting.value = new Set();
  });

  const computing = {
    // Of finished maps nothing is left to compute: what is not here will come.
    isUnderWay: ({ key }: Side) =>
      (store.running.value && !store.explaining.value) ||
      waiting.value.has(key) ||
      (!store.alive.value && !store.isOver.value),
    compute,
  };

  function open(side: Side, lifetime: AbortSignal) {
    const first = () => {
      const [other] = sides.value;
      return side.entry === null || other === undefined || other.key === side.key ? null : other;
    };
    return { element: panelView({ ...context, signal: lifetime }, side, first, computing) };
  }
  const show = keyed(grid, signal, ({ key }: Side) => key, open);
  watch(signal, () => {
    show(sides.value);
  });
  return root;
}
