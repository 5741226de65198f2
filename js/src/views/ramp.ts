/** The colour ramp with the labels of its two ends. */

import { html, nothing, type TemplateResult } from "lit-html";
import { gradient } from "../color";
import type { ViewContext } from "./context";
import { scaleText } from "./words";

type Ends = readonly [string, string | TemplateResult];

/** `name`: that of a scale that is not linear; `least`: see `gradient`; `floor`: what is noise, a fraction of the ramp. */
type Scale = { name?: string; least?: number; floor?: number };

/** Returns the ramp with labels. `title`: the meaning of its two colours. */
export function rampScale(
  { ramp }: ViewContext,
  signed: boolean,
  [from, to]: Ends,
  title: string | typeof nothing = nothing,
  { name = "", least = 0, floor = 0 }: Scale = {},
): TemplateResult {
  const ticks = (floor <= 0 || floor >= 1 ? [] : signed ? [0.5 - floor / 2, 0.5 + floor / 2] : [floor]).map(
    (at) => html`<i class="sw-floor-tick" style="left: ${(100 * at).toFixed(1)}%"></i>`,
  );
  return html`<span class="sw-scale" title=${title}
    >${from && html`<span>${from}</span>`}<span class="sw-gradient" style="background: ${gradient(ramp.value, signed, Math.max(least, Math.min(1.01, floor)))}">${ticks}</span
    >${to && html`<span>${to}</span>`}${name && html`<span class="sw-scale-name">${name}</span>`}</span
  >`;
}

/**
 * Returns the ramp with the maps' scale. `filled`: the fraction up to the largest number, and `floor` up to what is
 * noise. A scale by rank has no numbers at its ends: the colours between are not
 * proportional to them.
 */
export function mapScale(
  context: ViewContext,
  signed: boolean,
  ends: Ends,
  title: string | typeof nothing = nothing,
  filled = 1,
  floor = 0,
): TemplateResult {
  const { store } = context;
  const { value: scale } = store.scale;
  return rampScale(context, signed, scale === "quantile" ? ["", ""] : ends, title, {
    name: scaleText(store),
    least: scale === "threshold" ? filled * store.threshold.value : 0,
    floor: scale === "quantile" ? 0 : floor,
  });
}
