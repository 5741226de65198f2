/** A text whose tokens are parts of words and sentences, the page that is saved of it, and plain reckoning of its numbers. */

import type { MapBegins, WireToken } from "../src/protocol";
import type { Store } from "../src/store";
import { pageOf } from "../src/views/takeaway/page";
import { about, mapOf, started, token } from "./help";

// ── a text whose tokens are parts of words and of sentences ─────────────────────────────────────────────────────────────

export const [NAN, AT] = [Number.NaN, 9];
export const WASHINGTON: WireToken[] = (
  [
    ["<|user|>", 0, 0],
    [" Wa", 1, 0],
    ["sh", 1, 0],
    ["ing", 1, 0],
    ["ton", 1, 0],
    [" was", 2, 0],
    [".", 2, 0],
    [" Who", 3, 1],
    [" was", 4, 1],
    ["?", 5, 1],
    [" George", 6, 2],
    [" Wash", 7, 2],
    ["ington", 7, 2],
  ] as const
).map(([text, word, sentence], i) =>
  token(text, {
    id: 100 + i,
    word,
    sentence,
    segment: sentence,
    role: i === 0 ? "special" : i < AT ? "prompt" : "generated",
  }),
);
export const SIGNED = [
  [-0.0781, 0.3214, 0.069, 0.0009, 0.8981, 0.1176, -0.0105, -0.3588, 0.9901, NAN, NAN, NAN],
  [-1.0222, -0.2517, 0.0365, 0.0295, 0.3774, 0.0295, -0.2389, 0.107, 0.5642, 0.0143, NAN, NAN],
  [0.1079, 0.0209, 0.2953, 0.0005, 0.8424, -0.1207, 0.1195, 0.1539, 0.2899, 0.2705, 0.0181, NAN],
  [0.5156, 0.1448, 0.8393, -0.32, -0.3392, 0.0866, 0.3484, 0.09, 0.2439, 0.0037, 3.8019, 0.3425],
];
export const PROBABILITIES = [0.5, 0.25, 0.5, 0.5];
export const whole = WASHINGTON.map(({ text }) => text).join("");
export const WORDS = [[0], [1, 2, 3, 4], [5, 6], [7], [8], [9], [10], [11, 12]];
export const SENTENCES = [[0, 1, 2, 3, 4, 5, 6], [7, 8], [9], [10, 11, 12]];

export function washington(columns = SIGNED, map: Partial<MapBegins> = {}): Store {
  const signed = mapOf("m1", { method: "occlusion", n_rows: 12, n_cols: 4, ...map });
  return started([...about(WASHINGTON, AT, columns, { probabilities: PROBABILITIES }), [signed]]).store;
}

// ── what is in a page ───────────────────────────────────────────────────────────────────────────────────────────────────

export function read(html: string) {
  const page = new DOMParser().parseFromString(html, "text/html");
  const boxes = [...page.querySelectorAll<HTMLElement>(".sw-token")];
  const said = (query: string) => page.querySelector(query)?.textContent ?? "";
  const data = JSON.parse(said("script.sw-data") || "{}");
  const bytes = Uint8Array.from(atob(data.scores ?? ""), (char) => char.charCodeAt(0));
  const values = new Float32Array(bytes.buffer);
  const n = data.names?.length ?? 0;
  return {
    page,
    boxes,
    data,
    /** Of each that can be asked about, one a name. */
    scores: (data.captions ?? []).map((_: unknown, k: number) => [...values.slice(k * n, (k + 1) * n)]) as number[][],
    head: said(".sw-head"),
    caption: said(".sw-caption"),
    prose: [...page.querySelectorAll(".sw-prose")].map((prose) => {
      const text = prose.cloneNode(true) as Element;
      for (const sign of text.querySelectorAll(".sw-sign, .sw-separator")) sign.remove();
      return text.textContent ?? "";
    }),
    said,
    titles: boxes.map(({ title }) => title),
    texts: boxes.map(({ textContent }) => textContent),
    asked: boxes.filter(({ style }) => style.outline !== "").map(({ textContent }) => textContent),
    dotted: boxes.filter(({ style }) => style.border.includes("dotted")).map(({ textContent }) => textContent),
  };
}
export const pageIn = (store: Store) => read(pageOf(store));

// ── reckoned plainly ────────────────────────────────────────────────────────────────────────────────────────────────────

export type Scale = "linear" | "quantile" | "threshold";
export type How = {
  units?: number[][];
  targets?: number[][];
  pool?: "sum" | "mean" | "max";
  joint?: "sum" | "mean";
  hidden?: number[];
  scale?: Scale;
  threshold?: number;
  raw?: boolean;
  pin?: number[];
};
export const ALONE = WASHINGTON.map((_, i) => [i]);
export const isThere = (x: number | undefined): x is number => x !== undefined && !Number.isNaN(x);
export const total = (list: number[]) => list.reduce((a, b) => a + b, 0);
export const together = (list: (number | undefined)[], how: "sum" | "mean" | "max") => {
  const seen = list.filter(isThere);
  if (seen.length === 0) return NAN;
  return how === "max" ? Math.max(...seen) : how === "sum" ? total(seen) : total(seen) / seen.length;
};

/** Of one target, the columns `cols`, a number a unit: joined, hidden rows left out, pooled. */
export function reckoned(columns: number[][], cols: number[], how: How): number[] {
  const { units = ALONE, pool = "sum", joint = "mean", hidden = [] } = how;
  const rows = Array.from({ length: 12 }, (_, row) => {
    if (hidden.includes(row) || (cols.length > 1 && cols.includes(row - AT))) return NAN;
    return Math.fround(
      together(
        cols.map((col) => columns[col]?.[row]),
        joint,
      ),
    );
  });
  const ofRows = units.filter(([first = 0]) => first < 12);
  return ofRows.map((unit) =>
    Math.fround(
      together(
        unit.map((row) => rows[row]),
        units === ALONE ? "sum" : pool,
      ),
    ),
  );
}

/** What a number is told as: a share, or itself. */
export function shares(scores: number[], raw = false): number[] {
  const sum = total(scores.filter(isThere).map(Math.abs));
  return raw ? scores : scores.map((score) => score / sum);
}
