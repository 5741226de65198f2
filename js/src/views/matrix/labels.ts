/** The labels around the cells of a matrix: the names of rows and columns, and bars of their sums. */

import { LABEL_MAX, LEAN, type Span, SUMS, shorten } from "../../layout";
import type { Store } from "../../store";
import { nameOf } from "../words";
import { type Frame, sizeOf, within, xOf, yOf } from "./draw";
import type { Marks, Model } from "./model";

const SIZE = 12; // px, font size
const BAR = 5; // px, largest thickness of a bar
const APART = 6; // px between cells and bars
const FAINT = 0.4;

export function fontOf(family: string, weight = 600, size = SIZE): string {
  return `${weight} ${size}px ${family}`;
}

/** The names on one side and the bars on the other, of rows or (`across`) of columns. */
type Side = {
  across: boolean;
  span: Span;
  tokensOf: (i: number) => Span | undefined;
  sumOf: (i: number) => number;
  largest: number;
  isLooked: (i: number) => boolean;
};

function drawSide(frame: Frame, store: Store, side: Side): void {
  const { pen, grid, edges } = frame;
  const { across, span } = side;
  const size = sizeOf(grid);
  const thick = Math.min(BAR, size);
  const room = (across ? SUMS.height : SUMS.width) - APART;
  const measure = (text: string) => pen.measureText(text).width;
  pen.textBaseline = "middle";
  pen.textAlign = across ? "left" : "right";
  for (let i = span.start; i < span.end; i++) {
    const tokens = side.tokensOf(i);
    if (tokens === undefined) continue;
    const looked = side.isLooked(i);
    const middle = (across ? xOf : yOf)(frame, i) + size / 2;
    const long = room * Math.min(1, side.sumOf(i) / side.largest || 0); // NaN: not arrived yet, or all zero
    pen.fillStyle = frame.muted;
    pen.globalAlpha = looked ? 1 : FAINT;
    if (across) pen.fillRect(middle - thick / 2, edges.y + APART, thick, long);
    else pen.fillRect(edges.x + APART, middle - thick / 2, long, thick);
    if (!grid.legible) continue;
    const quiet = tokens.start >= store.firstTarget.value || store.tokens.value[tokens.start]?.role === "special";
    pen.globalAlpha = !across && store.hiddenRows.value?.[tokens.start] ? FAINT : 1;
    pen.fillStyle = across ? (looked ? frame.accent : frame.ink) : quiet && !looked ? frame.muted : frame.ink;
    pen.font = fontOf(frame.font, looked ? 600 : 400, Math.min(SIZE, grid.cell - 1));
    pen.save();
    if (across) {
      pen.translate(middle, grid.top - 8);
      pen.rotate(-LEAN);
    } else pen.translate(grid.left - 6, middle);
    pen.fillText(shorten(nameOf(store, tokens), LABEL_MAX, measure), 0, 0);
    pen.restore();
  }
}

/** Draws the sums, and the names if there is room for them. */
export function drawAround(frame: Frame, model: Model, store: Store, marks: Marks): void {
  const { grid, edges, view, rows, cols } = frame;
  const { value: totals } = model.totals;
  const isIn = (span: Span | null, i: number) => span !== null && i >= span.start && i < span.end;
  within(frame, 0, grid.top - 2, view.width, edges.y, () =>
    drawSide(frame, store, {
      across: false,
      span: rows,
      tokensOf: (place) => model.rowTokens(model.rowAt(place)),
      sumOf: (place) => totals.rows[model.rowAt(place)] as number,
      largest: totals.largestRow,
      isLooked: (place) => place === marks.row || isIn(marks.inputs, model.rowAt(place)),
    }),
  );
  within(frame, grid.left - 2, 0, view.width, view.height, () =>
    drawSide(frame, store, {
      across: true,
      span: cols,
      tokensOf: model.colTokens,
      sumOf: (col) => totals.cols[col] as number,
      largest: totals.largestCol,
      isLooked: (col) => marks.outlined.some((span) => isIn(span, col)),
    }),
  );
}
