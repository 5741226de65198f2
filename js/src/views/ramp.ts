/** The ramp of colours, and what its two ends stand for. */

import { html, nothing, type TemplateResult } from "lit-html";
import { gradient } from "../color";
import type { ViewContext } from "./context";

/** `title`: what its two colours mean. */
export function rampScale(
  { ramp }: ViewContext,
  signed: boolean,
  [from, to]: readonly [string, string | TemplateResult],
  title: string | typeof nothing = nothing,
  more: TemplateResult | typeof nothing = nothing,
): TemplateResult {
  return html`<span class="sw-scale" title=${title}
    ><span>${from}</span><span class="sw-gradient" style="background: ${gradient(ramp.value, signed)}"></span
    ><span>${to}</span>${more}</span
  >`;
}
