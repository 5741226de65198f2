/** Functions that ask for a map, from any place in the view. */

import type { Asked, Store } from "../store";
import type { ViewContext } from "./context";

/** The map that the reader sees, or waits for. */
export function mapOnShow({ asked, map, questionOf }: Store): Asked | null {
  return asked.value ?? (map.value === null ? null : questionOf(map.value));
}

/** The objective of the next question: that of the map on show if the menu has it, else the first in the menu. */
export function objectiveOf(store: Store): string | undefined {
  const offered = store.menu.value?.objectives ?? [];
  const now = mapOnShow(store)?.objective;
  return offered.length === 0 || offered.some(({ id }) => id === now) ? now : offered[0]?.id;
}

/** Another method keeps the objective, unless one is given; and what the target is set against, if it can. */
export function askMap(context: ViewContext, method: string, objective?: string): void {
  const { store } = context;
  const now = mapOnShow(store);
  const { foil, col } = now ?? {};
  const chosen = objective ?? objectiveOf(store);
  if (chosen === undefined) return;
  const isContrast = foil !== undefined && col !== undefined && store.usesObjective(method) && looksAtOne(chosen);
  askFor(context, { method, objective: chosen, ...(isContrast && { foil, col }) });
}

export function askFor({ store, send }: ViewContext, question: Asked): void {
  store.ask(question);
  send({ type: "ask", ...question });
}

/** Entropy depends on all tokens: it has no foil. */
function looksAtOne(objective: string): boolean {
  return objective !== "entropy";
}

/** The question for "why this and not that?": with the method and objective on show, if these use a single target. */
export function wayToContrast(store: Store): Asked | null {
  const { menu } = store;
  const now = mapOnShow(store);
  const methods = (menu.value?.methods ?? []).filter((card) => card.uses_objective && card.reason === null);
  const objectives = (menu.value?.objectives ?? []).filter(({ id }) => looksAtOne(id));
  const method = methods.find(({ id }) => id === now?.method) ?? methods[0];
  const objective = objectives.find(({ id }) => id === now?.objective) ?? objectives[0];
  return method === undefined || objective === undefined ? null : { method: method.id, objective: objective.id };
}
