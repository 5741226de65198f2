/** Asking for a map, from wherever in the view it is asked. */

import type { Asked, Store } from "../store";
import type { ViewContext } from "./context";

/** The map that the reader sees, or waits for. */
export function mapOnShow({ asked, map, questionOf }: Store): Asked | null {
  return asked.value ?? (map.value === null ? null : questionOf(map.value));
}

/** What is explained now, if that can be asked of another method too: attention knows no objective, and came with any. */
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

/** Entropy is that of all tokens: no one of them can be set against another. */
function looksAtOne(objective: string): boolean {
  return objective !== "entropy";
}

/** How "why this and not that?" can be asked: by the method and objective on show, if these look at a single target. */
export function wayToContrast(store: Store): Asked | null {
  const { menu } = store;
  const now = mapOnShow(store);
  const methods = (menu.value?.methods ?? []).filter((card) => card.uses_objective && card.reason === null);
  const objectives = (menu.value?.objectives ?? []).filter(({ id }) => looksAtOne(id));
  const method = methods.find(({ id }) => id === now?.method) ?? methods[0];
  const objective = objectives.find(({ id }) => id === now?.objective) ?? objectives[0];
  return method === undefined || objective === undefined ? null : { method: method.id, objective: objective.id };
}
