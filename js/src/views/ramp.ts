/** The colour ramp with the labels of its two ends. */

import { html, nothing, type TemplateResult } from "lit-html";
import { gradient } from "../color";
import type { ViewContext } from "./context";
import { scaleText } from "./words";

type Ends = readonly [string, string | TemplateResult];

/** `name`: of a scale that is not in proportion; `least`: see `gradient`. */
type Scale = { name?: string; least?: number };

/** `title`: the meaning of its two colours. */
export function rampScale(
  { ramp }: ViewContext,
  signed: boolean,
  [from, to]: Ends,
  title: string | typeof nothing = nothing,
  { name = "", least = 0 }: Scale = {},
): TemplateResult {
  return html`<span class="sw-scale" title=${title}
    >${from && html`<span>${from}</span>`}<span class="sw-gradient" style="background: ${gradient(ramp.value, signed, least)}"></span
    >${to && html`<span>${to}</span>`}${name && html`<span class="sw-scale-name">${name}</span>`}</span
  >`;
}

/**
 * The ramp on the scale of the maps. By rank it has no numbers at its ends: they would mislead about the colours
 * between.
 */
export function mapScale(
  context: ViewContext,
  signed: boolean,
  ends: Ends,
  title: string | typeof nothing = nothing,
  filled = 1,
): TemplateResult {
  const { store } = context;
  const { value: scale } = store.scale;
  return rampScale(context, signed, scale === "quantile" ? ["", ""] : ends, title, {
    name: scaleText(store),
    least: scale === "threshold" ? filled * store.threshold.value : 0,
  });
}
