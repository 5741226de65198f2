/** The actions on a matrix, by mouse or by key: preview a cell, pin its column, sort by it, copy it. */

import { html, type TemplateResult } from "lit-html";
import { share, significant } from "../../format";
import type { Place, Span } from "../../layout";
import { shareOf } from "../../scores";
import { copy as toClipboard } from "../clipboard";
import type { ViewContext } from "../context";
import { endPreview } from "../input";
import { tokenTip } from "../tips";
import { nameOf } from "../words";
import type { Model } from "./model";
import type { Sheet } from "./sheet";

export type Acts = ReturnType<typeof createActs>;

/** Returns the actions. `say` announces to screen readers. A place is a row and a column, in any order of the rows. */
export function createActs(
  context: ViewContext,
  model: Model,
  sheet: Sheet,
  say: (what: TemplateResult | string) => void,
) {
  const { store, tooltip, layer } = context;
  let at: Place | null = null;

  const name = (tokens: Span | undefined) => (tokens === undefined ? "" : nameOf(store, tokens));
  const rowName = (row: number | null) => name(model.rowTokens(row));
  const colName = (col: number | null) => name(model.colTokens(col));
  const standing = ({ row, col }: Place): Place => ({ row: row === null ? null : model.placeOf(row), col });

  function look(to: Place): void {
    if (to.row === at?.row && to.col === at?.col) return;
    at = to;
    store.preview(model.rowTokens(to.row)?.start ?? null, model.cols.value[to.col ?? -1]?.start ?? null);
    point(to);
  }

  function point(to: Place, content = () => tip(to)): void {
    tooltip.show({ getBoundingClientRect: () => sheet.boxOf(standing(to)) }, content);
  }

  function tip({ row, col }: Place): TemplateResult {
    const [tokens, cols] = [model.rowTokens(row), model.cols.value[col ?? -1]];
    if (tokens !== undefined && cols !== undefined) return tokenTip(store, tokens.start, cols);
    const { rows, cols: sizes } = model.totals.value;
    const isShare = row !== null && store.measure.value === "share";
    const sum = (row === null ? sizes[col ?? 0] : rows[row]) ?? Number.NaN;
    return html`<div class="sw-tooltip-head"><bdi>${rowName(row)}${colName(col)}</bdi></div>
      <div>${isShare ? "shares" : "sizes"} add up to <b>${(isShare ? share : significant)(sum)}</b></div>`;
  }

  /** Keeps the previewed cell visible and its tooltip beside it after cells have moved. */
  function follow(): void {
    if (at === null) return;
    sheet.show(standing(at));
    point(at);
  }

  function letGo(): void {
    at = null;
    endPreview(context);
  }

  function pin(col: number, extend: boolean): void {
    const cols = model.cols.value[col];
    if (cols === undefined) return;
    if (extend) store.pinTo(cols.start);
    else store.pin(cols.start, cols.end - cols.start);
  }

  function sort(col: number): void {
    model.sort(col);
    const { value: by } = model.sortedBy;
    follow();
    sheet.scroller.focus({ preventScroll: true }); // the pressed button is removed
    say(by === null ? "Rows in the order of the text." : `Rows sorted by ${colName(by)}.`);
  }

  async function copy(): Promise<void> {
    const place = at;
    const scores = place === null || place.col === null ? null : model.scoresAt(place.col);
    if (place === null || place.row === null || scores === null) return;
    // Seven digits, as a float32 holds, with the ASCII minus that spreadsheets read.
    const numbers = [scores[place.row], shareOf(scores, place.row)].map((value) => Number(value?.toPrecision(7)));
    const parts = [rowName(place.row), colName(place.col), ...numbers];
    const said = await toClipboard(parts.join("\t"), layer).then(
      () => `copied ${parts.join(" · ")}`,
      (reason: Error) => `Not copied: ${reason.message}.`,
    );
    say(said);
    point(place, () => html`<div>${said}</div>`);
  }

  return { looked: () => at, look, follow, letGo, pin, sort, copy, tell: () => at !== null && say(tip(at)) };
}
