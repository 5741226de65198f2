/** The cost of an evaluation, as far as the page can tell before it is asked for. */

import { about } from "../../format";
import type { Span } from "../../layout";
import type { Store } from "../../store";

const EXACT = 10; // words up to which every subset is read
const SHORT = 60; // words below which the kernel keeps to seconds, and from which on to occlusion runs
const [SECONDS, RUNS, OPERATORS, ORDERS] = [10, 3, 2, 50];
/** The passes of an occlusion map beside those for each token: `once` of its card in cards.py. */
const ONCE = 10;
const SHARED = 1.3; // rows for each subset: their texts share their beginnings

/** The number of words before a target that may be taken away, about: the first and a template's stay. */
export function wordsBefore({ tokens, firstTarget, kind }: Store, cols: Span): number {
  const end = kind.value === "classes" ? firstTarget.value : firstTarget.value + cols.start;
  const words = new Set<number>();
  for (const { role, word } of tokens.value.slice(0, end)) if (role !== "special") words.add(word);
  return Math.max(0, words.size - (kind.value === "text" ? 1 : 0));
}

/** In words: what is read, and how long that takes where it is known. */
export function costOf(store: Store, cols: Span): string {
  const n = wordsBefore(store, cols);
  const { seconds } = store.methodCalled("occlusion") ?? {};
  const rows = Math.max(1, store.firstTarget.value + cols.start);
  const pass = seconds == null ? null : seconds / (ONCE + rows);
  if (n === 0) return "There seems to be no word before it that can be taken away.";
  if (n <= EXACT) {
    const time = pass === null ? "" : ` (${about((pass * OPERATORS * SHARED * 2 ** n) / rows)})`;
    return `Every choice of about ${n} words is read, under ${OPERATORS} operators${time}.`;
  }
  const orders = `Up to ${ORDERS} random orders of about ${n} words are read beside the maps, under ${OPERATORS} operators`;
  if (n < SHORT) return `${orders} (at most about ${SECONDS} s).`;
  const time = pass === null ? "" : `, ${about(pass * RUNS * n)}`;
  return `${orders} (${RUNS} times what taking each word out once takes${time}).`;
}
