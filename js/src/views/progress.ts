/** The foot: what runs, how far it is, and Cancel; else what went wrong or was cut short. Empty when there is nothing to say. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { seconds } from "../format";
import type { Status } from "../protocol";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";

const COUNTS_TOKENS: ReadonlySet<string> = new Set(["generating", "attributing"]);

export function progressText({ phase, what, done, total, seconds_left }: Status): string {
  const unit = COUNTS_TOKENS.has(phase) ? " tokens" : "";
  const counted =
    total !== null ? `: ${done} of ${total}${unit}` : phase === "generating" && done > 0 ? `: ${done}${unit}` : "";
  const left = seconds_left === null ? "" : `, ${seconds(seconds_left)} left`;
  return `${what === "" ? phase : what}${counted}${left}`;
}

export function progressView({ store, send, signal }: ViewContext): HTMLElement {
  const root = h("div", { className: "sw-foot" });

  function cancel(): void {
    store.asked.value = null; // what was asked for will not come; the button of the map on show is pressed again
    send({ type: "cancel" });
  }

  function running(status: Status): TemplateResult {
    const { done, total } = status;
    const known = total !== null && total > 0;
    return html`<div class="sw-progress">
      <div
        class="sw-bar ${known ? "" : "sw-bar-open"}"
        role="progressbar"
        aria-label=${status.what || status.phase}
        aria-valuemin="0"
        aria-valuemax=${known ? total : nothing}
        aria-valuenow=${known ? done : nothing}
      ><span style=${known ? `width: ${Math.min(100, (100 * done) / total)}%` : ""}></span></div>
      <span class="sw-progress-text">${progressText(status)}</span>
      <button type="button" class="sw-button sw-cancel" @click=${cancel}>Cancel</button>
    </div>`;
  }

  function cancelled(): TemplateResult | typeof nothing {
    const map = store.map.value;
    if (store.asked.value !== null) return nothing;
    return html`<div class="sw-note">${map === null ? "Cancelled." : `Cancelled: ${map.done.value} of ${map.info.n_cols} columns are here.`}</div>`;
  }

  watch(signal, () => {
    const [status, failure, notice] = [store.status.value, store.failure.value, store.notice.value];
    render(
      html`${notice === null ? nothing : html`<div class="sw-note sw-notice" role="status">${notice}</div>`}
      ${failure === null ? nothing : html`<div class="sw-error" role="alert"><b>${failure.message}</b><div>${failure.cure}</div></div>`}
      ${store.running.value ? running(status) : status.phase === "cancelled" ? cancelled() : nothing}`,
      root,
    );
  });
  return root;
}
