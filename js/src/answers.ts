/** The answers of language models, in the order of their questions. */

import type { Answer } from "./protocol";

/** Returns the answers with this one, which may be the rest of the one of its id. A rest that came too early is dropped. */
export function withAnswer(answers: readonly Answer[], answer: Answer): readonly Answer[] {
  const before = answers.find(({ id }) => id === answer.id);
  const { start } = answer;
  if ((before?.text.length ?? 0) < start) return answers; // its beginning comes after a hello
  const text = (before?.text ?? "").slice(0, start) + answer.text;
  const free = answer.free ?? before?.free ?? null; // kept once it is known
  const others = answers.filter((other) => other !== before);
  return [...others, { ...answer, text, free }].sort((a, b) => a.id - b.id);
}

/** Returns an answer about the last text: it stays when another begins, but its scores are no map of it. */
export function withoutMap(answer: Answer): Answer {
  return answer.mapped ? { ...answer, mapped: false } : answer;
}

/** Tells whether the rest of an answer is still to come. */
export function isUnderWay({ state }: Answer): boolean {
  return state === "waiting" || state === "writing";
}
