/** The editor of the given text. */

import { signal as signalOf } from "@preact/signals-core";
import { html, render } from "lit-html";
import { tryOut } from "../chosen";
import type { ViewContext } from "../context";
import { h, hasFocus, watch } from "../dom";

export function editorView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const root = h("div", { className: "sw-editor" });
  const open = signalOf(false);
  const area = () => root.querySelector("textarea");
  const close = () => {
    open.value = false;
  };

  function edit(): void {
    open.value = true;
    area()?.focus();
  }

  /** Sends the edited text. The editor stays open until the reply, because the reader may correct a failed edit. */
  function attempt(): void {
    tryOut(context, { text: area()?.value ?? "" });
  }

  root.addEventListener(
    "keydown",
    (event) => {
      const isTry = event.key === "Enter" && (event.ctrlKey || event.metaKey);
      if (!open.value || !(isTry || event.key === "Escape")) return;
      event.preventDefault();
      if (isTry) attempt();
      else close();
    },
    { signal },
  );

  watch(signal, () => {
    void [store.document.value?.doc, store.whatIf.value];
    close();
  });
  watch(signal, () => {
    const text = store.whatIf.value?.text ?? store.document.value?.editable ?? null;
    root.hidden = text === null || !store.alive.value;
    const hadFocus = hasFocus(root);
    render(
      open.value
        ? html`<textarea class="sw-area" rows="3" dir="auto" aria-label="What if the text were this one?" .value=${text}></textarea>
          <div class="sw-tried-line">
            <button type="button" class="sw-button sw-primary" aria-disabled="false" @click=${attempt}>Try</button>
            <button type="button" class="sw-button" @click=${close}>Cancel</button>
            <span class="sw-muted">What was written after it stays.</span>
          </div>`
        : html`<span class="sw-muted">What if …?</span> <button type="button" class="sw-link" @click=${edit}>Edit the text</button>`,
      root,
    );
    if (hadFocus && !hasFocus(root)) root.querySelector("button")?.focus();
  });
  return root;
}
