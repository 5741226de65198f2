/** One map among several: its name, the text in its colours, and its legend. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { decimal, share } from "../../format";
import type { Beside } from "../../store";
import type { ViewContext } from "../context";
import { h, watch } from "../dom";
import { mapScale } from "../ramp";
import { textView } from "../text";
import { figure, NOT_THERE, numbersBeside } from "../words";
import { rankCorrelation } from "./rank";
import type { Side } from "./sides";

export type Computing = { isUnderWay: (side: Side) => boolean; compute: (entry: Beside) => void };

/** `first`: the map that this one is compared with; none for the first itself. */
export function panelView(
  context: ViewContext,
  side: Side,
  first: () => Side | null,
  { isUnderWay, compute }: Computing,
): HTMLElement {
  const { store, signal } = context;
  const look = store.lookAt(side.map);
  const head = h("div", { className: "sw-compact-head" });
  const foot = h("div", { className: "sw-legend sw-compact-foot" });
  const text = textView({ ...context, of: side.map }, look);
  const root = h("div", { className: "sw-compact", role: "group" }, head, text, foot);

  function missing(): TemplateResult {
    if (isUnderWay(side)) return html`<span class="sw-muted">on its way</span>`;
    const { entry } = side;
    return html`<span class="sw-muted">not computed</span>${
      entry === null || entry.map !== undefined
        ? nothing
        : html`<button type="button" class="sw-button" @click=${() => compute(entry)}>Compute</button>`
    }`;
  }

  function legend(): TemplateResult {
    const { max, top, signed, floor } = look.value;
    const number = (value: number) => (side.entry === null ? share(value) : figure(store, value));
    return mapScale(context, signed, [signed ? number(-max) : "0", number(max)], undefined, top / max, floor / max);
  }

  function agreement(): TemplateResult | typeof nothing {
    const [other, { value: cols }] = [first(), store.targetCols];
    if (other === null || cols === null) return nothing;
    const [a, b] = [other, side].map(({ map }) => store.unitScores(map.value, cols));
    const rho = a && b ? rankCorrelation(a, b) : Number.NaN;
    if (Number.isNaN(rho)) return nothing;
    return html`<span class="sw-muted">rank correlation with ${other.name.value} ρ = <b>${decimal(rho).replace("0.", ".")}</b> for this target</span>`;
  }

  watch(signal, () => {
    root.setAttribute("aria-label", side.name.value);
    const { value: cols } = store.targetCols;
    const beside = cols === null ? [] : numbersBeside(store, cols);
    const [, , said = undefined] = beside.find(([map]) => map === side.entry?.method) ?? [];
    const number = said === undefined ? nothing : html` <span class="sw-own-number">${said ?? NOT_THERE}</span> ·`;
    render(html`<b>${side.name.value}</b>${number} <span class="sw-muted">${side.unit.value}</span>`, head);
  });
  watch(signal, () => {
    const { ready, max, turned } = look.value;
    const nothingThere = turned
      ? "no target has a share of this"
      : side.entry === null
        ? "no difference"
        : "no shares: all zero, or not finite";
    render(
      !ready
        ? missing()
        : max > 0
          ? html`${legend()} ${agreement()}`
          : html`<span class="sw-muted">${nothingThere}</span>`,
      foot,
    );
  });
  return root;
}
