/** A matrix of 10,000 × 400, to see that it stays smooth: every column here, words of two tokens. */

import { PROTOCOL, type WireToken } from "../src/protocol";
import { MENU, mapOf, type Scene } from "./messages";

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

export const big = (): Scene => ({
  messages: [
    { type: "hello", protocol: PROTOCOL, session: "big", hover: "" },
    {
      type: "document",
      doc: 1,
      model: "big",
      device: "cpu",
      dtype: "float32",
      first_target: ROWS,
      editable: null,
      code: "model, 'The first president'",
      raw: false,
      alive: true,
      beside: [],
    },
    { type: "tokens", doc: 1, start: 0, tokens: Array.from({ length: ROWS + COLS }, (_, i) => token(i)), segments: [] },
    MENU,
    mapOf(ROWS + COLS - 1, COLS),
    ...Array.from({ length: COLS }, (_, col) => ({
      type: "column",
      floor: null,
      map: "m1",
      seq: col,
      col,
      n_rows: ROWS + COLS - 1,
    })),
  ],
  columns: (col: number) =>
    Float32Array.from({ length: ROWS + COLS - 1 }, (_, row) =>
      row < ROWS + col ? Math.abs(Math.sin(row * 12.9898 + col * 78.233)) ** 9 : Number.NaN,
    ),
  drawer: true,
});
