/**
 * All columns at once: a heat map on a canvas that is only as large as its window. It draws the cells and labels one can
 * see, once a frame, so that 10,000 × 400 is as quick as 10 × 4.
 */

import { stepOf, swatchOf } from "../color";
import { cellAt, type Grid, gridOf, LEAN, labelRoom, reveal, shorten, windowOf } from "../layout";
import { labelOf } from "../pieces";
import { shareOf, statsOf } from "../scores";
import type { Kind } from "../store";
import type { ViewContext } from "./context";
import { coalesced, h, observed, watch } from "./dom";
import { endPreview, nearest, onKeys, targetSteps } from "./input";
import { tokenTip } from "./tips";

const GAP = 1.5;
const ROUND = 3;
const RING = 2; // how far the ring around a column reaches beyond its cells
const FONT = "12px";

/** What the rows are, and the columns. */
const AXES: Record<Kind, readonly [string, string]> = {
  text: ["what the model read", "what it wrote"],
  pair: ["the source, and below the line what was written", "what was written"],
  classes: ["what the model read", "the classes"],
};

type Cell = { row: number; col: number };

export function matrixView(context: ViewContext): HTMLElement {
  const { store, signal, ramp, tooltip } = context;
  const canvas = h("canvas", { className: "sw-matrix-canvas", ariaHidden: "true" });
  const room = h("div", { className: "sw-matrix-room" }, canvas);
  const scroller = h("div", { className: "sw-matrix-scroll", tabIndex: 0, role: "application" }, room);
  scroller.setAttribute("aria-roledescription", "heat map");
  const hint = h("div", { className: "sw-matrix-hint" });
  const root = h("div", { className: "sw-matrix" }, scroller, hint);
  const pen = canvas.getContext("2d");
  const listen = { signal };
  let grid: Grid = gridOf(0, 0, 0, 0);
  let font = "sans-serif";
  let cursor: Cell | null = null;

  const tokenOf = (col: number) => store.firstTarget.value + col;
  const label = (token: number) => {
    const found = store.tokens.value[token];
    return found === undefined ? "" : labelOf(found);
  };
  const measure = (text: string) => pen?.measureText(text).width ?? 0;

  /** The widest label, judged by the length of its text: measuring ten thousand would take longer than drawing. */
  function widest(first: number, n: number): number {
    let [longest, length] = [first, 0];
    for (let i = first; i < first + n; i++) {
      const text = store.tokens.value[i]?.text ?? "";
      const own = text.length * (/[\u2e80-\uffef]/u.test(text) ? 2 : 1);
      if (own > length) [longest, length] = [i, own];
    }
    return measure(label(longest));
  }

  function plan(): void {
    const info = store.map.value?.info;
    font = getComputedStyle(root).fontFamily;
    if (pen !== null) pen.font = `600 ${FONT} ${font}`;
    const [nRows, nCols] = [info?.n_rows ?? 0, info?.n_cols ?? 0];
    grid = gridOf(nRows, nCols, widest(0, nRows), widest(store.firstTarget.value, nCols));
    room.style.width = `${grid.left + nCols * grid.cell + grid.right}px`;
    room.style.height = `${grid.top + nRows * grid.cell + RING}px`;
  }

  function draw(): void {
    if (pen === null || !root.isConnected) return;
    const { clientWidth: width, clientHeight: height, scrollLeft, scrollTop } = scroller;
    const ratio = devicePixelRatio || 1;
    if (canvas.width !== Math.round(width * ratio) || canvas.height !== Math.round(height * ratio)) {
      canvas.width = Math.round(width * ratio);
      canvas.height = Math.round(height * ratio);
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(root);
    const [ink, muted, accent, faint] = ["--sw-fg", "--sw-muted", "--sw-accent", "--sw-faint"].map((name) =>
      style.getPropertyValue(name),
    ) as [string, string, string, string];
    const rows = windowOf(scrollTop, height - grid.top, grid.cell, grid.nRows);
    const cols = windowOf(scrollLeft, width - grid.left, grid.cell, grid.nCols);
    const x = (col: number) => grid.left + col * grid.cell - scrollLeft;
    const y = (row: number) => grid.top + row * grid.cell - scrollTop;
    const size = grid.cell - GAP;
    const { value: target } = store.target;
    const { value: hovered } = store.hoverRow;

    pen.save();
    pen.beginPath();
    pen.rect(grid.left - 2, grid.top - 2, width, height);
    pen.clip();
    for (let col = cols.start; col < cols.end; col++) {
      const scores = store.column(col);
      const max = scores === null ? 0 : statsOf(scores).max;
      for (let row = rows.start; row < Math.min(rows.end, tokenOf(col)); row++) {
        if (scores !== null && Number.isNaN(scores[row])) continue;
        pen.fillStyle =
          max === 0 || scores === null ? faint : swatchOf(ramp.value, stepOf(shareOf(scores, row), max)).background;
        pen.beginPath();
        if (scores === null)
          pen.roundRect(x(col) + size / 2 - 2, y(row) + size / 2 - 2, 4, 4, 2); // a dot: not here yet
        else pen.roundRect(x(col), y(row), size, size, ROUND);
        pen.fill();
      }
    }
    const { value: edge } = store.targetStart;
    if (edge !== null && edge > 0 && edge < grid.nRows) {
      pen.fillStyle = muted;
      pen.fillRect(grid.left - 2, y(edge) - GAP, grid.nCols * grid.cell + 2, 1);
    }
    pen.lineWidth = 1.5;
    pen.strokeStyle = accent;
    if (target !== null && target < grid.nCols) {
      pen.beginPath();
      pen.roundRect(
        x(target) - 1.5,
        y(0) - 1.5,
        grid.cell + 1.5,
        Math.min(grid.nRows, tokenOf(target)) * grid.cell + 1.5,
        ROUND + 1,
      );
      pen.stroke();
    }
    if (hovered !== null && hovered < grid.nRows) {
      pen.globalAlpha = 0.5;
      pen.beginPath();
      pen.moveTo(grid.left, y(hovered) + grid.cell - GAP / 2);
      pen.lineTo(x(target ?? grid.nCols - 1), y(hovered) + grid.cell - GAP / 2);
      pen.stroke();
      pen.globalAlpha = 1;
      if (target !== null && hovered < tokenOf(target)) {
        pen.strokeStyle = ink;
        pen.lineWidth = 2;
        pen.strokeRect(x(target), y(hovered), size, size);
      }
    }
    pen.restore();

    pen.save();
    pen.beginPath();
    pen.rect(0, grid.top - 2, grid.left, height);
    pen.clip();
    pen.textAlign = "right";
    pen.textBaseline = "middle";
    for (let row = rows.start; row < rows.end; row++) {
      const strong = row === hovered;
      pen.font = `${strong ? 600 : 400} ${FONT} ${font}`;
      pen.fillStyle = strong
        ? ink
        : row >= store.firstTarget.value || store.tokens.value[row]?.role === "special"
          ? muted
          : ink;
      pen.fillText(shorten(label(row), labelRoom, measure), grid.left - 6, y(row) + size / 2);
    }
    pen.restore();

    pen.save();
    pen.beginPath();
    pen.rect(grid.left - 2, 0, width, grid.top - 2);
    pen.clip();
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    for (let col = cols.start; col < cols.end; col++) {
      const strong = col === target;
      pen.font = `${strong ? 600 : 400} ${FONT} ${font}`;
      pen.fillStyle = strong ? accent : ink;
      pen.save();
      pen.translate(x(col) + size / 2, grid.top - 8);
      pen.rotate(-LEAN);
      pen.fillText(shorten(label(tokenOf(col)), labelRoom, measure), 0, 0);
      pen.restore();
    }
    pen.restore();
  }

  const redraw = coalesced(signal, draw);

  watch(signal, () => {
    const [rows, columns] = AXES[store.kind.value];
    scroller.setAttribute(
      "aria-label",
      `Matrix: rows are ${rows}, columns ${columns}. Arrow keys move, Enter pins a column.`,
    );
    const lines = [`rows: ${rows}`, `columns: ${columns}`, "each column on its own scale"];
    hint.replaceChildren(...lines.map((line) => h("div", {}, line)));
  });

  watch(signal, () => {
    void [store.map.value?.info, store.tokens.value, store.firstTarget.value, store.targetStart.value];
    plan();
    redraw();
  });
  watch(signal, () => {
    void [store.map.value?.done.value, store.target.value, store.hoverRow.value, ramp.value];
    redraw();
  });
  scroller.addEventListener("scroll", redraw, { signal, passive: true });
  let arrived = false;
  /** Of many columns the one on show may lie out of sight: scroll there, once. */
  const arrive = () => {
    if (arrived || scroller.clientWidth === 0 || grid.nCols === 0) return;
    arrived = true;
    scroller.scrollLeft = reveal(store.target.value ?? 0, grid.cell, 0, scroller.clientWidth - grid.left - grid.right);
  };
  const resized = () => {
    plan();
    arrive();
    redraw();
  };
  observed(signal, scroller, new ResizeObserver(resized));

  function show(cell: Cell): void {
    store.hoverCol.value = cell.col;
    store.hoverRow.value = cell.row;
    tooltip.show(
      { getBoundingClientRect: () => boxOf(cell), contextElement: scroller },
      tokenTip(store, cell.row, cell.col),
    );
  }

  function boxOf({ row, col }: Cell): DOMRect {
    const { left, top } = scroller.getBoundingClientRect();
    const { cell } = grid;
    return new DOMRect(
      left + grid.left + col * cell - scroller.scrollLeft,
      top + grid.top + row * cell - scroller.scrollTop,
      cell,
      cell,
    );
  }

  function letGo(): void {
    cursor = null;
    endPreview(context);
  }

  function under(event: MouseEvent): Cell | null {
    const { left, top } = scroller.getBoundingClientRect();
    const cell = cellAt(
      grid,
      { x: event.clientX - left, y: event.clientY - top },
      { left: scroller.scrollLeft, top: scroller.scrollTop },
    );
    return cell !== null && cell.row < tokenOf(cell.col) ? cell : null;
  }

  scroller.addEventListener(
    "pointermove",
    (event) => {
      const cell = under(event);
      if (cell === null) {
        if (cursor !== null) letGo();
      } else if (cell.row !== cursor?.row || cell.col !== cursor.col) {
        cursor = cell;
        show(cell);
      }
    },
    listen,
  );
  scroller.addEventListener("pointerleave", letGo, listen);
  scroller.addEventListener("blur", () => endPreview(context), listen);
  scroller.addEventListener(
    "click",
    (event) => {
      const cell = under(event);
      if (cell !== null) store.pin(cell.col);
    },
    listen,
  );

  function moveTo(row: number, col: number): void {
    if (grid.nCols === 0) return;
    const to = { col: nearest(col, grid.nCols), row: 0 };
    to.row = Math.min(grid.nRows - 1, tokenOf(to.col) - 1, Math.max(0, row));
    cursor = to;
    scroller.scrollTop = reveal(to.row, grid.cell, scroller.scrollTop, scroller.clientHeight - grid.top);
    scroller.scrollLeft = reveal(to.col, grid.cell, scroller.scrollLeft, scroller.clientWidth - grid.left);
    show(to);
  }

  onKeys(scroller, signal, () => {
    const { row, col } = cursor ?? { row: 0, col: store.target.value ?? 0 };
    const stride = cursor === null ? 0 : 1; // the first arrow shows where one is
    return {
      ...targetSteps(
        col,
        stride,
        (to) => moveTo(row, to),
        () => store.pin(col),
      ),
      ArrowUp: () => moveTo(row - stride, col),
      ArrowDown: () => moveTo(row + stride, col),
      Escape: letGo,
    };
  });
  return root;
}
