/** The strongest inputs of each map, one list for each. */

import { type ReadonlySignal, signal as state } from "@preact/signals-core";
import { html, nothing, render, type TemplateResult } from "lit-html";
import { STEPS, swatchOf } from "../../color";
import { share } from "../../format";
import type { Span } from "../../layout";
import { shareOf, topRows } from "../../scores";
import type { MapData } from "../../store";
import type { ViewContext } from "../context";
import { h, watch } from "../dom";
import { endPreview } from "../input";
import { nameOf, nameOfTargets } from "../words";
import type { Side } from "./sides";

const LENGTHS = [5, 10];

type List = { name: string; map: MapData; signed: boolean; scores: Float32Array; units: number[] };

export function barsView(context: ViewContext, sides: ReadonlySignal<readonly Side[]>): HTMLElement {
  const { store, signal, ramp } = context;
  const length = state(LENGTHS[0] as number);
  const root = h("div", { className: "sw-tops" });

  function listOf({ name, map: { value: map } }: Side, cols: Span): List[] {
    const scores = store.unitScores(map, cols);
    if (scores === null || map === null) return [];
    return [{ name: name.value, map, signed: store.isSigned(map), scores, units: topRows(scores, length.value) }];
  }

  function bar({ scores, signed, map }: List, unit: number, max: number): TemplateResult | typeof nothing {
    const { value: units } = store.units;
    const span = units.spans[unit];
    if (span === undefined) return nothing;
    const own = shareOf(scores, unit);
    const { background } = swatchOf(ramp.value, own < 0 ? -STEPS : STEPS, signed);
    const isHot = units.of[store.hoverRow.value ?? -1] === unit;
    return html`<li
      class=${isHot ? "sw-top sw-same" : "sw-top"}
      @pointerenter=${() => {
        store.hoverRow.value = span.start;
      }}
      @pointerleave=${() => endPreview(context)}
    ><bdi>${nameOf(store, span, map)}</bdi> <span class="sw-top-share">${share(own)}</span
      ><span class="sw-top-bar" style="width: ${(100 * Math.abs(own)) / max}%; background: ${background}"></span></li>`;
  }

  function lengths(): TemplateResult {
    return html`<select
      class="sw-select"
      aria-label="How many inputs"
      @change=${(event: Event) => {
        length.value = Number((event.target as HTMLSelectElement).value);
      }}
    >${LENGTHS.map((n) => html`<option value=${n} ?selected=${n === length.value}>top ${n}</option>`)}</select>`;
  }

  watch(signal, () => {
    const { value: shown } = store.shown;
    const lists = shown === null ? [] : sides.value.flatMap((side) => listOf(side, shown.cols));
    const largest = ({ scores, units }: List) => Math.abs(shareOf(scores, units[0] ?? -1)) || 0;
    const max = Math.max(...lists.map(largest));
    root.hidden = lists.length === 0;
    if (shown === null || root.hidden) return;
    render(
      html`<div class="sw-target-line">
          <span>Largest shares for <bdi class="sw-target-name">${nameOfTargets(store, shown.cols)}</bdi></span>
          ${lengths()}
        </div>
        <div class="sw-top-lists">${lists.map(
          (list) => html`<div>
            <div class="sw-muted">${list.name}</div>
            <ol aria-label=${list.name}>${list.units.map((unit) => bar(list, unit, max))}</ol>
          </div>`,
        )}</div>`,
      root,
    );
  });
  return root;
}
