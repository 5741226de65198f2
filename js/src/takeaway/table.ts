/** A map as CSV and as JSON, in parts of one column each: a matrix of millions of cells is never one string. Pure. */

import { shareOf } from "../scores";

export type Entry = { text: string; position: number };
/** One function a column: it makes the scores when they are written; undefined where they are not computed. */
export type Columns = readonly (() => Float32Array | undefined)[];

/** The shortest decimal that is the same float32. */
export function shortest(value: number): number {
  const single = Math.fround(value);
  for (let digits = 6; ; digits++) {
    const near = Number(single.toPrecision(digits));
    if (digits > 8 || Math.fround(near) === single) return near;
  }
}

/** As pandas writes it: nothing for what is not there. */
function number(value: number): string {
  return Number.isNaN(value) ? "" : String(shortest(value)).replace("Infinity", "inf");
}

/** A spreadsheet runs a text that begins with one of these signs, in full width too, also behind quotes and spaces. */
const RUNS = /^["' ]*[=+\-@\t\r\n＝＋－＠]/;

/**
 * A text that no spreadsheet takes for a formula: one that it would run has an apostrophe before it.
 * To undo that, take one apostrophe away wherever a text begins with one and matches `RUNS`.
 */
export function inert(text: string): string {
  return text.replace(RUNS, "'$&");
}

/** Always in quotes, so that no comma or line break is anything but text; marked where it would be run. */
function start({ text, position }: Entry, at: number): string {
  return `${at},"${inert(text).replaceAll('"', '""')}",${position},`;
}

/**
 * RFC 4180; a line a visible cell, target by target, with the columns of `to_dataframe()`.
 * The tokens are marked as `inert` has it; numbers are as they are.
 */
export function* csv(rows: readonly Entry[], cols: readonly Entry[], columns: Columns): Generator<string> {
  yield "row,row_token,row_position,col,col_token,col_position,score,share\r\n";
  const starts = rows.map(start);
  for (const [col, target] of cols.map(start).entries()) {
    const scores = columns[col]?.() ?? new Float32Array();
    let lines = "";
    for (const [row, score] of scores.entries())
      if (!Number.isNaN(score)) lines += `${starts[row]}${target}${number(score)},${number(shareOf(scores, row))}\r\n`;
    yield lines;
  }
}

/** After `head` the scores, and the shares in the columns `seen`; null for what is not computed or not visible. */
export function* json(head: object, columns: Columns, seen: Columns): Generator<string> {
  yield JSON.stringify(head, null, 1).slice(0, -2);
  for (const [name, all] of Object.entries({ scores: columns, shares: seen })) {
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

/** One line a row, for a spreadsheet: a name with a tab or a line break in it would be more than one cell. */
export function tsv(rows: readonly (readonly [name: string, ...cells: (string | number)[]])[]): string {
  return rows.map(([name, ...cells]) => [inert(name.replace(/[\t\r\n]+/g, " ")), ...cells].join("\t")).join("\n");
}
