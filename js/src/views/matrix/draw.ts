/** The cells of a matrix as one sees them, and the lines around what is looked at. Only what is in sight is drawn. */

import { STEPS } from "../../color";
import type { Grid, Point, Span, View } from "../../layout";
import type { Model } from "./model";

/** What one frame is drawn with. `rows` are places, not rows: the two differ where the rows are sorted. */
export type Frame = {
  pen: CanvasRenderingContext2D;
  grid: Grid;
  view: View;
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
const FINE = 9; // px: smaller cells are pixels that touch, drawn all at once

export const xOf = ({ grid, view }: Frame, col: number) => grid.left + col * grid.cell - view.left;
export const yOf = ({ grid, view }: Frame, place: number) => grid.top + place * grid.cell - view.top;
/** Between two cells. */
export const gapOf = ({ cell }: Grid) => (cell < FINE ? 0 : cell < 14 ? 1 : 1.5);

/** Draws within a rectangle. */
export function within({ pen }: Frame, x: number, y: number, right: number, bottom: number, draw: () => void): void {
  pen.save();
  pen.beginPath();
  pen.rect(x, y, right - x, bottom - y);
  pen.clip();
  draw();
  pen.restore();
}

/** Calls back for each cell in sight that has something to show, with its step of the ramp. */
function eachCell({ rows, cols }: Frame, model: Model, put: (place: number, col: number, step: number) => void): void {
  const order = model.order.value?.rows;
  for (let col = cols.start; col < cols.end; col++) {
    const scores = model.scoresAt(col);
    if (scores === null) continue;
    const depth = model.depths.value[col] as number;
    const scale = model.scaleAt(scores);
    for (let place = rows.start; place < rows.end; place++) {
      const row = order === undefined ? place : (order[place] as number);
      const score = scores[row] as number;
      if (row < depth && !Number.isNaN(score)) put(place, col, Math.round(STEPS * scale(score)));
    }
  }
}

function drawBoxes(frame: Frame, model: Model): void {
  const { pen, grid } = frame;
  const size = grid.cell - gapOf(grid);
  const { value: colours } = model.colours;
  eachCell(frame, model, (place, col, step) => {
    pen.fillStyle = colours[step + STEPS] as string;
    pen.beginPath();
    pen.roundRect(xOf(frame, col), yOf(frame, place), size, size, size < 12 ? 1 : ROUND);
    pen.fill();
  });
}

/** Cells as the pixels of an image that is then drawn larger: a hundred thousand of them in one go. */
function pixelPainter(): (frame: Frame, model: Model) => void {
  const small = document.createElement("canvas");
  const brush = small.getContext("2d");
  let image: ImageData | null = null;
  return (frame, model) => {
    const { pen, grid, rows, cols } = frame;
    const [width, height] = [cols.end - cols.start, rows.end - rows.start];
    if (brush === null || width <= 0 || height <= 0) return;
    if (image?.width !== width || image.height !== height) {
      [small.width, small.height] = [width, height];
      image = brush.createImageData(width, height);
    }
    const bytes = new Uint32Array(image.data.buffer).fill(0);
    const { value: pixels } = model.pixels;
    eachCell(frame, model, (place, col, step) => {
      bytes[(place - rows.start) * width + col - cols.start] = pixels[step + STEPS] as number;
    });
    brush.putImageData(image, 0, 0);
    pen.imageSmoothingEnabled = false;
    const { cell } = grid;
    pen.drawImage(small, xOf(frame, cols.start), yOf(frame, rows.start), width * cell, height * cell);
  };
}

/** Columns that are not here yet: a dot in each cell, or a line where cells are too small. */
function drawMissing(frame: Frame, model: Model): void {
  const { pen, grid, rows, cols } = frame;
  const middle = (grid.cell - gapOf(grid)) / 2;
  pen.fillStyle = frame.faint;
  for (let col = cols.start; col < cols.end; col++) {
    if (model.scoresAt(col) !== null) continue;
    const end = model.order.value === null ? Math.min(rows.end, model.depths.value[col] as number) : rows.end;
    const x = xOf(frame, col) + middle;
    if (grid.cell < FINE) pen.fillRect(x - 0.5, yOf(frame, rows.start), 1, (end - rows.start) * grid.cell);
    else
      for (let place = rows.start; place < end; place++) {
        pen.beginPath();
        pen.roundRect(x - 2, yOf(frame, place) + middle - 2, 4, 4, 2);
        pen.fill();
      }
  }
}

/** A ring around a block of cells. */
function ring(frame: Frame, rows: Span, cols: Span): void {
  const { pen, grid } = frame;
  const out = 1.5 - gapOf(grid) / 2;
  const [x, y] = [xOf(frame, cols.start) - 1.5, yOf(frame, rows.start) - 1.5];
  pen.beginPath();
  pen.roundRect(
    x,
    y,
    (cols.end - cols.start) * grid.cell + 2 * out,
    (rows.end - rows.start) * grid.cell + 2 * out,
    grid.cell < FINE ? 0 : ROUND + 1,
  );
  pen.stroke();
}

export type Marks = {
  /** Columns that are pinned, or shown: outlined each as a whole. */
  outlined: readonly Span[];
  /** Rows whose question is turned round, as runs of places. */
  inputs: readonly Span[];
  /** The place of the row that is looked at. */
  row: number | null;
  /** The column that is looked at, or else shown. */
  col: number | null;
  /** Where what was read ends and what was written begins. */
  border: number | null;
};

/** Draws the cells, and the marks on them. */
export function cellPainter(): (frame: Frame, model: Model, marks: Marks) => void {
  const drawPixels = pixelPainter();
  return (frame, model, marks) => {
    const { pen, grid } = frame;
    const all = { start: 0, end: grid.nRows };
    (grid.cell < FINE ? drawPixels : drawBoxes)(frame, model);
    if (marks.border !== null) {
      pen.fillStyle = frame.muted;
      pen.fillRect(grid.left - 2, yOf(frame, marks.border) - 1.5, grid.nCols * grid.cell + 2, 1);
    }
    drawMissing(frame, model);
    pen.lineWidth = 1.5;
    pen.strokeStyle = frame.accent;
    for (const cols of marks.outlined)
      ring(frame, model.order.value === null ? { start: 0, end: model.depths.value[cols.end - 1] ?? 0 } : all, cols);
    for (const rows of marks.inputs) ring(frame, rows, { start: 0, end: grid.nCols });
    if (marks.row === null) return;
    const row = { start: marks.row, end: marks.row + 1 };
    pen.lineWidth = 1;
    pen.globalAlpha = 0.6;
    ring(frame, row, { start: 0, end: grid.nCols });
    pen.globalAlpha = 1;
    if (marks.col === null || model.rowAt(marks.row) >= (model.depths.value[marks.col] ?? 0)) return;
    pen.strokeStyle = frame.ink;
    pen.lineWidth = grid.cell < FINE ? 1 : 2;
    const [x, y] = [xOf(frame, marks.col), yOf(frame, marks.row)];
    pen.strokeRect(x, y, grid.cell - gapOf(grid), grid.cell - gapOf(grid));
  };
}
