/** Layout as pure arithmetic over numbers; imports nothing, touches no page. */

export type Span = { start: number; end: number };

/** Returns the items [start, end) of `count`, each `size` long, that are at least partly in the viewport. */
export function windowOf(scroll: number, viewport: number, size: number, count: number): Span {
  const start = Math.min(count, Math.max(0, Math.floor(scroll / size)));
  const end = Math.min(count, Math.max(start, Math.ceil((scroll + viewport) / size)));
  return { start, end };
}

/** Returns the smallest i in [0, n] with `holds(i)`, which must be false up to some point and true from there on. */
export function firstWhere(n: number, holds: (i: number) => boolean): number {
  let [low, high] = [0, n];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** Returns the scroll offset nearest to `scroll` that shows item `index` completely. */
export function reveal(index: number, size: number, scroll: number, viewport: number): number {
  if (index * size < scroll) return index * size;
  return Math.max(scroll, Math.min(index * size, (index + 1) * size - viewport));
}

/** The longest beginning of `text` that fits, with an ellipsis where something is cut: after a word, where one fits. */
export function shorten(text: string, width: number, measure: (text: string) => number): string {
  if (measure(text) <= width) return text;
  const chars = Array.from(text);
  const n = firstWhere(chars.length, (k) => measure(`${chars.slice(0, k + 1).join("")}…`) > width);
  const [cut, next] = [chars.slice(0, n).join(""), chars[n]];
  return `${next !== " " && cut.lastIndexOf(" ") > 0 ? cut.slice(0, cut.lastIndexOf(" ")) : cut}…`;
}

/**
 * The matrix: row labels on the left, slanted column labels above, sums on the right and below. `legible`: whether
 * cells are large enough for labels. In CSS pixels.
 */
export type Grid = {
  left: number;
  top: number;
  right: number;
  bottom: number;
  cell: number;
  legible: boolean;
  nRows: number;
  nCols: number;
};
/** The viewport of a grid: its scroll offset and its size. Labels and sums do not scroll away. */
export type Sight = { left: number; top: number; width: number; height: number };
export type Point = { x: number; y: number };
/** A place in a grid: a cell; beside the cells a row (`col` null) or a column (`row` null); or neither. */
export type Place = { row: number | null; col: number | null };

export const CELL = 20;
export const LEAN = (52 * Math.PI) / 180;
/** The size of the sums' bars, right of the cells and below them. */
export const SUMS = { width: 40, height: 22 };
const SMALLEST = 3;
const LARGEST = 40;
const LEGIBLE = 10;
/** The largest length of a name. */
export const LABEL_MAX = 120;
const GUTTER = 8;

/** Returns the grid. Labels have the width of the longest, up to a limit; a slanted one needs its sine in height. */
export function gridOf(nRows: number, nCols: number, rowLabel: number, colLabel: number, cell = CELL): Grid {
  const legible = cell >= LEGIBLE;
  const lean = legible ? Math.min(LABEL_MAX, colLabel) : 0;
  return {
    left: (legible ? Math.ceil(Math.min(LABEL_MAX, rowLabel)) : 0) + GUTTER,
    top: Math.ceil(lean * Math.sin(LEAN)) + 2 * GUTTER,
    right: Math.max(SUMS.width, Math.ceil(lean * Math.cos(LEAN)) + GUTTER),
    bottom: SUMS.height,
    cell,
    legible,
    nRows,
    nCols,
  };
}

export function extentOf({ left, top, right, bottom, cell, nRows, nCols }: Grid): { width: number; height: number } {
  return { width: left + nCols * cell + right, height: top + nRows * cell + bottom };
}

/** Returns the right and lower end of the cells in the viewport: the last cell, or the sums. */
export function edgesOf({ left, top, cell, nRows, nCols }: Grid, view: Sight): Point {
  return {
    x: Math.min(left + nCols * cell - view.left, view.width - SUMS.width),
    y: Math.min(top + nRows * cell - view.top, view.height - SUMS.height),
  };
}

/** Returns the rows and columns that are at least partly in the viewport. */
export function cellsInSight(grid: Grid, view: Sight): { rows: Span; cols: Span } {
  const edges = edgesOf(grid, view);
  return {
    rows: windowOf(view.top, edges.y - grid.top, grid.cell, grid.nRows),
    cols: windowOf(view.left, edges.x - grid.left, grid.cell, grid.nCols),
  };
}

/**
 * Returns the place under a point of the viewport. A point beside the cells is the visible row or column there.
 */
export function placeAt(grid: Grid, { x, y }: Point, view: Sight): Place {
  const edges = edgesOf(grid, view);
  const lean = grid.legible ? Math.max(0, grid.top - GUTTER - y) / Math.tan(LEAN) : 0;
  const at = (place: number, start: number, end: number, scroll: number) =>
    place >= start && place < end ? Math.floor((place - start + scroll) / grid.cell) : null;
  return {
    row: at(y, grid.top, edges.y, view.top),
    col: at(x - lean, grid.left, edges.x, view.left),
  };
}

/** Limits the size of cells: they must be large enough to see and small enough to compare. */
export function sizeWithin(cell: number): number {
  return Math.min(LARGEST, Math.max(SMALLEST, cell));
}

/** Returns the largest cell size with which the whole grid is visible, or the smallest size. */
export function fitting(gridWith: (cell: number) => Grid, room: { width: number; height: number }): number {
  const fits = (cell: number) => {
    const { width, height } = extentOf(gridWith(cell));
    return width <= room.width && height <= room.height;
  };
  return LARGEST - firstWhere(LARGEST - SMALLEST, (less) => fits(LARGEST - less));
}

/** Returns the scroll offset that keeps the cell under a point there when the cells change their size. */
export function rescaled(from: Grid, to: Grid, { x, y }: Point, view: Sight): { left: number; top: number } {
  const along = (at: number, before: number, after: number, scroll: number) =>
    ((Math.max(0, at - before) + scroll) * to.cell) / from.cell - Math.max(0, at - after);
  return { left: along(x, from.left, to.left, view.left), top: along(y, from.top, to.top, view.top) };
}

/** The placement of a panel beside an anchor: `gap` px from it, and `edge` px from the edge of the window. */
export type Stand = { side: "top" | "bottom"; align: "start" | "center" | "end"; gap: number; edge: number };

/**
 * Returns the position of a panel: on the preferred side, unless only the other has room; if neither has, where more of
 * it is visible. It is shifted along the anchor to stay in the window.
 */
export function beside(
  anchor: { left: number; right: number; top: number; bottom: number },
  size: { width: number; height: number },
  window: { width: number; height: number },
  { side, align, gap, edge }: Stand,
): { left: number; top: number; maxHeight: number } {
  const room = { top: anchor.top - gap - edge, bottom: window.height - anchor.bottom - gap - edge };
  const other = side === "top" ? "bottom" : "top";
  const own = room[side] >= Math.min(size.height, room[other]) ? side : other;
  const flush = {
    start: anchor.left,
    center: (anchor.left + anchor.right - size.width) / 2,
    end: anchor.right - size.width,
  };
  const maxHeight = Math.max(0, room[own]);
  return {
    left: Math.max(edge, Math.min(flush[align], window.width - edge - size.width)),
    top: own === "bottom" ? anchor.bottom + gap : anchor.top - gap - Math.min(size.height, maxHeight),
    maxHeight,
  };
}
