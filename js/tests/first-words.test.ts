/** The word that is looked at first: tests/data/first_words.json holds the page and Python to it. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { firstWord } from "../src/first-word";
import type { Role } from "../src/protocol";
import { about, started, token } from "./help";

type Case = { about: string; tokens: [string, number, Role | ""][]; first: [number, number] };
const cases = JSON.parse(readFileSync(join(process.cwd(), "tests/data/first_words.json"), "utf8")) as Case[];

it.each(cases)("is, of $about, whole", ({ tokens, first: [start, end] }) => {
  const targets = tokens.map(([text, word, role]) => token(text, { word, role: role || "generated" }));
  expect(firstWord(targets)).toEqual({ start, end });
  const nan = targets.map(() => Number.NaN);
  const read = [token("Who", { word: -1 }), ...targets];
  const { store } = started(about(read, 1, targets.map((_, col) => [1, ...nan.slice(1).map((x, i) => (i < col ? 1 : x))]))); // biome-ignore format: a table
  expect(store.targetCols.value).toEqual({ start, end });
});
