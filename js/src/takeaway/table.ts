/** A map as CSV and JSON, one part for each column, so that a large matrix is never one string. Pure. */

import { shareOf } from "../scores";

export type Entry = { text: string; position: number };
/** For each column a function that returns its scores when they are written, or undefined if not computed. */
export type Columns = readonly (() => Float32Array | undefined)[];

/** Returns the shortest decimal number that is the same float32. */
export function shortest(value: number): number {
  const single = Math.fround(value);
  for (let digits = 6; ; digits++) {
    const near = Number(single.toPrecision(digits));
    if (digits > 8 || Math.fround(near) === single) return near;
  }
}

/** Returns a number as pandas writes it: "" for NaN. */
function number(value: number): string {
  return Number.isNaN(value) ? "" : String(shortest(value)).replace("Infinity", "inf");
}

/** A spreadsheet executes a text that begins with one of these signs, also full-width or after quotes and spaces. */
const RUNS = /^["' ]*[=+\-@\t\r\n＝＋－＠]/;

/**
 * Returns a text that no spreadsheet executes as a formula: with an apostrophe before it if needed.
 * To undo that, remove one apostrophe from texts that begin with one before a match of `RUNS`.
 */
export function inert(text: string): string {
  return text.replace(RUNS, "'$&");
}

/** Returns a token's cells: its text is always quoted, and has an apostrophe if it would be executed. */
function start({ text, position }: Entry, at: number): string {
  return `${at},"${inert(text).replaceAll('"', '""')}",${position},`;
}

/**
 * Yields CSV (RFC 4180) with a line for each visible cell, target by target, and the columns of `to_dataframe()`.
 * Tokens are made `inert`; numbers are unchanged. `errors`: the standard errors of the scores, if a column has any.
 */
export function* csv(
  rows: readonly Entry[],
  cols: readonly Entry[],
  columns: Columns,
  errors: Columns | null = null,
): Generator<string> {
  yield `row,row_token,row_position,col,col_token,col_position,score,share${errors ? ",error" : ""}\r\n`;
  const starts = rows.map(start);
  for (const [col, target] of cols.map(start).entries()) {
    const [scores, unsure] = [columns[col]?.() ?? new Float32Array(), errors?.[col]?.()];
    const error = (row: number) => (errors ? `,${number(unsure?.[row] ?? Number.NaN)}` : "");
    let lines = "";
    for (const [row, score] of scores.entries())
      if (!Number.isNaN(score))
        lines += `${starts[row]}${target}${number(score)},${number(shareOf(scores, row))}${error(row)}\r\n`;
    yield lines;
  }
}

/**
 * Yields JSON: `head`, the scores, the shares of the columns `seen`, and the standard `errors` of the scores, if any;
 * null for cells not computed or visible.
 */
export function* json(head: object, columns: Columns, seen: Columns, errors: Columns | null = null): Generator<string> {
  yield JSON.stringify(head, null, 1).slice(0, -2);
  for (const [name, all] of Object.entries({ scores: columns, shares: seen, ...(errors && { errors }) })) {
    yield `,\n "${name}": [`;
    for (const [col, made] of all.entries()) {
      const scores = made();
      const values = name === "shares" ? scores && Array.from(scores, (_, unit) => shareOf(scores, unit)) : scores;
      yield `${col > 0 ? "," : ""}\n  ${JSON.stringify(values ? Array.from(values, shortest) : null)}`;
    }
    yield "\n ]";
  }
  yield "\n}\n";
}

/** Returns tab-separated lines for a spreadsheet, one for each row. Tabs and line breaks in names are replaced. */
export function tsv(rows: readonly (readonly [name: string, ...cells: (string | number)[]])[]): string {
  return rows.map(([name, ...cells]) => [inert(name.replace(/[\t\r\n]+/g, " ")), ...cells].join("\t")).join("\n");
}
