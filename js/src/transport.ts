/** The transport between one widget model and one store. Only this module knows whether there is a kernel. */

import { batch, effect, signal as signalOf, untracked } from "@preact/signals-core";
import { readToPage } from "./messages";
import { PROTOCOL, ProtocolError, type ToKernel } from "./protocol";
import { createRequests, type Send, type Wire } from "./requests";
import type { Store } from "./store";

/** The part of an anywidget model that we use, which the fakes of the tests and of the gallery implement too. */
export type Host = {
  get(name: "selection" | "extent" | "view"): unknown;
  set(name: "selection" | "extent", value: number | null): void;
  save_changes(): void;
  send(content: ToKernel): void;
  on(name: string, callback: (content: unknown, buffers?: readonly DataView[]) => void): void;
  off(name: string, callback: (content: unknown, buffers?: readonly DataView[]) => void): void;
};

const FOCUS_EVERY = 50; // ms: a mouse moves over words faster than columns are computed
const ACKNOWLEDGED = 4; // columns per acknowledgement, a third of the kernel's window, to save messages
const PATIENCE = 4000; // ms until the page says that it waits for a kernel
const WHILE_BUSY = 15_000; // ms, the same for a kernel that computes, which may block for a while
/** The error for a silent kernel: it may be gone, or wait for a running cell, which a page cannot tell apart. */
const SILENCE = {
  kind: "KernelSilent",
  message: "The kernel does not answer.",
  cure: "It may be busy with a cell; if not, run the cell again. What is here can still be read.",
};

/** Connects the store to the model until `signal` aborts, and says hello. */
export function connect(model: Host, store: Store, signal: AbortSignal): Wire {
  let patience: ReturnType<typeof setTimeout> | undefined;

  function giveUp(): void {
    hush();
    store.giveUp(SILENCE);
  }

  function hush(): void {
    clearTimeout(patience);
    patience = undefined;
  }

  const send: Send = (message) => {
    if (signal.aborted) return;
    const asks = message.type !== "ack" && message.type !== "focus"; // these are answered only by columns
    if (asks) patience ??= setTimeout(giveUp, store.running.value ? WHILE_BUSY : PATIENCE);
    try {
      model.send(message);
    } catch {
      // Without a kernel the existing map can still be read.
      if (asks) giveUp();
    }
  };
  const acknowledge = acknowledger(send);
  const requests = createRequests(send, signal);

  const hear = (content: unknown, buffers?: readonly DataView[]) => {
    hush();
    if (store.failure.value?.kind === SILENCE.kind) store.failure.value = null;
    try {
      const message = readToPage(content, buffers);
      if (message === null) return;
      if (message.type === "hello") acknowledge.forget();
      if ("request" in message) requests.hear(message);
      else store.receive(message);
      // Also for an unknown map: the kernel counts all columns that it has sent.
      if (message.type === "column") acknowledge.add(message.seq);
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
      store.notice.value ??= `The kernel sent something this page cannot read (${error.message}): restart the kernel and reload the page.`;
    }
  };

  model.on("msg:custom", hear);
  const unbind = bindSelection(model, store, signal);
  const unview = followView(model, store);
  const unfollow = followFocus(store, send);
  signal.addEventListener("abort", () => {
    hush();
    model.off("msg:custom", hear);
    unbind();
    unview();
    unfollow();
  });
  send({ type: "hello", protocol: PROTOCOL });
  return { send, request: requests.request };
}

/**
 * Acknowledges the highest seq at the end of the microtask queue, once for all columns of one task and once in a few
 * columns. It uses no animation frame or timer: hidden tabs stop the one and slow the other, and the kernel waits.
 */
function acknowledger(send: Send) {
  let highest = -1;
  let told = -1;
  let due = false;
  return {
    add(seq: number): void {
      highest = Math.max(highest, seq);
      if (due || (told >= 0 && highest - told < ACKNOWLEDGED)) return;
      due = true;
      queueMicrotask(() => {
        due = false;
        if (highest < 0) return;
        told = highest;
        send({ type: "ack", seq: highest });
      });
    },
    /** Forgets the last seq, because a new kernel counts anew. */
    forget(): void {
      highest = told = -1;
    },
  };
}

/** Keeps the pinned columns and the traits `selection` and `extent` equal, without echoes. */
function bindSelection(model: Host, store: Store, signal: AbortSignal): () => void {
  const whole = (value: unknown) => (typeof value === "number" && Number.isInteger(value) ? value : null);
  let writing = false; // whether one of two traits is still to be set
  const fromKernel = () => {
    if (writing) return;
    batch(() => {
      store.selection.value = whole(model.get("selection"));
      store.extent.value = Math.max(1, whole(model.get("extent")) ?? 1);
    });
  };
  fromKernel();
  for (const trait of ["selection", "extent"]) model.on(`change:${trait}`, fromKernel);
  const dispose = effect(() => {
    const [selection, extent] = [store.selection.value, store.extent.value];
    const same = (model.get("selection") ?? null) === selection && (model.get("extent") ?? 1) === extent;
    if (signal.aborted || same) return;
    writing = true;
    model.set("extent", extent); // first, because observers of the selection may read the extent
    model.set("selection", selection);
    writing = false;
    try {
      model.save_changes();
    } catch {
      // ipywidgets throws without a kernel; the pin still holds on this page.
    }
  });
  return () => {
    for (const trait of ["selection", "extent"]) model.off(`change:${trait}`, fromKernel);
    dispose();
  };
}

/** The trait `view`, which Python sets, is taken over once a text is there to be looked at. */
function followView(model: Host, store: Store): () => void {
  const due = signalOf(true);
  const again = () => {
    due.value = true;
  };
  const dispose = effect(() => {
    const view = model.get("view");
    if (!due.value || store.nTargets.value === 0 || store.map.value === null) return;
    due.value = false;
    if (typeof view === "object" && view !== null) untracked(() => store.takeView(view));
  });
  model.on("change:view", again);
  return () => {
    model.off("change:view", again);
    dispose();
  };
}

/**
 * Tells the kernel which missing columns the reader looks at, at most once in FOCUS_EVERY. Before anything is chosen
 * it knows where to begin, except for the likeliest class.
 */
function followFocus(store: Store, send: Send): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let sentAt = Number.NEGATIVE_INFINITY;
  let sent = "";
  const dispose = effect(() => {
    const isChosen = store.hoverCol.value !== null || store.selection.value !== null || store.dragged.value !== null;
    const cols = isChosen ? store.targetCols.value : store.kind.value === "classes" ? store.atRest.value : null;
    const map = store.map.value;
    clearTimeout(timer);
    if (cols === null || map === null || store.unitScores(map, cols) !== null) return;
    const [col, n_cols] = [cols.start, cols.end - cols.start];
    const wish = `${map.info.map} ${col} ${n_cols}`;
    if (wish === sent) return;
    const wait = Math.max(0, sentAt + FOCUS_EVERY - performance.now());
    timer = setTimeout(() => {
      sentAt = performance.now();
      sent = wish;
      send({ type: "focus", col, n_cols });
    }, wait);
  });
  return () => {
    clearTimeout(timer);
    dispose();
  };
}
