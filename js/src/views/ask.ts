/** Asking for a map, from wherever in the view it is asked. */

import type { Asked, Store } from "../store";
import type { ViewContext } from "./context";

/** The map that the reader sees, or waits for. */
export function mapOnShow({ asked, map }: Store): Asked | null {
  return asked.value ?? map.value?.info ?? null;
}

/** Another method keeps the objective, unless one is given. */
export function askMap({ store, send }: ViewContext, method: string, objective?: string): void {
  const chosen = objective ?? mapOnShow(store)?.objective ?? store.menu.value?.objectives[0]?.id;
  if (chosen === undefined) return;
  store.ask(method, chosen);
  send({ type: "ask", method, objective: chosen });
}
