/** A probability beside a name: a number, and a bar below both. */

import { html, type TemplateResult } from "lit-html";
import { share } from "../format";

export function probability(p: number, said = share(p)): TemplateResult {
  return html` <span class="sw-muted">${said}</span
    ><span class="sw-bar-below" style="width: ${Math.min(100, 100 * p)}%"></span>`;
}
