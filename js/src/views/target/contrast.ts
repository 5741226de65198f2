/** A contrast: a map of the difference between a target and a foil. */

import { html, type TemplateResult } from "lit-html";
import { labelOf } from "../../pieces";
import type { Store } from "../../store";
import { nameOfTargets } from "../words";

/** The target and the foil of the map on show. `col`: the only column of the map, or null. */
export type Contrast = { col: number | null; target: string; foil: string };

export function contrastOf(store: Store): Contrast | null {
  const { foil = null, col = null } = store.map.value?.info ?? {};
  const about = col ?? store.target.value;
  if (foil === null || about === null) return null;
  return { col, target: nameOfTargets(store, { start: about, end: about + 1 }), foil: labelOf({ text: foil }) };
}

export function quoted(name: string): TemplateResult {
  return html`“<bdi>${name}</bdi>”`;
}

export function whyNot(target: string, foil: string): TemplateResult {
  return html`Why ${quoted(target)} and not ${quoted(foil)}`;
}
