/** The matrix of rank correlations between the judged maps, whose names lead to the maps. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { Ramp } from "../../color";
import { stepOf, swatchOf } from "../../color";
import { decimal } from "../../format";
import type { Evaluation, WireAgreement } from "../../protocol";

export function agreementOf(
  { maps, agreement }: Evaluation,
  ramp: Ramp,
  show: (map: string) => void,
): TemplateResult | typeof nothing {
  if (maps.length < 2) return nothing;
  const known = new Map(
    agreement.flatMap((pair) => [[`${pair.a} ${pair.b}`, pair] as const, [`${pair.b} ${pair.a}`, pair] as const]),
  );

  function cell(pair: WireAgreement | undefined, a: number, b: number): TemplateResult {
    if (a === b) return html`<td class="sw-muted" aria-label="itself">·</td>`;
    if (pair === undefined || pair.value === null)
      return html`<td class="sw-muted" title="One of them ranks no words.">–</td>`;
    const { background, color } = swatchOf(ramp, stepOf(pair.value, 1), true);
    const title = pair.outside ? "more (or less) than shuffled words reach" : "no more than shuffled words reach";
    const number = decimal(pair.value);
    return html`<td title=${title} style="background-color: ${background}; color: ${color}">${
      pair.outside ? html`<b>${number}</b>` : number
    }</td>`;
  }
  const name = ({ map, label }: Evaluation["maps"][number]) =>
    html`<button type="button" class="sw-link" title="Show this map" @click=${() => show(map)}>${label}</button>`;

  return html`<section class="sw-agreement" aria-label="Agreement between maps">
    <div class="sw-table-scroll" role="group" tabindex="0" aria-label="Agreement, map by map">
      <table class="sw-table sw-word-table" aria-label="Rank correlation of each pair of maps">
        <thead><tr><th scope="col">agreement</th>${maps.map((map) => html`<th scope="col"><span>${name(map)}</span></th>`)}</tr></thead>
        <tbody>${maps.map(
          (map, a) =>
            html`<tr><th scope="row">${name(map)}</th>${maps.map((_, b) => cell(known.get(`${a} ${b}`), a, b))}</tr>`,
        )}</tbody>
      </table>
    </div>
    <p class="sw-quiet">Rank correlation of the words that may go. Bold: beyond what shuffled words reach.</p>
  </section>`;
}
