/** Functions that ask for a map. */

import type { Asked, Store } from "../store";
import type { ViewContext } from "./context";

/** Returns the question of the map that the reader waits for or sees. */
export function mapOnShow({ asked, map, questionOf }: Store): Asked | null {
  return asked.value ?? (map.value === null ? null : questionOf(map.value));
}

/**
 * Returns the objective of the next question: the method's own, or that of the map on show, or the first in the menu.
 * A map that explains its method's own objective does not pass it on to other methods: those return to the one before.
 */
export function objectiveOf(store: Store, method: string): string | undefined {
  const offered = store.menu.value?.objectives ?? [];
  const own = (id: string | undefined) => store.methodCalled(id)?.objective;
  const now = mapOnShow(store);
  const isOwn = now !== null && now.objective === own(now.method) && now.method !== method;
  const before = [...store.maps.value.values()].reverse().find(({ info }) => own(info.method) == null)?.info;
  const found = own(method) ?? (isOwn ? before : now)?.objective;
  return offered.length === 0 || offered.some(({ id }) => id === found) ? found : offered[0]?.id;
}

/** Asks for the map of a method, with its usual objective unless one is given, and with the foil if possible. */
export function askMap(context: ViewContext, method: string, objective?: string): void {
  const { store } = context;
  const now = mapOnShow(store);
  const { foil, col, hop } = now ?? {};
  const chosen = objective ?? objectiveOf(store, method);
  if (chosen === undefined) return;
  const isContrast = foil !== undefined && col !== undefined && store.usesObjective(method) && looksAtOne(chosen);
  const goesBack = hop !== undefined && canGoBack(store, method);
  askFor(context, { method, objective: chosen, ...(isContrast && { foil, col }), ...(goesBack && { hop }) });
}

/** Tells whether the kernel can follow a map of this method by way of the thinking: signs leave no shares to hand on. */
export function canGoBack(store: Store, method: string | undefined): boolean {
  const card = store.methodCalled(method);
  return card !== undefined && !card.signed && card.reason === null && card.family !== "explanation";
}

/** `all`: compute also the columns that rest. */
export function askFor({ store, send }: ViewContext, question: Asked, also: { all?: true } = {}): void {
  store.ask(question);
  send({ type: "ask", ...question, ...also });
}

/** Returns whether an objective is of one token. Entropy depends on all tokens, so it has no foil. */
function looksAtOne(objective: string): boolean {
  return objective !== "entropy";
}

/** Returns the question for a contrast with a foil, by the method and objective on show if these allow one. */
export function wayToContrast(store: Store): Asked | null {
  const { menu } = store;
  const now = mapOnShow(store);
  const methods = (menu.value?.methods ?? []).filter((card) => card.uses_objective && card.reason === null);
  const objectives = (menu.value?.objectives ?? []).filter(({ id }) => looksAtOne(id));
  const method = methods.find(({ id }) => id === now?.method) ?? methods[0];
  const objective = objectives.find(({ id }) => id === now?.objective) ?? objectives[0];
  return method === undefined || objective === undefined ? null : { method: method.id, objective: objective.id };
}
