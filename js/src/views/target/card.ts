/** The card behind the (i): the method, how to read it, and the conditions of the map. */

import { html, nothing, type TemplateResult } from "lit-html";
import type { Store } from "../../store";
import { cardOf } from "../card";
import { meaningOf } from "../says";
import { objectiveMeaning, objectiveText, pooledText, scaleText } from "../words";
import { meaningOfSigns } from "./legend";

/** Returns the conditions of the map: the model, the objective, the settings, and the reader's choices. */
function conditions(store: Store): [string, string][] {
  const [document, info] = [store.document.value, store.map.value?.info];
  if (document === null || info === undefined) return [];
  const rows: [string, string | undefined][] = [
    ["model", `${document.model} · ${document.device} · ${document.dtype}`],
    ["explains", [objectiveText(store), objectiveMeaning(store)].filter(Boolean).join(": ")],
    ...info.settings,
    [`${store.granularity.value}s`, pooledText(store)],
    ["colours", scaleText(store)],
  ];
  return rows.flatMap(([name, value]) => (value ? [[name, value]] : []));
}

export function methodCard(store: Store): TemplateResult | typeof nothing {
  const { value: method } = store.method;
  if (method === null) return nothing;
  const { label, family, cost, unit, signed } = method;
  const sides = meaningOfSigns(family);
  const { value: part } = store.granularity;
  const numbers =
    store.measure.value === "raw" || family === "difference"
      ? `the scores themselves: ${unit}${signed ? ` (${sides})` : ""}.`
      : `shares: the ${unit} of one ${part} over the sum of that of all ${part}s the target can see${signed ? ` (sizes added up; ${sides})` : ""}. The raw score is in the tooltip.`;
  return cardOf(
    label,
    { ...method, about: [...conditions(store), ["Cost", cost]] },
    html`<p>${meaningOf(store, method)}</p>`,
    html`<p>The colour and the numbers in the text are ${numbers}</p>`,
  );
}
