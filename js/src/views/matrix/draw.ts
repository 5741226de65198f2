/** Draws the visible cells of a matrix, and lines around those under the mouse, pinned or chosen. */

import { STEPS } from "../../color";
import type { Grid, Point, Sight, Span } from "../../layout";
import type { Marks, Model } from "./model";

/** The input of one frame. `rows`: places, which differ from rows if the rows are sorted. */
export type Frame = {
  pen: CanvasRenderingContext2D;
  grid: Grid;
  view: Sight;
  edges: Point;
  rows: Span;
  cols: Span;
  ink: string;
  muted: string;
  accent: string;
  faint: string;
  font: string;
};

const ROUND = 3;
const FINE = 9; // px: smaller cells have no gap, and are drawn as one image

export const xOf = ({ grid, view }: Frame, col: number) => grid.left + col * grid.cell - view.left;
export const yOf = ({ grid, view }: Frame, place: number) => grid.top + place * grid.cell - view.top;
/** Returns the size of a cell without its gap. */
export const sizeOf = ({ cell }: Grid) => (cell < FINE ? cell : cell - 1.5);

/** Draws with a rectangular clip. */
export function within({ pen }: Frame, x: number, y: number, right: number, bottom: number, draw: () => void): void {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, right - x, bottom - y);
  pen.clip();
  draw();
  pen.restore();
}

/** Calls `put` for each visible cell with a score, with its step of the ramp. */
function eachCell({ rows, cols }: Frame, model: Model, put: (place: number, col: number, step: number) => void): void {
  const order = model.order.value?.rows;
  for (let col = cols.start; col < cols.end; col++) {
    const scores = model.scoresAt(col);
    if (scores === null) continue;
    const depth = model.depths.value[col] as number;
    const [scale, floor] = [model.scaleAt(scores), model.floorAt(col)];
    for (let place = rows.start; place < rows.end; place++) {
      const row = order === undefined ? place : (order[place] as number);
      const score = scores[row] as number;
      const step = Math.abs(score) < floor ? 0 : Math.round(STEPS * scale(score));
      if (row < depth && !Number.isNaN(score)) put(place, col, STEPS + step);
    }
  }
}

function drawBoxes(frame: Frame, model: Model): void {
  const { pen, grid } = frame;
  const size = sizeOf(grid);
  const { value: colours } = model.colours;
  eachCell(frame, model, (place, col, step) => {
    pen.fillStyle = colours[step] as string;
    pen.beginPath();
    pen.roundRect(xOf(frame, col), yOf(frame, place), size, size, ROUND);
    pen.fill();
  });
}

/** Draws small cells as pixels of one enlarged image, which is fast for a hundred thousand cells. */
function drawPixels(frame: Frame, model: Model, small: HTMLCanvasElement): void {
  const { pen, grid, rows, cols } = frame;
  const [width, height] = [cols.end - cols.start, rows.end - rows.start];
  const brush = small.getContext("2d");
  if (brush === null || !(width > 0 && height > 0)) return;
  [small.width, small.height] = [width, height];
  const image = brush.createImageData(width, height);
  const bytes = new Uint32Array(image.data.buffer);
  const { value: pixels } = model.pixels;
  eachCell(frame, model, (place, col, step) => {
    bytes[(place - rows.start) * width + col - cols.start] = pixels[step] as number;
  });
  brush.putImageData(image, 0, 0);
  pen.imageSmoothingEnabled = false;
  pen.drawImage(small, xOf(frame, cols.start), yOf(frame, rows.start), width * grid.cell, height * grid.cell);
}

/** Draws a dot in each cell of columns that have not arrived. */
function drawMissing(frame: Frame, model: Model): void {
  const { pen, grid, rows, cols } = frame;
  const middle = sizeOf(grid) / 2;
  pen.strokeStyle = frame.faint;
  pen.lineWidth = Math.min(4, grid.cell / 3);
  pen.lineCap = "round";
  pen.setLineDash([0, grid.cell]);
  pen.beginPath();
  for (let col = cols.start; col < cols.end; col++) {
    if (model.scoresAt(col) !== null) continue;
    const end = model.order.value === null ? Math.min(rows.end, model.depths.value[col] as number) : rows.end;
    pen.moveTo(xOf(frame, col) + middle, yOf(frame, rows.start) + middle);
    pen.lineTo(xOf(frame, col) + middle, yOf(frame, end) - middle);
  }
  pen.stroke();
  pen.setLineDash([]);
}

/** Draws a ring around a block of cells. */
function ring(frame: Frame, rows: Span, cols: Span, width: number, colour = frame.accent): void {
  const { pen, grid } = frame;
  const out = (3 - grid.cell + sizeOf(grid)) / 2; // in the middle of the gap, if there is one
  pen.strokeStyle = colour;
  pen.lineWidth = width;
  pen.beginPath();
  pen.roundRect(
    xOf(frame, cols.start) - 1.5,
    yOf(frame, rows.start) - 1.5,
    (cols.end - cols.start) * grid.cell + 2 * out,
    (rows.end - rows.start) * grid.cell + 2 * out,
    ROUND,
  );
  pen.stroke();
}

/** Draws the cells. `small`: a canvas for the image of small cells. */
export function drawCells(frame: Frame, model: Model, small: HTMLCanvasElement): void {
  if (frame.grid.cell < FINE) drawPixels(frame, model, small);
  else drawBoxes(frame, model);
  drawMissing(frame, model);
}

/** Draws the lines around previewed, pinned and chosen cells. */
export function drawMarks(frame: Frame, model: Model, marks: Marks): void {
  const { pen, grid } = frame;
  const [all, inOrder] = [{ start: 0, end: grid.nCols }, model.order.value === null];
  if (marks.border > 0 && marks.border < grid.nRows && inOrder) {
    pen.fillStyle = frame.muted;
    pen.fillRect(grid.left - 2, yOf(frame, marks.border) - 1.5, grid.nCols * grid.cell + 2, 1);
  }
  for (const cols of marks.outlined)
    ring(frame, { start: 0, end: inOrder ? (model.depths.value[cols.end - 1] ?? 0) : grid.nRows }, cols, 1.5);
  // In sorted rows the chosen ones are not neighbours, so only their names are marked.
  if (marks.inputs !== null && inOrder) ring(frame, marks.inputs, all, 1.5);
  if (marks.row === null) return;
  const row = { start: marks.row, end: marks.row + 1 };
  ring(frame, row, all, 0.75);
  if (marks.col !== null && model.rowAt(marks.row) < (model.depths.value[marks.col] ?? 0))
    ring(frame, row, { start: marks.col, end: marks.col + 1 }, 2, frame.ink);
}
