/** Answers and comparisons in words. Pure, but for the names in the store. */

import { decimal, percent, plural, seconds, share } from "../../format";
import type { Answer, Comparison, Fate, WireFigure, WireSide } from "../../protocol";
import type { Store } from "../../store";

/** The explainer's name; its id until it has begun to answer. */
export function explainerName({ explainers }: Store, id: string): string {
  return explainers.value?.explainers.find((explainer) => explainer.id === id)?.name ?? id;
}

export const nameOf = (label: string | null) => label ?? "undecided";

/** The class of an answer, and its probability where it is known. */
export function classOf({ label, label_probability: p }: Answer): string {
  return p === null ? nameOf(label) : `${nameOf(label)}, p = ${share(p)}`;
}

/** 184 + 62 tokens · 3.1 s: read and written. */
export function costOf({ prompt_tokens, completion_tokens, seconds: took }: Answer): string {
  const counts = [prompt_tokens, completion_tokens].filter((n) => n !== null).map((n) => n.toLocaleString("en"));
  return [
    counts.length > 0 ? `${counts.join(" + ")} token${counts.join() === "1" ? "" : "s"}` : "",
    took > 0 ? seconds(took) : "",
  ]
    .filter((part) => part !== "")
    .join(" · ");
}

const FATES: Record<Exclude<Fate, "aligned">, string> = {
  invented: "invented",
  repeated: "repeated",
  "out of range": "out of range (clipped)",
};

export function fateOf(fate: Fate): string {
  return fate === "aligned" ? fate : FATES[fate];
}

/** 16 of 19 words scored · 2 invented · 1 repeated. */
export function summary({ words, pairs }: Answer): string {
  const scored = words?.filter(({ score }) => score !== null).length ?? 0;
  const all = words?.length ?? 0;
  const fates = (Object.keys(FATES) as (keyof typeof FATES)[]).flatMap((fate) => {
    const n = pairs?.filter((pair) => pair.fate === fate).length ?? 0;
    return n === 0 ? [] : [`${n} ${FATES[fate]}`];
  });
  return [`${scored} of ${plural(all, "word")} scored`, ...fates].join(" · ");
}

/** A value this near to an end of the range of shuffled words counts as within it. */
const ROUNDING = 1e-9;

/** Tells whether a value is above the range of 95 % of shuffled words (1), below it (−1), or within it (0). */
export function beyondChance({ value, random_low, random_high }: WireFigure): 1 | 0 | -1 {
  if (value === null) return 0;
  return value > random_high + ROUNDING ? 1 : value < random_low - ROUNDING ? -1 : 0;
}

/** The measure that the sentence about agreement uses. */
const RANKS = "spearman";
const THAN = "what it said more than shuffled words do";

const named = (sides: readonly WireSide[]) => new Intl.ListFormat("en").format(sides.map(({ label }) => label));

function agreement({ figures }: WireSide): 1 | 0 | -1 | null {
  const figure = figures.find(({ id }) => id === RANKS);
  return figure === undefined || figure.value === null ? null : beyondChance(figure);
}

/** The result of a comparison, in one to three sentences. */
export function verdict({ label, label_probability, sides }: Comparison): string {
  const p = label_probability === null ? "" : ` (p = ${share(label_probability)})`;
  const answer = `It answered ${nameOf(label)}${p}.`;
  const n = sides.length;
  if (n === 0) return answer;
  if (sides.every((side) => agreement(side) === null))
    return `${answer} What it said cannot be ranked against ${n === 1 ? named(sides) : "any method"}.`;
  const agree = sides.filter((side) => agreement(side) === 1);
  const against = sides.filter((side) => agreement(side) === -1);
  const one = agree.length === 1;
  const who =
    n === 1
      ? `${named(sides)} ${one ? "agrees" : "does not agree"}`
      : agree.length === n
        ? `All ${n} methods agree`
        : agree.length === 0
          ? `Of ${n} methods none agrees`
          : `Of ${n} methods ${one ? "only " : ""}${named(agree)} agree${one ? "s" : ""}`;
  const opposite = against.length === 0 ? "" : ` ${named(against)} run${against.length === 1 ? "s" : ""} against it.`;
  return `${answer} ${who} with ${THAN}.${opposite}`;
}

/** The number of distinct values in an answer, and its stability over several askings. */
export function manner({ levels, zeros, askings, stability }: Comparison): string {
  const asked = askings === 1 ? "asked once" : `asked ${askings} times`;
  const steady = stability === null ? "" : `: rank correlation ${decimal(stability)} between askings`;
  const first = askings === 1 ? "" : " in its first answer"; // what stands beside it is the mean of all
  return `${plural(levels, "distinct value")}${first}, ${percent(zeros)} zeros; ${asked}${steady}`;
}
