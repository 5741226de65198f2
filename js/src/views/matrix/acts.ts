/** What a reader can do with a matrix, by mouse or by key: look at a cell, pin its column, sort by it, take it along. */

import { html, type TemplateResult } from "lit-html";
import { plural, share, significant } from "../../format";
import type { Place, Span } from "../../layout";
import { rankOf, shareOf, statsOf } from "../../scores";
import type { ViewContext } from "../context";
import { endPreview } from "../input";
import { copy as toClipboard } from "../takeaway/save";
import { nameOf, tokenTip } from "../tips";
import type { Model } from "./model";
import type { Sheet } from "./sheet";

export type Acts = ReturnType<typeof createActs>;

/** `say` tells screen readers. A place of theirs is a row and a column, wherever the row stands. */
export function createActs(context: ViewContext, model: Model, sheet: Sheet, say: (text: string) => void) {
  const { store, tooltip, layer } = context;
  let at: Place | null = null;

  const name = (tokens: Span | undefined) => (tokens === undefined ? "" : nameOf(store, tokens));
  const rowName = (row: number | null) => name(model.rowTokens(row));
  const colName = (col: number | null) => name(model.colTokens(col));

  function look(to: Place): void {
    if (to.row === at?.row && to.col === at?.col) return;
    at = to;
    store.hoverCol.value = model.cols.value[to.col ?? -1]?.start ?? null;
    store.hoverRow.value = model.rowTokens(to.row)?.start ?? null;
    point(to, tip(to));
  }

  function point({ row, col }: Place, content: TemplateResult): void {
    const place = { row: row === null ? null : model.placeOf(row), col };
    tooltip.show({ getBoundingClientRect: () => sheet.boxOf(place) }, content);
  }

  function tip({ row, col }: Place): TemplateResult {
    const [tokens, cols] = [model.rowTokens(row), model.cols.value[col ?? -1]];
    if (tokens !== undefined && cols !== undefined) return tokenTip(store, tokens.start, cols);
    const { rows, cols: sizes } = model.totals.value;
    const raw = store.measure.value === "raw";
    const sum = row === null ? sizes[col ?? 0] : rows[row];
    const of = row === null ? "all inputs" : plural(model.cols.value.length, "column");
    return html`<div class="sw-tip-head"><bdi>${row === null ? colName(col) : rowName(row)}</bdi></div>
      <div class="sw-tip-row">${row === null || raw ? "sizes" : "shares"} of ${of} add up to
        <b>${row === null || raw ? significant(sum ?? Number.NaN) : share(sum ?? 0)}</b></div>`;
  }

  /** Once cells have moved: the one that is looked at stays in sight, and its tip beside it. */
  function follow(): void {
    if (at === null) return;
    sheet.show({ row: at.row === null ? null : model.placeOf(at.row), col: at.col });
    point(at, tip(at));
  }

  function letGo(): void {
    at = null;
    endPreview(context);
  }

  function pin(col: number, extend: boolean): void {
    const cols = model.cols.value[col];
    if (cols === undefined) return;
    if (extend) for (const target of [cols.start, cols.end - 1]) store.pinTo(target);
    else store.pin(cols.start, cols.end - cols.start);
  }

  function sort(col: number | null): void {
    model.sort(col);
    const { value: by } = model.sortedBy;
    follow();
    sheet.scroller.focus({ preventScroll: true }); // the button that restores is gone with the press
    say(by === null ? "Rows in the order of the text." : `Rows sorted by ${colName(by)}.`);
  }

  /** Its row and column, score and share; null beside the cells. */
  function cell(): { row: number; names: [string, string]; scores: Float32Array | null } | null {
    if (at === null || at.row === null || at.col === null) return null;
    return { row: at.row, names: [rowName(at.row), colName(at.col)], scores: model.scoresAt(at.col) };
  }

  /** Tells what the keys have come to. */
  function tell(): void {
    const found = cell();
    if (found === null) return;
    const { row, names, scores } = found;
    const rank = scores === null ? null : rankOf(scores, row);
    const value =
      scores === null
        ? "not computed"
        : rank === null
          ? "no score"
          : `share ${share(shareOf(scores, row))}, rank ${rank} of ${statsOf(scores).visible}`;
    say(`${names.join(" for ")}: ${value}`);
  }

  async function copy(): Promise<void> {
    const found = cell();
    if (at === null || found === null) return;
    const { row, names, scores } = found;
    const numbers = scores === null ? [] : [scores[row] ?? Number.NaN, shareOf(scores, row)];
    // Seven digits are what a float32 holds; a minus that spreadsheets know.
    const values = [0, 1].map((i) => (Number.isFinite(numbers[i]) ? String(Number(numbers[i]?.toPrecision(7))) : ""));
    const [place, parts] = [at, [...names, ...values]];
    const said = await toClipboard(parts.join("\t"), layer).then(
      () => `copied ${parts.join(" · ")}`,
      (reason: Error) => `Not copied: ${reason.message}.`,
    );
    say(said);
    point(place, html`<div class="sw-tip-row">${said}</div>`);
  }

  return { looked: () => at, look, follow, letGo, pin, sort, tell, copy };
}
