/** Layout as pure arithmetic over numbers; imports nothing, touches no page. */

export type Span = { start: number; end: number };

/** The items [start, end) of `count`, each `size` long, of which at least a sliver lies within the viewport. */
export function windowOf(scroll: number, viewport: number, size: number, count: number): Span {
  const start = Math.min(count, Math.max(0, Math.floor(scroll / size)));
  const end = Math.min(count, Math.max(start, Math.ceil((scroll + viewport) / size)));
  return { start, end };
}

/** The smallest i in [0, n] with `holds(i)`, where holds is false up to some point and true from there on. */
export function firstWhere(n: number, holds: (i: number) => boolean): number {
  let [low, high] = [0, n];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (holds(middle)) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** The scroll offset nearest to `scroll` that shows item `index` whole. */
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
 * The matrix: row labels on the left, column labels leaning to the right above it, sums on the right and below; only where
 * cells are large enough are the labels `legible`. All in CSS pixels.
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
/** The window that a grid is seen through: how far it is scrolled, and its size. Labels and sums do not scroll away. */
export type View = { left: number; top: number; width: number; height: number };
export type Point = { x: number; y: number };
/** A place in a grid: a cell; beside the cells a row (`col` null) or a column (`row` null); or neither. */
export type Place = { row: number | null; col: number | null };

export const CELL = 20;
export const LEAN = (52 * Math.PI) / 180;
/** Room for the bars of the sums, right of the cells and below them. */
export const SUMS = { width: 40, height: 22 };
const SMALLEST = 3;
const LARGEST = 40;
const LEGIBLE = 10;
/** Room for a name, along its letters. */
export const LABEL_MAX = 120;
const GUTTER = 8;

/** Label widths are those of the longest label, up to a limit; a leaning label is as high as its sine and sticks out by its cosine. */
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

/** Where the cells end in the window, on the right and below: at the last of them, or at the sums. */
export function edgesOf({ left, top, cell, nRows, nCols }: Grid, view: View): Point {
  return {
    x: Math.min(left + nCols * cell - view.left, view.width - SUMS.width),
    y: Math.min(top + nRows * cell - view.top, view.height - SUMS.height),
  };
}

/** The rows and columns of which at least a sliver lies in the window. */
export function cellsInSight(grid: Grid, view: View): { rows: Span; cols: Span } {
  const edges = edgesOf(grid, view);
  return {
    rows: windowOf(view.top, edges.y - grid.top, grid.cell, grid.nRows),
    cols: windowOf(view.left, edges.x - grid.left, grid.cell, grid.nCols),
  };
}

/**
 * The place under a point of the window. A point beside the cells means the row, or the column, that is in sight there.
 */
export function placeAt(grid: Grid, { x, y }: Point, view: View): Place {
  const edges = edgesOf(grid, view);
  const lean = grid.legible ? Math.max(0, grid.top - GUTTER - y) / Math.tan(LEAN) : 0;
  const at = (place: number, start: number, end: number, scroll: number) =>
    place >= start && place < end ? Math.floor((place - start + scroll) / grid.cell) : null;
  return {
    row: at(y, grid.top, edges.y, view.top),
    col: at(x - lean, grid.left, edges.x, view.left),
  };
}

/** A size of cells within what can still be told apart, and still be compared. */
export function sizeWithin(cell: number): number {
  return Math.min(LARGEST, Math.max(SMALLEST, cell));
}

/** The largest cells with which a whole grid is in sight, or the smallest there are. */
export function fitting(gridWith: (cell: number) => Grid, room: { width: number; height: number }): number {
  const fits = (cell: number) => {
    const { width, height } = extentOf(gridWith(cell));
    return width <= room.width && height <= room.height;
  };
  return LARGEST - firstWhere(LARGEST - SMALLEST, (less) => fits(LARGEST - less));
}

/** How far to scroll so that what lies under a point stays there when the cells take another size. */
export function rescaled(from: Grid, to: Grid, { x, y }: Point, view: View): { left: number; top: number } {
  const along = (at: number, before: number, after: number, scroll: number) =>
    ((Math.max(0, at - before) + scroll) * to.cell) / from.cell - Math.max(0, at - after);
  return { left: along(x, from.left, to.left, view.left), top: along(y, from.top, to.top, view.top) };
}

/** How something stands beside an anchor: `gap` px from it, and `edge` px from the edge of the window. */
export type Stand = { side: "top" | "bottom"; align: "start" | "center" | "end"; gap: number; edge: number };

/**
 * Where it stands: on the side that is wanted, unless only the other has the room; of two that have not, where more of it
 * is seen. It moves along the anchor rather than out of the window.
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
