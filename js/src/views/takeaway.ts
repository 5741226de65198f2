/** The export of the view as a file, and of a column as a table. */

import { signal as signalOf } from "@preact/signals-core";
import { plural } from "../format";
import { dueIn } from "../map";
import type { ViewContext } from "./context";
import { h, liveRegion, watch } from "./dom";
import { WAYS, type Way } from "./takeaway/ways";

export function takeAwayView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const foot = h("p", { className: "sw-muted" });
  const said = liveRegion();
  said.className = "sw-taken";

  function line([label, gives, lacks, take]: Way): HTMLElement[] {
    const busy = signalOf(false);
    const button = h("button", { type: "button", className: "sw-button" }, label);
    const note = h("span", { className: "sw-muted" });

    async function press(): Promise<void> {
      if (busy.value || lacks(store) !== null) return;
      busy.value = true;
      said.textContent = await take(context).catch((error: unknown) => `${label}: ${(error as Error).message}`);
      busy.value = false;
    }

    button.addEventListener("click", press, { signal });
    watch(signal, () => {
      const reason = lacks(store);
      note.textContent = busy.value ? "preparing …" : (reason ?? gives);
      // Not `disabled`, which would remove the focus from the pressed button.
      button.setAttribute("aria-disabled", String(busy.value || reason !== null));
    });
    return [button, note];
  }

  watch(signal, () => {
    const { done, info } = store.map.value ?? {};
    foot.textContent = `A file holds the text and what is computed: ${done?.value ?? 0} of ${plural(info === undefined ? 0 : dueIn(info), "column")}.`;
  });
  const ways = h("div", { className: "sw-ways" }, ...WAYS.flatMap(line));
  return h("div", { className: "sw-take-away", role: "group", ariaLabel: "Export" }, ways, foot, said);
}
