/** The offer to ask a text again as a chat, after a chat model wrote almost nothing. */

import type { ViewContext } from "./context";
import { h, liveRegion, watch } from "./dom";

const SAID = "Read as plain text";
const OFFER = "ask it as a chat";

export function asChatView({ store, send, signal, layer }: ViewContext): HTMLElement {
  const button = h("button", { type: "button", className: "sw-link" }, OFFER);
  button.title = "Let the model read this text as a user's turn, in its own chat template";
  button.addEventListener("click", () => send({ type: "as_chat" }), { signal });
  const root = h("div", { className: "sw-as-chat" }, h("span", { className: "sw-muted" }, `${SAID} · `), button);
  const live = liveRegion();
  layer.append(live);
  watch(signal, () => {
    const isOffered = store.alive.value && store.trail.value?.as_chat === true;
    root.hidden = !isOffered;
    live.textContent = isOffered ? `${SAID}. You can ${OFFER}.` : "";
  });
  return root;
}
