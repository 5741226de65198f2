/** The trail: a button for each text that was on show. */

import { html, nothing, render } from "lit-html";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";

/** Shows the text before the one on show again. */
export function goBack({ store: { trail }, send }: ViewContext): void {
  if (trail.value !== null && trail.value.at > 0) send({ type: "back", to: trail.value.at - 1 });
}

export function trailView({ store, send, signal }: ViewContext): HTMLElement {
  const root = h("div", { className: "sw-trail", role: "group", ariaLabel: "Texts so far" });
  watch(signal, () => {
    const { names, at } = store.trail.value ?? { names: [], at: 0 };
    root.hidden = names.length < 2;
    render(
      names.map(
        (name, i) => html`${i === 0 ? nothing : html`<span class="sw-muted" aria-hidden="true">›</span>`}<button
            type="button"
            class="sw-plain"
            title=${name}
            aria-current=${i === at ? "true" : nothing}
            @click=${() => i !== at && send({ type: "back", to: i })}
          ><bdi>${name}</bdi></button>`,
      ),
      root,
    );
  });
  return root;
}
