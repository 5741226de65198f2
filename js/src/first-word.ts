/** The word of an answer that is on show before any is chosen. Pure; export/reading.py has the same rule. */

import type { Span } from "./layout";
import type { WireToken } from "./protocol";

const JOINING = new Set(
  "a an the of in on at to for by from with as and or but if is are was were be it its he she they we you i this that there not no 的 了 是 在 和".split(
    " ",
  ),
);

/** Returns the first word that says something by itself, else the first of letters or digits, else what is no special token. */
export function firstWord(targets: readonly WireToken[]): Span {
  const words: Span[] = [];
  for (let start = 0, end = 1; start < targets.length; start = end++) {
    const at = targets[start];
    if (at?.role === "special") continue;
    while (targets[end]?.word === at?.word && targets[end]?.role !== "special") end++;
    words.push({ start, end: Math.min(end, targets.length) });
  }
  const text = ({ start, end }: Span) =>
    targets
      .slice(start, end)
      .reduce((all, token) => all + token.text, "")
      .trim();
  const named = words.filter((span) => /[\p{L}\p{N}]/u.test(text(span)));
  const found = named.find((span) => !JOINING.has(text(span).toLowerCase()));
  return found ?? named[0] ?? words[0] ?? { start: 0, end: 1 };
}
