/** A matrix of 10,000 × 400, to see that it stays smooth: every column here, words of two tokens. */

import { PROTOCOL, type WireToken } from "../src/protocol";

const [ROWS, COLS] = [10_000, 400];

const token = (i: number): WireToken => ({
  id: i,
  text: i % 2 === 0 ? ` w${i}` : "x",
  role: i < ROWS ? "prompt" : "generated",
  span: null,
  word: i >> 1,
  sentence: i >> 4,
  segment: i >> 8,
  part: null,
});

export const big = (menu: Record<string, unknown>) => ({
  messages: [
    { type: "hello", protocol: PROTOCOL, session: "big" },
    { type: "document", doc: 1, model: "big", device: "cpu", dtype: "float32", first_target: ROWS, editable: null },
    { type: "tokens", doc: 1, start: 0, tokens: Array.from({ length: ROWS + COLS }, (_, i) => token(i)), segments: [] },
    menu,
    {
      type: "map",
      map: "m",
      doc: 1,
      method: "saliency",
      objective: "probability",
      settings: [],
      foil: null,
      col: null,
      aside: false,
      n_rows: ROWS + COLS - 1,
      n_cols: COLS,
    },
    ...Array.from({ length: COLS }, (_, col) => ({ type: "column", map: "m", seq: col, col, n_rows: ROWS + COLS - 1 })),
  ],
  columns: (col: number) =>
    Float32Array.from({ length: ROWS + COLS - 1 }, (_, row) =>
      row < ROWS + col ? Math.abs(Math.sin(row * 12.9898 + col * 78.233)) ** 9 : Number.NaN,
    ),
  drawer: true,
});
