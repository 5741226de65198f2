/** Where things go. Pure arithmetic over numbers; imports nothing, touches no page. */

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

/** The longest beginning of `text` that fits, with an ellipsis where something is cut. Never cuts a surrogate pair. */
export function shorten(text: string, width: number, measure: (text: string) => number): string {
  if (measure(text) <= width) return text;
  const chars = Array.from(text);
  const n = firstWhere(chars.length, (k) => measure(`${chars.slice(0, k + 1).join("")}…`) > width);
  return `${chars.slice(0, n).join("")}…`;
}

/** The matrix: row labels on the left, column labels leaning to the right above it. All in CSS pixels. */
export type Grid = { left: number; top: number; right: number; cell: number; nRows: number; nCols: number };

export const CELL = 20;
export const LEAN = (52 * Math.PI) / 180;
const LABEL_MAX = 120;
const GUTTER = 8;

/** Label widths are those of the longest label, up to a limit; a leaning label is as high as its sine and sticks out by its cosine. */
export function gridOf(nRows: number, nCols: number, rowLabel: number, colLabel: number): Grid {
  const lean = Math.min(LABEL_MAX, colLabel);
  return {
    left: Math.ceil(Math.min(LABEL_MAX, rowLabel)) + GUTTER,
    top: Math.ceil(lean * Math.sin(LEAN)) + 2 * GUTTER,
    right: Math.ceil(lean * Math.cos(LEAN)) + GUTTER,
    cell: CELL,
    nRows,
    nCols,
  };
}

export const labelRoom = LABEL_MAX;

/** The cell under a point, given in the coordinates of the viewport, or null beside the cells. */
export function cellAt(
  grid: Grid,
  point: { x: number; y: number },
  scroll: { left: number; top: number },
): { row: number; col: number } | null {
  const x = point.x - grid.left;
  const y = point.y - grid.top;
  if (x < 0 || y < 0) return null; // over the labels, which do not scroll away
  const row = Math.floor((y + scroll.top) / grid.cell);
  const col = Math.floor((x + scroll.left) / grid.cell);
  return row < grid.nRows && col < grid.nCols ? { row, col } : null;
}
