/** Says what the colour of an input means, in the reader's words, and what a map costs the reader's time. */

import { html, nothing, type TemplateResult } from "lit-html";
import { about } from "../format";
import type { WireMethod } from "../protocol";
import type { Store } from "../store";
import { contrastOf } from "./target/contrast";
import { nameOfTargets } from "./words";

/** "Darker: changing this word would change *Washington* more."; nothing where the method does not say. */
export function meaningOf(store: Store, { says, uses_objective }: WireMethod): TemplateResult | typeof nothing {
  const { value: cols } = store.pinnedCols.value === null ? store.targetCols : store.pinnedCols;
  if (says === "" || cols === null) return nothing;
  const word = store.granularity.value === "token" ? "word" : store.granularity.value;
  const [before = "", after] = says.replaceAll("{word}", word).split("{target}");
  if (after === undefined) return html`${before}`;
  const about = contrastOf(store);
  const unsure = uses_objective && store.map.value?.info.objective === "entropy" ? "the doubt at " : "";
  const foil = about === null || !uses_objective ? nothing : html` against <em><bdi>${about.foil}</bdi></em>`;
  return html`${before}${unsure}<em><bdi>${nameOfTargets(store, cols)}</bdi></em>${foil}${after}`;
}

/** "about 3 s"; empty where nothing was measured. */
export function timeOf({ seconds }: Pick<WireMethod, "seconds">): string {
  return seconds === null ? "" : about(seconds);
}
