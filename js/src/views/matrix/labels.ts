/** What stands around the cells of a matrix: the names of rows and columns, and bars of what they add up to. */

import { LEAN, labelRoom, type Span, SUMS, shorten } from "../../layout";
import type { Store } from "../../store";
import { nameOf } from "../tips";
import { type Frame, gapOf, type Marks, within, xOf, yOf } from "./draw";
import type { Model } from "./model";

const SIZE = 12; // px, of the letters
const BAR = 5; // px, no thicker than that
const APART = 6; // px, between cells and bars

export function fontOf(family: string, size = SIZE, weight = 400): string {
  return `${weight} ${size}px ${family}`;
}

function rowNames(frame: Frame, model: Model, store: Store, looked: number | null): void {
  const { pen, grid } = frame;
  const middle = (grid.cell - gapOf(grid)) / 2;
  const measure = (text: string) => pen.measureText(text).width;
  const size = Math.min(SIZE, grid.cell - 1);
  pen.textAlign = "right";
  for (let place = frame.rows.start; place < frame.rows.end; place++) {
    const tokens = model.rowTokens(model.rowAt(place));
    if (tokens === undefined) continue;
    const strong = place === looked;
    const quiet = tokens.start >= store.firstTarget.value || store.tokens.value[tokens.start]?.role === "special";
    pen.font = fontOf(frame.font, size, strong ? 600 : 400);
    pen.fillStyle = quiet && !strong ? frame.muted : frame.ink;
    pen.globalAlpha = store.hiddenRows.value?.[tokens.start] ? 0.45 : 1;
    pen.fillText(shorten(nameOf(store, tokens), labelRoom, measure), grid.left - 6, yOf(frame, place) + middle);
  }
}

function colNames(frame: Frame, model: Model, store: Store, { outlined }: Marks): void {
  const { pen, grid } = frame;
  const middle = (grid.cell - gapOf(grid)) / 2;
  const measure = (text: string) => pen.measureText(text).width;
  const size = Math.min(SIZE, grid.cell - 1);
  pen.textAlign = "left";
  for (let col = frame.cols.start; col < frame.cols.end; col++) {
    const tokens = model.colTokens(col);
    if (tokens === undefined) continue;
    const strong = outlined.some(({ start, end }) => col >= start && col < end);
    const name = shorten(nameOf(store, tokens), labelRoom, measure);
    pen.font = fontOf(frame.font, size, strong ? 600 : 400);
    pen.fillStyle = strong ? frame.accent : frame.ink;
    pen.save();
    pen.translate(xOf(frame, col) + middle, grid.top - 8);
    pen.rotate(-LEAN);
    pen.fillText(col === model.sortedBy.value ? `▾ ${name}` : name, 0, 0);
    pen.restore();
  }
}

/** Bars as long as a sum is beside the largest, drawn by `put` from where along the axis, how thick and how long. */
function bars(
  { pen, grid }: Frame,
  { start, end }: Span,
  sums: { of: (i: number) => number; largest: number; looked: number | null; room: number },
  put: (i: number, aside: number, thick: number, long: number) => void,
): void {
  const thick = Math.min(BAR, grid.cell - gapOf(grid));
  for (let i = start; i < end; i++) {
    const sum = sums.of(i);
    if (!(sum > 0)) continue;
    pen.globalAlpha = i === sums.looked ? 1 : 0.4;
    put(i, (grid.cell - gapOf(grid) - thick) / 2, thick, Math.min(1, sum / sums.largest) * (sums.room - APART));
  }
}

/** Draws all that is not a cell: names where there is room for them, and sums. */
export function drawAround(frame: Frame, model: Model, store: Store, marks: Marks): void {
  const { pen, grid, edges, view, rows, cols } = frame;
  const { value: totals } = model.totals;
  pen.textBaseline = "middle";
  if (grid.legible) {
    within(frame, 0, grid.top - 2, grid.left, edges.y, () => rowNames(frame, model, store, marks.row));
    within(frame, grid.left - 2, 0, view.width, grid.top - 2, () => colNames(frame, model, store, marks));
  }
  pen.fillStyle = frame.muted;
  const ofRow = (place: number) => totals.rows[model.rowAt(place)] as number;
  within(frame, edges.x, grid.top, view.width, edges.y, () =>
    bars(
      frame,
      rows,
      { of: ofRow, largest: totals.largestRow, looked: marks.row, room: SUMS.width },
      (i, aside, thick, long) => pen.fillRect(edges.x + APART, yOf(frame, i) + aside, long, thick),
    ),
  );
  const ofCol = (col: number) => totals.cols[col] as number;
  within(frame, grid.left, edges.y, edges.x, view.height, () =>
    bars(
      frame,
      cols,
      { of: ofCol, largest: totals.largestCol, looked: marks.col, room: SUMS.height },
      (i, aside, thick, long) => pen.fillRect(xOf(frame, i) + aside, edges.y + APART, thick, long),
    ),
  );
}
