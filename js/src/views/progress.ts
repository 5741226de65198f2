/** The foot of the view: the running task with its progress and Cancel, or the last error or cancelled task. */

import { computed, signal as signalOf } from "@preact/signals-core";
import { html, nothing, render, type TemplateResult } from "lit-html";
import { bytesOf, plural, seconds } from "../format";
import { dueIn, isWhole } from "../map";
import type { Status } from "../protocol";
import type { Asked, MapData } from "../store";
import { askFor } from "./ask";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";

const COUNTS: ReadonlySet<string> = new Set(["generating", "attributing", "explaining"]);
const OPEN_ENDED: ReadonlySet<string> = new Set(["generating", "explaining"]); // their total is unknown
const BYTES = 1_000_000; // a larger total of loading counts bytes

const LONG = 3; // s without an estimate, after which the elapsed time is shown

/** Returns the text of a status. `waited`: seconds since it arrived, or since the task began without progress. */
function progressText(status: Status, waited: number): string {
  const { phase, what, seconds_left } = status;
  const soFar = waited < LONG ? "" : `, ${seconds(waited)} so far`;
  const left = seconds_left === null ? soFar : timeLeft(seconds_left - waited);
  return `${what === "" ? phase : what}${counted(status)}${left}`;
}

/** Returns the remaining time, which counts down between two messages, or a remark when it is over. */
function timeLeft(left: number): string {
  if (left > 0) return `, ${seconds(left)} left`;
  return left > -LONG ? "" : ", longer than expected";
}

function counted({ phase, done, total, unit }: Status): string {
  const things = COUNTS.has(phase) && unit !== "" ? ` ${unit}` : "";
  if (total === null || total === 0)
    return OPEN_ENDED.has(phase) && done > 0 ? `: ${done.toLocaleString("en")}${things}` : "";
  if (phase === "loading" && total > BYTES) return `: ${bytesOf(done, total)}`;
  return `: ${done.toLocaleString("en")} of ${total.toLocaleString("en")}${things}`;
}

export function progressView(context: ViewContext): HTMLElement {
  const { store, send, signal } = context;
  const root = h("div", { className: "sw-foot" });
  /** The question that was cancelled before it began, and the map on show then. */
  let dropped: { asked: Asked; over: MapData | null } | null = null;
  /** Tells whether the last task was an explanation, which does not change the map. */
  let explained = false;
  /** Seconds since the kernel's last estimate; before the first one, since the task began. */
  const waited = signalOf(0);
  const begun = computed(() => {
    const { phase, what, done, seconds_left } = store.status.value;
    if (!store.running.value) return null;
    if (seconds_left !== null) return store.status.value;
    return done === 0 ? `${phase} ${what}` : null;
  });

  function cancel(): void {
    const { value: asked } = store.asked;
    dropped = asked === null ? null : { asked, over: store.map.value };
    store.asked.value = null; // the question gets no map, so the menu shows the map on show again
    send({ type: "cancel" });
  }

  function running(status: Status): TemplateResult {
    const { done, total } = status;
    const known = total !== null && total > 0 && done > 0;
    return html`<div class="sw-progress">
      <div
        class="sw-bar ${known ? "" : "sw-bar-open"}"
        role="progressbar"
        aria-label=${status.what || status.phase}
        aria-valuemin="0"
        aria-valuemax=${known ? total : nothing}
        aria-valuenow=${known ? done : nothing}
      ><span style=${known ? `width: ${Math.min(100, (100 * done) / total)}%` : ""}></span></div>
      <span class="sw-progress-text">${progressText(status, waited.value)}</span>
      <button type="button" class="sw-button sw-cancel" @click=${cancel}>Cancel</button>
    </div>`;
  }

  function cancelled(status: Status): TemplateResult | typeof nothing {
    const map = store.map.value;
    if (store.asked.value !== null) return nothing;
    const before = dropped !== null && dropped.over === map ? dropped.asked : null;
    const half = map !== null && !isWhole(map) ? store.questionOf(map) : null;
    const rest = before ?? half;
    const label = store.methodCalled(before?.method)?.label;
    const said =
      before !== null
        ? `Cancelled before ${label ?? before.method} began.`
        : half !== null && status.total !== null && status.unit === "requests"
          ? `Cancelled: the answers to ${status.done} of ${plural(status.total, "request")} are kept.`
          : half !== null
            ? `Cancelled: ${map?.done.value} of ${map === null ? 0 : dueIn(map.info)} columns are here.`
            : explained
              ? "Stopped explaining."
              : "Cancelled.";
    return html`<div class="sw-note"><span class="sw-progress-text">${said}</span>${
      rest === null
        ? nothing
        : html`<button type="button" class="sw-button sw-go-on" @click=${() => goOn(rest)}>Go on</button>`
    }</div>`;
  }

  /** Asks for a cancelled map again: the kernel computes only the missing columns that were asked for. */
  function goOn(question: Asked): void {
    dropped = null;
    askFor(context, question);
  }

  watch(signal, () => {
    waited.value = 0;
    if (begun.value === null) return;
    const clock = setInterval(() => waited.value++, 1000);
    return () => clearInterval(clock);
  });
  watch(signal, () => {
    const [status, failure, notice] = [store.status.value, store.failure.value, store.notice.value];
    if (store.running.value) explained = status.phase === "explaining";
    render(
      html`${notice === null ? nothing : html`<div class="sw-note" role="status">${notice}</div>`}
      ${failure === null ? nothing : html`<div class="sw-error" role="alert"><b>${failure.message}</b><div>${failure.cure}</div></div>`}
      ${store.running.value ? running(status) : status.phase === "cancelled" ? cancelled(status) : nothing}`,
      root,
    );
  });
  return root;
}
