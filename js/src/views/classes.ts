/**
 * The classes of a classifier with their probabilities, or the outputs of a regression with their numbers. Many classes
 * are sorted by probability.
 */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { swatchOf } from "../color";
import { share } from "../format";
import { labelOf } from "../pieces";
import type { Store } from "../store";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { probability } from "./probability";
import { followKeys } from "./text/keyboard";
import { followPointer } from "./text/pointer";
import { numberOf, outputsOf, stepOf } from "./words";

const LITTLE = 0.001; // smaller probabilities are shown only in the line of the target
const FEW = 8; // classes that keep the model's own order, such as 1 to 5 stars

/** Returns the columns in the order of their boxes. */
export function classOrder({ steps, nTargets }: Store): number[] {
  const cols = Array.from({ length: nTargets.value }, (_, col) => col);
  const p = (col: number) => steps.value[col]?.value ?? steps.value[col]?.probability ?? 0;
  return cols.length <= FEW ? cols : cols.sort((a, b) => p(b) - p(a));
}

export function classesView(context: ViewContext): HTMLElement {
  const { store, signal, ramp } = context;
  const root = h("div", { className: "sw-classes", role: "group", ariaLabel: "Classes" });
  // A class needs no tooltip, which would cover the text that it colours.
  const untold = { ...context, tooltip: { ...context.tooltip, show: () => {} } };
  followKeys(untold, root, followPointer(untold, root));

  function classBox(col: number): TemplateResult | typeof nothing {
    const i = store.firstTarget.value + col;
    const token = store.tokens.value[i];
    if (token === undefined) return nothing;
    const [shown, pinned] = [col === store.target.value, col === store.pinned.value];
    const p = stepOf(store, col)?.probability ?? null;
    const number = numberOf(store, { cols: { start: col, end: col + 1 } });
    const name = labelOf(token);
    const { turned, step, signed } = store.look.value;
    const owed = turned ? step(i) : null; // by the chosen inputs
    const swatch = owed === null ? null : swatchOf(ramp.value, owed, signed);
    return html`<span
      role="button"
      class="sw-class sw-column ${shown && !turned ? "sw-target" : ""} ${pinned ? "sw-pinned" : ""}"
      style=${swatch === null ? nothing : `background: ${swatch.background}; color: ${swatch.color}`}
      data-position=${i}
      tabindex=${shown ? 0 : -1}
      aria-pressed=${pinned}
      ><span class="sw-unseen">${outputsOf(store).one} ${name}${number === null ? nothing : `, ${number}`}</span
      ><span aria-hidden="true"
        ><bdi>${name}</bdi>${p === null ? html` ${number}` : probability(p, p < LITTLE ? "<.001" : share(p))}</span
    ></span>`;
  }

  watch(signal, () => {
    root.hidden = store.kind.value !== "classes";
    if (root.hidden) return;
    const { label } = outputsOf(store);
    root.setAttribute("aria-label", label[0]?.toUpperCase() + label.slice(1));
    root.classList.toggle("sw-pending", store.shown.value?.scores === null);
    render(
      html`<div class="sw-label">${label}</div><div class="sw-class-row">${classOrder(store).map(classBox)}</div>`,
      root,
    );
  });
  return root;
}
