/**
 * Attention by layer and head: for the target on show, where each head of each layer looks. The pictures are one canvas;
 * over it lies a grid of cells that can be pointed at, walked through and picked. The text shows what is pointed at.
 */

import { signal as signalOf, untracked } from "@preact/signals-core";
import { html, nothing, render, type TemplateResult } from "lit-html";
import { plural, share } from "../format";
import type { MapData } from "../map";
import type { Heads } from "../protocol";
import { askFor, mapOnShow } from "./ask";
import type { ViewContext } from "./context";
import { h, rested, watch } from "./dom";
import { GAP, HEIGHT, paintHeads, peakOf, readBy, weightsAt } from "./heads/picture";
import { nearest, onKeys } from "./input";
import { createPopover } from "./popover";
import { nameOf, nameOfTargets } from "./words";

const SETTLE = 150; // ms that a target must be looked at before its heads are asked for
const HINT = "Point at a head, a layer (the mean of its heads) or all: the text shows it. Press to keep it.";
const LEAST = 8; // px, of the height of a cell
const AROUND = 215; // px of the panel that are not cells

/** A cell of the grid: row 0 stands for all layers, column 0 for all heads of a layer. */
type Place = { row: number; col: number };
/** The settings of the method; undefined stands for all of them. */
type Settings = { layer?: unknown; head?: unknown };

const settingsAt = ({ layers }: Heads, { row, col }: Place): Settings => ({
  layer: layers[row - 1],
  head: col > 0 ? col - 1 : undefined,
});
/** "3,5", whether as numbers or as people read them. */
const keyOf = ({ layer, head }: Settings) => [layer, head].join();

