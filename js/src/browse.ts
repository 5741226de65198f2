/**
 * The table of a run's texts, an anywidget module of its own. The kernel sorts and searches; the page asks for the rows
 * that are in sight, keeps those that it has, and says which one was chosen.
 */

import type { Render } from "@anywidget/types";
import { render as draw, html, nothing } from "lit-html";
import { plural, significant } from "./format";
import "./styles/browse.css";
import { watchTheme } from "./views/theme";

type Cell = string | number | null;
/** Its place in the run, and its cells. */
type Row = [place: number, ...cells: Cell[]];
type Column = { name: string; label: string; number: boolean };
type Traits = { columns: Column[]; name: string; n: number; chosen: number | null };
type Answer = { type: "rows"; request: number; start: number; total: number; rows: Row[] };

const HEIGHT = 28; // px of a row, as in the style sheet
const HEAD = 30; // px of the columns' names, which stay in sight
const BLOCK = 50; // rows that are asked for together
const REST = 150; // ms after a key until a search is asked for

function mount({ model, el, signal }: Parameters<Render<Traits>>[0]): void {
  const root = document.createElement("div");
  root.className = "sw-run";
  el.append(root);
  watchTheme(root, signal);

  const own = `sw-run-${Math.random().toString(36).slice(2)}`; // several tables may be on one page
  let sort: { name: string; descending: boolean } | null = null;
  let search = "";
  let total = model.get("n");
  let rows = new Map<number, Row>();
  let asked = new Set<number>();
  let request = 0; // of one order and search: what comes for an older one is not looked at
  let active = 0; // the row that the keyboard is on
  let timer: ReturnType<typeof setTimeout> | undefined;

  /** Asks for the blocks in sight that were not asked for. Without a kernel what is there stays. */
  function ask(): void {
    const top = scroller()?.scrollTop ?? 0;
    const seen = inSight();
    const first = Math.floor(top / HEIGHT / BLOCK);
    const last = Math.floor((top + seen) / HEIGHT / BLOCK);
    for (let block = first; block <= last; block++) {
      if (asked.has(block) || (block > 0 && block * BLOCK >= total)) continue;
      asked.add(block);
      const order = sort === null ? {} : { sort: sort.name, descending: sort.descending };
      try {
        model.send({ type: "rows", request, start: block * BLOCK, count: BLOCK, search, ...order });
      } catch {
        asked.delete(block);
      }
    }
  }

  function anew(): void {
    request += 1;
    rows = new Map();
    asked = new Set();
    active = 0;
    const at = scroller();
    if (at) at.scrollTop = 0;
    ask();
    paint();
  }

  function hear(message: unknown): void {
    const answer = message as Answer;
    if (answer?.type !== "rows" || answer.request !== request) return;
    total = answer.total;
    for (const [i, row] of answer.rows.entries()) rows.set(answer.start + i, row);
    paint();
    ask();
  }

  const inSight = () => scroller()?.clientHeight || HEAD + 10 * HEIGHT;
  const scroller = () => root.querySelector<HTMLElement>(".sw-run-table");

  function sortBy(column: Column): void {
    const again = sort?.name === column.name;
    // Numbers begin with the largest, texts with the first of the alphabet.
    sort = { name: column.name, descending: again ? !sort?.descending : column.number };
    anew();
  }

  function choose(at: number): void {
    const row = rows.get(at);
    if (row === undefined) return;
    active = at;
    model.set("chosen", row[0]);
    try {
      model.save_changes();
    } catch {
      // Without a kernel there is no other map.
    }
    paint();
  }

  function press(event: KeyboardEvent): void {
    event.stopPropagation(); // JupyterLab would act on it, too
    const by = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -total, End: total }[event.key];
    if (event.key === "Enter" || event.key === " ") {
      if (event.target !== event.currentTarget) return; // a button of a column's name
      event.preventDefault();
      choose(active);
    }
    if (by === undefined) return;
    event.preventDefault();
    active = Math.min(Math.max(0, active + by), Math.max(0, total - 1));
    const at = scroller();
    if (at) {
      const below = (active + 1) * HEIGHT - (inSight() - HEAD);
      at.scrollTop = Math.max(below, Math.min(at.scrollTop, active * HEIGHT));
    }
    ask();
    paint();
  }

  function paint(): void {
    const columns = model.get("columns");
    const chosen = model.get("chosen");
    const top = scroller()?.scrollTop ?? 0;
    const seen = inSight();
    const first = Math.max(0, Math.floor(top / HEIGHT) - 5);
    const last = Math.min(total, Math.ceil((top + seen) / HEIGHT) + 5);
    const shown = Array.from({ length: Math.max(0, last - first) }, (_, i) => first + i);
    const grid = `grid-template-columns: ${columns.map(({ name, number }) => (number ? "90px" : name === "id" ? "80px" : "minmax(120px, 1fr)")).join(" ")}`;
    draw(
      html`
        <div class="sw-run-head">
          <b>${model.get("name")}</b>
          <span class="sw-run-count" role="status">
            ${total === model.get("n") ? plural(total, "text") : `${total.toLocaleString("en")} of ${plural(model.get("n"), "text")}`}
          </span>
          <input type="search" placeholder="Search" aria-label="Search the texts" .value=${search} @input=${typed}
            @keydown=${(event: KeyboardEvent) => event.stopPropagation()} />
        </div>
        <div class="sw-run-table" role="grid" tabindex="0" aria-rowcount=${total + 1} aria-label="The texts of the run"
          aria-activedescendant=${total > 0 ? `${own}-${active}` : nothing} @scroll=${scrolled} @keydown=${press}>
          <div class="sw-run-line sw-run-names" role="row" style=${grid}>
            ${columns.map((column) => {
              const way = sort?.name === column.name ? (sort.descending ? "descending" : "ascending") : "none";
              return html`<div role="columnheader" aria-sort=${way}>
                <button @click=${() => sortBy(column)}>${column.label}${way === "none" ? "" : way === "descending" ? " ▾" : " ▴"}</button>
              </div>`;
            })}
          </div>
          <div class="sw-run-rows" role="rowgroup" style="height: ${total * HEIGHT}px">
              ${shown.map((at) => {
                const row = rows.get(at);
                const is = row !== undefined && row[0] === chosen;
                return html`<div class="sw-run-line" role="row" id="${own}-${at}" aria-rowindex=${at + 2}
                  aria-selected=${is} ?data-active=${at === active} style="${grid}; top: ${at * HEIGHT}px"
                  @click=${() => choose(at)}>
                  ${columns.map((column, i) => cell(column, row?.[i + 1]))}
                </div>`;
              })}
          </div>
        </div>
        ${total === 0 ? html`<p class="sw-run-none">No text has that.</p>` : nothing}
      `,
      root,
    );
  }

  function cell(column: Column, value: Cell | undefined) {
    const text =
      value === undefined ? "…" : value === null ? "" : typeof value === "number" ? significant(value) : value;
    return html`<div role="gridcell" class=${column.number ? "sw-run-number" : ""} dir=${column.number ? "ltr" : "auto"}
      title=${typeof value === "string" && value ? value : nothing}>${text}</div>`;
  }

  function scrolled(): void {
    ask();
    paint();
  }

  function typed(event: InputEvent): void {
    search = (event.target as HTMLInputElement).value;
    clearTimeout(timer);
    timer = setTimeout(anew, REST);
  }

  model.on("msg:custom", hear);
  model.on("change:chosen", paint);
  signal.addEventListener("abort", () => {
    clearTimeout(timer);
    model.off("msg:custom", hear);
    model.off("change:chosen", paint);
    draw(nothing, root);
  });
  paint();
  anew();
}

export default { render: mount };
