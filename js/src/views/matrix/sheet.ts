/** The sheet that a matrix is drawn on: how large its cells are, what of it is in sight, what lies where. Draws once a frame. */

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
  type Span,
  SUMS,
  sizeWithin,
  type View,
} from "../../layout";
import type { ViewContext } from "../context";
import { coalesced, h, observed, watch } from "../dom";
import { nameOf } from "../tips";
import { cellPainter, type Marks } from "./draw";
import { drawAround, fontOf } from "./labels";
import type { Model } from "./model";

export type Sheet = ReturnType<typeof createSheet>;

export function createSheet({ store, signal, ramp }: ViewContext, root: HTMLElement, model: Model) {
  const canvas = h("canvas", { className: "sw-matrix-canvas", ariaHidden: "true" });
  const room = h("div", { className: "sw-matrix-room" }, canvas);
  const scroller = h("div", { className: "sw-matrix-scroll", tabIndex: 0, role: "application" }, room);
  const pen = canvas.getContext("2d");
  const drawCells = cellPainter();
  let grid: Grid = gridOf(0, 0, 0, 0);
  let size = CELL; // the reader's wish; cells are whole pixels
  let widths: readonly [number, number] = [0, 0];
  let inks = { ink: "", muted: "", accent: "", faint: "", font: "" };

  function view(): View {
    const { scrollLeft: left, scrollTop: top, clientWidth: width, clientHeight: height } = scroller;
    return { left, top, width, height };
  }

  /** The widest name, judged by the length of its text: measuring ten thousand would take longer than drawing. */
  function widest(spans: readonly Span[], n: number): number {
    let [longest, length] = [spans[0], 0];
    for (let i = 0; i < n; i++) {
      const { start, end } = spans[i] as Span;
      let own = 0;
      for (let token = start; token < end; token++) {
        const text = store.tokens.value[token]?.text ?? "";
        own += text.length * (/[\u2e80-\uffef]/u.test(text) ? 2 : 1);
      }
      if (own > length) [longest, length] = [spans[i], own];
    }
    return longest === undefined ? 0 : (pen?.measureText(nameOf(store, longest)).width ?? 0);
  }

  function gridWith(cell: number): Grid {
    return gridOf(model.nRows.value, model.cols.value.length, ...widths, cell);
  }

  /** Takes the names and colours as they are now. */
  function plan(): void {
    const style = getComputedStyle(root);
    const [ink = "", muted = "", accent = "", faint = ""] = ["--sw-fg", "--sw-muted", "--sw-accent", "--sw-faint"].map(
      (name) => style.getPropertyValue(name),
    );
    inks = { ink, muted, accent, faint, font: style.fontFamily };
    if (pen !== null) pen.font = fontOf(inks.font, undefined, 600);
    const targets = model.cols.value.map((_, col) => model.colTokens(col) as Span);
    widths = [widest(store.units.value.spans, model.nRows.value), widest(targets, targets.length)];
    resize();
  }

  function resize(): void {
    grid = gridWith(Math.round(size));
    const { width, height } = extentOf(grid);
    room.style.width = `${width}px`;
    room.style.height = `${height}px`;
    redraw();
  }

  /** Cells of another size; what lies at a point of the window stays there. */
  function zoom(next: number, at: Point = middle()): void {
    const [before, seen] = [grid, view()];
    size = sizeWithin(next);
    resize();
    const { left, top } = rescaled(before, grid, at, seen);
    [scroller.scrollLeft, scroller.scrollTop] = [left, top];
  }

  function middle(): Point {
    const { width, height } = view();
    return { x: width / 2, y: height / 2 };
  }

  /** How much of the page a sheet may take. */
  function most(): { width: number; height: number } {
    const { paddingLeft, paddingRight } = getComputedStyle(root);
    return {
      width: root.clientWidth - Number.parseFloat(paddingLeft) - Number.parseFloat(paddingRight),
      height: Number.parseFloat(getComputedStyle(scroller).maxHeight),
    };
  }

  function marks(): Marks {
    const { row, col } = model.looked();
    const spans = [store.targetCols.value, store.pinnedCols.value].flatMap((targets): Span[] => {
      const [start, last] = [model.colAt(targets?.start ?? null), model.colAt((targets?.end ?? 0) - 1)];
      return start === null || last === null ? [] : [{ start, end: last + 1 }];
    });
    const sorted = model.order.value !== null;
    const { value: border } = store.targetStart;
    const edge = border === null ? 0 : (store.units.value.of[border] ?? 0);
    return {
      outlined: spans,
      inputs: inputs(sorted),
      row: row === null || row >= grid.nRows ? null : model.placeOf(row),
      col: col ?? spans[0]?.start ?? null,
      border: sorted || edge === 0 || edge >= grid.nRows ? null : edge,
    };
  }

  function inputs(sorted: boolean): Span[] {
    const { value: turned } = store.inputs;
    if (turned === null) return [];
    const { of } = store.units.value;
    const [start, end] = [of[turned.start] ?? 0, (of[turned.end - 1] ?? -1) + 1];
    if (!sorted) return [{ start, end: Math.min(end, grid.nRows) }];
    return Array.from({ length: end - start }, (_, i) => model.placeOf(start + i)).map((at) => ({
      start: at,
      end: at + 1,
    }));
  }

  function draw(): void {
    if (!root.isConnected) return;
    if (model.addUp()) redraw();
    if (pen === null) return;
    const seen = view();
    const { width, height } = seen;
    const ratio = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const edges = edgesOf(grid, seen);
    const frame = { pen, grid, view: seen, edges, ...cellsInSight(grid, seen), ...inks };
    const lines = marks();
    pen.save();
    pen.beginPath();
    pen.rect(grid.left - 2, grid.top - 2, edges.x - grid.left + 4, edges.y - grid.top + 4);
    pen.clip();
    drawCells(frame, model, lines);
    pen.restore();
    drawAround(frame, model, store, lines);
  }
  const redraw = coalesced(signal, draw);

  let arrived = false;
  /** Of many columns the one on show may lie out of sight: scroll there, once. */
  function arrive(): void {
    if (arrived || scroller.clientWidth === 0 || grid.nCols === 0) return;
    arrived = true;
    showCol(model.colAt(store.target.value) ?? 0);
  }

  function showCol(col: number): void {
    scroller.scrollLeft = reveal(col, grid.cell, scroller.scrollLeft, scroller.clientWidth - grid.left - SUMS.width);
  }
  function showRow(place: number): void {
    scroller.scrollTop = reveal(place, grid.cell, scroller.scrollTop, scroller.clientHeight - grid.top - SUMS.height);
  }

  /** Where a place is in the window; of a row or a column, its end at the sums. */
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

  function pointOf({ clientX, clientY }: MouseEvent): Point {
    const { left, top } = scroller.getBoundingClientRect();
    return { x: clientX - left, y: clientY - top };
  }

  watch(signal, () => {
    void [store.tokens.value, model.nRows.value, model.cols.value, store.units.value, ramp.value];
    plan();
  });
  watch(signal, () => {
    void [store.map.value?.done.value, store.target.value, store.targetStart.value, store.hoverRow.value];
    void [store.pinnedCols.value, store.inputs.value, store.hidden.value, model.order.value, model.colours.value];
    void [store.measure.value, store.scale.value, store.threshold.value, store.pool.value, store.joint.value];
    redraw();
  });
  scroller.addEventListener("scroll", redraw, { signal, passive: true });
  observed(
    signal,
    scroller,
    new ResizeObserver(() => {
      plan(); // before it is on the page it has no font
      arrive();
    }),
  );

  return {
    scroller,
    room,
    zoom,
    /** So many times as large. */
    scale: (by: number, at?: Point) => zoom(size * by, at),
    /** The size at which all of it is in sight. */
    fit: () => zoom(fitting(gridWith, most())),
    boxOf,
    pointOf,
    placeUnder: (event: MouseEvent) => placeAt(grid, pointOf(event), view()),
    show: ({ row, col }: Place) => {
      if (row !== null) showRow(row);
      if (col !== null) showCol(col);
    },
  };
}
