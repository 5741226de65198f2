/** What stands behind the (i): the method, how to read it, what it was computed on. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { Store } from "../../store";
import { sidesOf } from "./legend";
import { pooledText, scaleText } from "./words";

/** On what the map was computed: the model, what is explained, the settings; and how it is shown. */
function conditions(store: Store): [string, string][] {
  const [document, info] = [store.document.value, store.map.value?.info];
  if (document === null || info === undefined) return [];
  const objective = store.menu.value?.objectives.find(({ id }) => id === info.objective)?.label;
  const rows: [string, string | undefined][] = [
    ["model", `${document.model} · ${document.device} · ${document.dtype}`],
    ["explains", store.method.value?.uses_objective ? objective : undefined],
    ...info.settings,
    [`${store.granularity.value}s`, pooledText(store)],
    ["colours", scaleText(store)],
  ];
  return rows.flatMap(([name, value]) => (value ? [[name, value]] : []));
}

export function methodCard(store: Store): TemplateResult | typeof nothing {
  const { value: method } = store.method;
  if (method === null) return nothing;
  const { label, family, reads, caveats, cost, reference, unit, signed } = method;
  const raw = store.measure.value === "raw";
  const sides = sidesOf(family);
  const { value: part } = store.granularity;
  return html`<h3 class="sw-card-title">${label}</h3>
    <p>${reads}</p>
    ${caveats.length === 0 ? nothing : html`<ul>${caveats.map((caveat) => html`<li>${caveat}</li>`)}</ul>`}
    ${
      raw
        ? html`<p>
            The colour and the numbers in the text are the scores themselves: ${unit}${signed ? ` (${sides})` : ""}.
          </p>`
        : html`<p>
            The colour and the numbers in the text are shares: the ${unit} of one ${part} over the sum of that of all ${part}s the
            target can see${signed ? ` (sizes added up; ${sides})` : ""}. The raw score is in the tooltip.
          </p>`
    }
    <dl>
      ${conditions(store).map(([name, value]) => html`<dt>${name}</dt><dd><bdi>${value}</bdi></dd>`)}
      <dt>Cost</dt><dd>${cost}</dd>
      ${reference === "" ? nothing : html`<dt>Source</dt><dd>${reference}</dd>`}
    </dl>`;
}
