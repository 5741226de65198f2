/** Ways to read the gallery's first text: where it came from, why this and not that, and layer by layer. */

type Wire = Record<string, unknown>;

export const TRAIL = {
  type: "trail",
  names: ["The first president of the United States was George", "Bush", "the United Kingdom of Great Britain"],
  at: 1,
  as_chat: false,
};

/** "Washington" against "Bush": the first column alone. */
export const CONTRAST: Wire[] = [
  {
    type: "map",
    map: "why",
    doc: 1,
    method: "occlusion",
    objective: "logit",
    settings: [["instead of", "Bush"]],
    foil: " Bush",
    col: 0,
    hop: 0,
    due: null,
    aside: false,
    n_rows: 16,
    n_cols: 8,
  },
  { type: "column", floor: null, map: "why", seq: 9, col: 0, n_rows: 16 },
];

export const headsOf = (nLayers: number, nHeads: number, col = 0): Wire => ({
  type: "heads",
  doc: 1,
  col,
  layers: Array.from({ length: nLayers }, (_, layer) => layer),
  n_heads: nHeads,
  n_rows: 16,
});

/** Each head looks at a place of its own, the first token, or the one before; the last layer has a head less. */
export function weightsOf({ type, layers, n_heads, n_rows, col }: Wire): Float32Array | null {
  if (type !== "heads") return null;
  const [nLayers, nHeads, nRows] = [(layers as number[]).length, n_heads as number, n_rows as number];
  const seen = 9 + (col as number);
  return Float32Array.from({ length: nLayers * nHeads * nRows }, (_, i) => {
    const [layer, head, row] = [Math.floor(i / nRows / nHeads), Math.floor(i / nRows) % nHeads, i % nRows];
    if (row >= seen || (layer === nLayers - 1 && head === nHeads - 1)) return Number.NaN;
    const place = [0, seen - 1, (layer * 5 + head * 3) % seen][(layer + head * head) % 3] ?? 0;
    return Math.exp(-Math.abs(row - place)) / 2;
  });
}
