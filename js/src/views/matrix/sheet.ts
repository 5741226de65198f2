/** The sheet of a matrix: cell size, scroll offset and layout. Draws at most once a frame. */

import {
  CELL,
  cellsInSight,
  edgesOf,
  extentOf,
  fitting,
  type Grid,
  gridOf,
  type Place,
  type Point,
  placeAt,
  rescaled,
  reveal,
  type Sight,
  type Span,
  SUMS,
  sizeWithin,
} from "../../layout";
import type { ViewContext } from "../context";
import { coalesced, h, observed, watch } from "../dom";
import { nameOf } from "../words";
import { drawCells, drawMarks, within } from "./draw";
import { drawAround, fontOf } from "./labels";
import type { Model } from "./model";

const MEASURED = 500; // longest names of rows, and of columns, whose width is measured

export type Sheet = ReturnType<typeof createSheet>;

export function createSheet({ store, signal, ramp }: ViewContext, root: HTMLElement, model: Model) {
  const canvas = h("canvas", { className: "sw-matrix-canvas", ariaHidden: "true" });
  const room = h("div", { className: "sw-matrix-room" }, canvas);
  const scroller = h("div", { className: "sw-matrix-scroll", tabIndex: 0, role: "application" }, room);
  const pen = canvas.getContext("2d");
  const cells = h("canvas"); // everything except the marks, which the mouse moves
  const small = h("canvas");
  let fresh = false; // whether `cells` is up to date
  let grid: Grid = gridOf(0, 0, 0, 0);
  let size = CELL; // the reader's choice; drawn cells have whole pixels
  let mouse: Point = { x: 0, y: 0 };
  let arrived = false;
  let widths: readonly [number, number] = [0, 0];
  let inks = { ink: "", muted: "", accent: "", faint: "", font: "" };

  function view(): Sight {
    const { scrollLeft: left, scrollTop: top, clientWidth: width, clientHeight: height } = scroller;
    return { left, top, width, height };
  }

  /** Returns the width of the widest of the longest names: measuring all would take longer than drawing. */
  function widest(spans: readonly Span[], n: number): number {
    const lengthOf = ({ start, end }: Span) =>
      store.tokens.value.slice(start, end).reduce((sum, { text }) => sum + text.length, 0);
    const longest = spans.slice(0, n).map((span) => ({ span, length: lengthOf(span) }));
    longest.sort((a, b) => b.length - a.length);
    const widthOf = ({ span }: { span: Span }) => pen?.measureText(nameOf(store, span)).width ?? 0;
    return Math.max(0, ...longest.slice(0, MEASURED).map(widthOf));
  }

  function gridWith(cell: number): Grid {
    return gridOf(model.nRows.value, model.cols.value.length, ...widths, cell);
  }

  /** Updates the layout to the current names and colours. */
  function plan(): void {
    const style = getComputedStyle(root);
    const of = (name: string) => style.getPropertyValue(`--sw-${name}`);
    inks = { ink: of("fg"), muted: of("muted"), accent: of("accent"), faint: of("faint"), font: style.fontFamily };
    if (pen !== null) pen.font = fontOf(inks.font);
    const targets = model.cols.value.map((_, col) => model.colTokens(col) as Span);
    widths = [widest(store.units.value.spans, model.nRows.value), widest(targets, targets.length)];
    resize();
  }

  function resize(): void {
    grid = gridWith(Math.round(size));
    const { width, height } = extentOf(grid);
    room.style.width = `${width}px`;
    room.style.height = `${height}px`;
    redrawAll();
  }

  /** Changes the cell size; the cell under the mouse stays there. */
  function zoom(next: number): void {
    const [before, seen] = [grid, view()];
    size = sizeWithin(next);
    resize();
    const { left, top } = rescaled(before, grid, mouse, seen);
    [scroller.scrollLeft, scroller.scrollTop] = [left, top];
  }

  /** Returns the largest size of the sheet on the page. */
  function most(): { width: number; height: number } {
    const { paddingLeft, paddingRight } = getComputedStyle(root);
    return {
      width: root.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight),
      height: Number.parseFloat(getComputedStyle(scroller).maxHeight),
    };
  }

  function draw(): void {
    if (!root.isConnected) return;
    const isLeft = model.addUp();
    if (isLeft) redraw();
    const brush = cells.getContext("2d");
    const seen = view();
    const { width, height } = seen;
    const ratio = devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (pen === null || brush === null || wide * high === 0) return; // hidden, e.g. while the host changes its theme
    if (canvas.width !== wide || canvas.height !== high) {
      [canvas.width, canvas.height] = [wide, high];
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
      [cells.width, cells.height] = [wide, high];
      fresh = false;
    }
    for (const each of [pen, brush]) each.setTransform(ratio, 0, 0, ratio, 0, 0);
    const edges = edgesOf(grid, seen);
    const frame = { pen, grid, view: seen, edges, ...cellsInSight(grid, seen), ...inks };
    const { value: marks } = model.marks;
    if (!fresh) {
      brush.clearRect(0, 0, width, height);
      drawCells({ ...frame, pen: brush }, model, small);
      fresh = !isLeft; // columns that are not summed yet may change the scale
    }
    pen.clearRect(0, 0, width, height);
    within(frame, grid.left - 2, grid.top - 2, edges.x + 2, edges.y + 2, () => {
      pen.drawImage(cells, 0, 0, width, height);
      drawMarks(frame, model, marks);
    });
    drawAround(frame, model, store, marks);
  }
  const redraw = coalesced(signal, draw);
  function redrawAll(): void {
    fresh = false;
    redraw();
  }

  function show({ row, col }: Place): void {
    const { clientWidth, clientHeight } = scroller;
    if (col !== null)
      scroller.scrollLeft = reveal(col, grid.cell, scroller.scrollLeft, clientWidth - grid.left - SUMS.width);
    if (row !== null)
      scroller.scrollTop = reveal(row, grid.cell, scroller.scrollTop, clientHeight - grid.top - SUMS.height);
  }

  /** Returns the rectangle of a place in the window; for a row or a column its end at the sums. */
  function boxOf({ row, col }: Place): DOMRect {
    const { left, top } = scroller.getBoundingClientRect();
    const seen = view();
    const edges = edgesOf(grid, seen);
    return new DOMRect(
      left + (col === null ? edges.x : grid.left + col * grid.cell - seen.left),
      top + (row === null ? edges.y : grid.top + row * grid.cell - seen.top),
      grid.cell,
      grid.cell,
    );
  }

  function placeUnder({ clientX, clientY }: MouseEvent): Place {
    const { left, top } = scroller.getBoundingClientRect();
    mouse = { x: clientX - left, y: clientY - top };
    return placeAt(grid, mouse, view());
  }

  watch(signal, () => {
    void [store.tokens.value, model.nRows.value, model.cols.value, store.units.value, ramp.value];
    plan();
  });
  watch(signal, () => {
    void [store.map.value?.done.value, model.totals.value, model.scales.value, model.colours.value, model.order.value];
    redrawAll();
  });
  watch(signal, () => {
    void model.marks.value;
    redraw();
  });
  scroller.addEventListener("scroll", redrawAll, { signal, passive: true });
  observed(
    signal,
    scroller,
    new ResizeObserver(() => {
      plan(); // fonts are known only now that it is on the page
      if (arrived || scroller.clientWidth === 0 || grid.nCols === 0) return;
      arrived = true; // of many the column on show, and what mattered most for it, may lie out of sight
      const [most] = store.top.value;
      show({ row: most === undefined ? null : model.placeOf(most), col: model.marks.value.col });
    }),
  );

  return {
    scroller,
    room,
    zoom,
    /** Multiplies the cell size. */
    scale: (by: number) => zoom(size * by),
    /** Chooses the cell size at which the whole matrix is visible. */
    fit: () => zoom(fitting(gridWith, most())),
    boxOf,
    placeUnder,
    show,
  };
}
