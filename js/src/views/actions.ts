/** The line below the text: targets and actions of the chosen inputs, or else the spans left out of the shares. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { percent, plural } from "../format";
import type { Span } from "../layout";
import { COUNT, canOpen, feeds, isHidden, LEAVE_OUT, strikeOut, toggleHidden } from "./chosen";
import type { ViewContext } from "./context";
import { h, hasFocus, watch } from "./dom";
import { focusTarget, onKeys } from "./input";
import { nameOf } from "./words";

export function actionsView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const root = h("div", { className: "sw-actions", role: "group", ariaLabel: "Chosen inputs", hidden: true });

  /** Runs an action that may change the line, and keeps the focus when its buttons go. */
  function doing(act: () => void): void {
    const hadFocus = hasFocus(root);
    act();
    if (hadFocus && !hasFocus(root)) focusTarget(context, root);
  }

  const button = (label: string, act: () => void, title: string): TemplateResult =>
    html`<button type="button" class="sw-button" title=${title} @click=${() => doing(act)}>${label}</button>`;

  function chosen(rows: Span): TemplateResult {
    const [hidden, fed] = [isHidden(store, rows), feeds(store, rows)];
    const targets = fed.map(({ name, value }) => html`<span class="sw-input"><bdi>${name}</bdi> ${value}</span>`);
    return html`<span class="sw-actions-text"
        ><span class="sw-muted">“<bdi>${nameOf(store, rows)}</bdi>” ${hidden ? "is not counted" : fed.length === 0 ? "feeds nothing that is known" : "feeds"}</span>
        ${hidden ? nothing : targets}</span
      ><span class="sw-actions-buttons">
        ${button(hidden ? COUNT : LEAVE_OUT, () => toggleHidden(store, rows), "Not counted: the other inputs share the column. The model reads it all the same (h)")}
        ${store.alive.value ? button("Strike out", () => strikeOut(context, rows), "What if the model had not read this? (s)") : nothing}
        ${canOpen(store, rows.start) ? button("Open", () => store.open(rows.start), "Show its parts (o)") : nothing}
        ${button("Back", () => store.turn(null), "Back to the target (Esc)")}
      </span>`;
  }

  function hiding(n: number): TemplateResult {
    const { value: held } = store.hiddenShare;
    const of = held === null ? "" : `, ${percent(held)} of this column; the rest is shared out anew`;
    return html`<span class="sw-actions-text sw-muted">not counted: ${plural(n, "token")}${of}</span>
      ${button("Count all again", () => store.unhide(), "Nothing is left out of the shares")}`;
  }

  watch(signal, () => {
    const { value: rows } = store.inputs;
    const nHidden = store.hiddenRows.value?.reduce((sum, row) => sum + row, 0) ?? 0;
    root.hidden = rows === null && nHidden === 0;
    render(root.hidden ? nothing : rows === null ? hiding(nHidden) : chosen(rows), root);
  });
  onKeys(root, signal, () => ({ Escape: () => doing(() => store.turn(null)) }));
  return root;
}
