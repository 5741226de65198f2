/** The notes beside a matrix: its axes, its legend, and the column that it is sorted by. */

import { html, render } from "lit-html";
import { statsOf } from "../../scores";
import type { Kind, Store } from "../../store";
import type { ViewContext } from "../context";
import { h, watch } from "../dom";
import { mapScale } from "../ramp";
import { figure, nameOf, outputsOf } from "../words";
import type { Acts } from "./acts";
import type { Model } from "./model";

/** The names of the rows and of the columns. */
const AXES: Record<Exclude<Kind, "classes">, readonly [string, string]> = {
  text: ["what the model read", "what it wrote"],
  pair: ["the source, and below the line what was written", "what was written"],
};
export function axesOf(store: Store): readonly [string, string] {
  const { value: kind } = store.kind;
  return kind === "classes" ? ["what the model read", `the ${outputsOf(store).label}`] : AXES[kind];
}

export function hintView(context: ViewContext, model: Model, acts: Acts): HTMLElement {
  const { store, signal } = context;
  const hint = h("div", { className: "sw-matrix-hint" });
  watch(signal, () => {
    const [rows, columns] = axesOf(store);
    const raw = store.measure.value === "raw";
    const { value: signed } = store.signed;
    const { value: by } = model.sortedBy;
    const [looked] = model.marks.value.outlined;
    const scores = looked === undefined ? null : model.scoresAt(looked.start);
    const max = raw ? model.largest.value : scores === null ? 0 : statsOf(scores).max;
    /** Tells whether several columns are on show, which have no common scale. */
    const several = !raw && looked !== undefined && looked.end - looked.start > 1;
    const number = (value: number) => (several ? `${value < 0 ? "−" : ""}max` : figure(store, value));
    const name = (col: number | null) =>
      html`<bdi>${nameOf(store, model.colTokens(col) ?? { start: 0, end: 0 })}</bdi>`;
    render(
      html`<div>rows: ${rows}</div>
        <div>columns: ${columns}</div>
        <div>${raw ? "all columns on one scale" : "each column on its own scale"}</div>
        ${mapScale(context, signed, [
          signed ? number(-max) : "0",
          raw || several ? number(max) : html`${number(max)} for ${name(looked?.start ?? null)}`,
        ])}
        <div>bars: what a row, a column adds up to</div>
        ${
          by === null
            ? html`<div>a click on a column's name sorts the rows</div>`
            : html`<div>rows sorted by ${name(by)};
              <button type="button" class="sw-link sw-matrix-restore" @click=${() => acts.sort(by)}>restore</button></div>`
        }`,
      hint,
    );
  });
  return hint;
}
