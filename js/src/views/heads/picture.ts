/** The pictures of all heads, on one canvas: each a strip of what was read, darkest where that head looks most. */

import { stepOf, swatchOf } from "../../color";
import type { Heads } from "../../protocol";
import type { Store } from "../../store";
import type { ViewContext } from "../context";

const WIDTH = 28; // px, of a cell, as in reading.css
export const [HEIGHT, GAP] = [14, 2]; // px, where there is room

/** The row that a head looks at most; null where a layer has no such head. */
export function peakOf({ weights, n_heads, n_rows }: Heads, layer: number, head: number) {
  const first = (layer * n_heads + head) * n_rows;
  let [row, weight] = [-1, -1];
  for (let i = 0; i < n_rows; i++) {
    const own = weights[first + i] as number;
    if (own > weight) [row, weight] = [i, own]; // never NaN
  }
  return row < 0 ? null : { row, weight };
}

/** The number of tokens that were read before the target. */
export function readBy({ n_rows, col }: Heads, { kind, firstTarget }: Store): number {
  return kind.value === "classes" ? n_rows : Math.min(n_rows, firstTarget.value + col);
}

/** The weights of a head, or (-1) the heads of a layer on average: NaN after the first `seen` rows. null where none is. */
export function weightsAt({ weights, n_heads, n_rows }: Heads, layer: number, head: number, seen: number) {
  const heads = (head < 0 ? Array.from({ length: n_heads }, (_, k) => k) : [head])
    .map((k) => weights.subarray((layer * n_heads + k) * n_rows).subarray(0, n_rows))
    .filter(([first]) => !Number.isNaN(first));
  if (heads.length === 0) return null;
  const mean = (row: number) => heads.reduce((sum, of) => sum + (of[row] ?? 0), 0) / heads.length;
  return Float32Array.from({ length: n_rows }, (_, row) => (row < seen ? mean(row) : Number.NaN));
}

/** `high`: px, of a cell. */
export function paintHeads(canvas: HTMLCanvasElement, heads: Heads, { store, ramp }: ViewContext, high: number): void {
  const { weights, layers, n_heads, n_rows } = heads;
  const pen = canvas.getContext("2d");
  if (pen === null) return;
  const ratio = devicePixelRatio || 1;
  const size = { width: n_heads * (WIDTH + GAP), height: layers.length * (high + GAP) };
  for (const side of ["width", "height"] as const) {
    canvas[side] = Math.round(size[side] * ratio);
    canvas.style[side] = `${size[side]}px`;
  }
  pen.scale(ratio, ratio);
  const seen = readBy(heads, store);
  const bins = Math.min(seen, WIDTH);
  const edge = (bin: number) => Math.round((bin * WIDTH) / bins);
  const rowAt = (bin: number) => Math.floor((bin * seen) / bins);
  for (let layer = 0; layer < layers.length; layer++)
    for (let head = 0; head < n_heads; head++) {
      const peak = peakOf(heads, layer, head)?.weight;
      if (peak === undefined) continue;
      const first = (layer * n_heads + head) * n_rows;
      for (let bin = 0; bin < bins; bin++) {
        const most = Math.max(...weights.subarray(first + rowAt(bin), first + rowAt(bin + 1)));
        pen.fillStyle = swatchOf(ramp.value, stepOf(most, peak), false).background;
        pen.fillRect(head * (WIDTH + GAP) + edge(bin), layer * (high + GAP), edge(bin + 1) - edge(bin), high);
      }
    }
}