/** The button that opens the grid; there only while a map of attention is. */
export function headsButton(context: ViewContext): HTMLElement {
  const { store, request, signal } = context;
  const button = h("button", { type: "button", className: "sw-button sw-heads-toggle" }, "layers × heads");
  const title = h("h3", { className: "sw-card-title" });
  const canvas = h("canvas", { ariaHidden: "true" });
  const grid = h("div", { className: "sw-head-grid", role: "grid", dir: "ltr" });
  grid.setAttribute("aria-label", "Layers and heads");
  const key = h("div", { className: "sw-muted sw-head-key" });
  const said = h("div", { className: "sw-muted sw-head-said" }, HINT);
  const scroller = h("div", { className: "sw-head-scroll" }, h("div", { className: "sw-head-room" }, canvas, grid));
  const panel = h("div", { className: "sw-heads", role: "dialog", ariaLabel: "Layers and heads" });
  panel.append(title, key, scroller, said);
  /** Of the text on show, and the column that the reader rested on. */
  const answer = signalOf<Heads | null>(null);
  let at: Place = { row: 0, col: 0 };
  let told: Place | null = null; // the cell that the line below speaks of

  const popover = createPopover(
    context,
    button,
    panel,
    "end",
    () => {
      want();
      draw();
    },
    () => {
      told = null;
      glance();
    },
  );

  function want(): void {
    const { value: col } = store.target;
    if (col !== null && answer.value?.col !== col) request({ type: "heads", col }).then(take, () => {});
  }

  function take(reply: Heads): void {
    if (reply.doc === store.document.value?.doc) answer.value = reply;
  }

  const wantSoon = rested(signal, SETTLE, want);

  function pick(place: Place): void {
    const { value: heads } = answer;
    const objective = mapOnShow(store)?.objective;
    if (heads === null || objective === undefined || (place.col > 0 && peakAt(heads, place) === null)) return;
    askFor(context, {
      method: "attention",
      objective,
      ...(place.row > 0 ? { settings: settingsAt(heads, place) } : {}),
    });
  }

  /** "layer 3, head 5: looks most at “George” .41" */
  function describe(heads: Heads, place: Place): string {
    const { layer, head } = settingsAt(heads, place);
    if (layer === undefined) return "all layers and heads";
    if (head === undefined) return `layer ${layer}, all heads`;
    const peak = peakAt(heads, place);
    if (peak === null) return `layer ${layer} has no head ${head}`;
    const most = nameOf(store, { start: peak.row, end: peak.row + 1 });
    return `layer ${layer}, head ${head}: looks most at “${most}” ${share(peak.weight)}`;
  }

  function rows(heads: Heads): TemplateResult[] {
    const { asked, map } = store;
    // Of the map on show, or of the one that is waited for.
    const picked: Settings =
      asked.value === null ? Object.fromEntries(map.value?.info.settings ?? []) : (asked.value.settings ?? {});
    const cell = (row: number, col: number) => {
      if (row === 0 && col > 0) return html`<span role="columnheader">${col - 1}</span>`;
      const place = { row, col };
      return html`<span
        role=${col > 0 ? "gridcell" : row > 0 ? "rowheader" : "columnheader"}
        class="sw-head"
        data-at="${row} ${col}"
        tabindex=${row === at.row && col === at.col ? 0 : -1}
        aria-selected=${keyOf(picked) === keyOf(settingsAt(heads, place))}
        aria-label=${describe(heads, place)}
        >${col > 0 ? "" : row > 0 ? `L${heads.layers[row - 1]}` : "all"}</span
      >`;
    };
    return upTo(heads.layers.length).map(
      (row) => html`<div role="row">${upTo(heads.n_heads).map((col) => cell(row, col))}</div>`,
    );
  }

  function draw(): void {
    const { value: heads } = answer;
    const stale = heads?.col !== store.target.value;
    grid.setAttribute("aria-busy", String(stale));
    scroller.classList.toggle("sw-stale", stale);
    const col = (heads === null ? store.target.value : heads.col) ?? 0;
    title.textContent = `Where each head looks for “${nameOfTargets(store, { start: col, end: col + 1 })}”${stale ? " …" : ""}`;
    key.textContent =
      heads === null
        ? ""
        : `A cell is a head: from left to right the ${plural(readBy(heads, store), "token")} before it, the darkest where it looks most.`;
    render(heads === null ? nothing : rows(heads), grid);
    say();
    untracked(glance);
    if (heads === null) return;
    const height = fitting(heads.layers.length);
    panel.style.setProperty("--sw-head-height", `${height}px`);
    paintHeads(canvas, heads, context, height);
  }

  function say(): void {
    const { value: heads } = answer;
    said.textContent = told === null || heads === null ? HINT : describe(heads, told);
  }

  /** So high that all layers are in sight, where cells of that height can still be read and pointed at. */
  function fitting(n: number): number {
    const { top, bottom } = button.getBoundingClientRect();
    const room = Math.max(top, innerHeight - bottom) - AROUND;
    return Math.min(HEIGHT, Math.max(LEAST, Math.floor(room / n) - GAP));
  }

  /** The text shows what is pointed at, for as long as it is. */
  function glance(): void {
    store.glimpse.value = told === null ? null : mapAt(told);
  }

  /** The map of a cell, as far as it is known: the column that the grid is about. null where that is not on show. */
  function mapAt({ row, col }: Place): MapData | null {
    const [heads, map] = [answer.value, store.map.value];
    const { value: shown } = store.targetCols;
    if (heads === null || map === null || store.inputs.value !== null) return null;
    if (shown?.start !== heads.col || shown.end !== heads.col + 1) return null;
    const { method, objective } = map.info;
    if (row === 0) return store.mapBeside({ method, objective });
    const column = weightsAt(heads, row - 1, col - 1, readBy(heads, store));
    if (column === null) return null;
    const settings = Object.entries(settingsAt(heads, { row, col })).filter(([, at]) => at !== undefined);
    const columns: MapData["columns"] = [];
    columns[heads.col] = column;
    return {
      info: { ...map.info, n_rows: heads.n_rows, settings: settings.map(([name, at]) => [name, String(at)]) },
      columns,
      errors: [],
      floors: [],
      done: signalOf(1),
      together: new Map(),
    };
  }

  const cellAt = ({ row, col }: Place) => grid.querySelector<HTMLElement>(`[data-at="${row} ${col}"]`);
  function placeOf({ target }: Event): Place | null {
    const cell = target instanceof Element ? target.closest<HTMLElement>("[data-at]") : null;
    const [row = 0, col = 0] = (cell?.dataset.at ?? "").split(" ").map(Number);
    return cell === null ? null : { row, col };
  }

  function moveTo({ row, col }: Place): void {
    const { value: heads } = answer;
    if (heads === null) return;
    const own = nearest(row, heads.layers.length + 1);
    cellAt(at)?.setAttribute("tabindex", "-1");
    at = { row: own, col: own > 0 ? nearest(col, heads.n_heads + 1) : 0 };
    cellAt(at)?.setAttribute("tabindex", "0");
    cellAt(at)?.focus();
  }

  function tell(place: Place | null): void {
    told = place;
    say();
    glance();
  }

  for (const name of ["pointerover", "focusin"])
    grid.addEventListener(name, (event) => tell(placeOf(event)), { signal });
  for (const name of ["pointerleave", "focusout"]) grid.addEventListener(name, () => tell(null), { signal });
  grid.addEventListener(
    "click",
    (event) => {
      const place = placeOf(event);
      if (place === null) return;
      moveTo(place);
      pick(place);
    },
    { signal },
  );
  onKeys(panel, signal, (event) => ({
    ArrowUp: () => moveTo({ ...at, row: at.row - 1 }),
    ArrowDown: () => moveTo({ ...at, row: at.row + 1 }),
    ArrowLeft: () => moveTo({ ...at, col: at.col - 1 }),
    ArrowRight: () => moveTo({ ...at, col: at.col + 1 }),
    Home: () => moveTo({ ...at, col: 0 }),
    End: () => moveTo({ ...at, col: Number.POSITIVE_INFINITY }),
    ...(placeOf(event) === null ? {} : { Enter: () => pick(at), " ": () => pick(at) }),
  }));

  watch(signal, () => {
    const { value: method } = store.method;
    button.hidden = method?.id !== "attention" || method.family !== "attention";
    if (button.hidden) popover.close();
  });
  watch(signal, () => {
    if (answer.value?.doc !== store.document.value?.doc) answer.value = null;
  });
  watch(signal, () => {
    void [store.target.value, store.document.value?.doc];
    if (panel.isConnected) wantSoon();
  });
  watch(signal, () => {
    void [answer.value, store.target.value, store.asked.value, store.map.value, context.ramp.value];
    if (panel.isConnected) draw();
  });
  return button;
}

const upTo = (n: number) => Array.from({ length: n + 1 }, (_, i) => i);
const peakAt = (heads: Heads, { row, col }: Place) => peakOf(heads, row - 1, col - 1);
