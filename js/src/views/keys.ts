/** Lists what the mouse does, in the same form. */
export const MOUSE: readonly (readonly [act: string, what: string, asks?: true])[] = [
  ["hover", "a word the model wrote: the colours show what led to it; any other word: its numbers"],
  ["click", "a word the model wrote: it stays on show; a word it read: which words did that lead to?"],
  ["drag", "over several words: all of them as one; Shift+click: all from there to here"],
  ["dark", "the darker a word is, the more it counts for the one on show; white: hardly at all"],
];

/** The keys, as the list behind the ? shows them. `true`: only where there is a model to ask. */

export const KEYS: readonly (readonly [key: string, what: string, asks?: true])[] = [
  ["← →", "previous, next target"],
  ["Home End", "first, last target"],
  ["Enter", "pin the target, or let it go"],
  ["Esc", "back to the pinned target; close"],
  ["Shift ← →", "pin all targets from here on; choose all inputs"],
  ["↑ i", "to the most important input; ↓ Esc: back"],
  ["Enter", "on an input: which targets does it feed?"],
  ["t Alt+click", "on a target: which later ones does it feed?"],
  ["h", "leave the chosen input out of the shares, or count it again"],
  ["s", "strike out the chosen input, or the one under the mouse", true],
  ["o", "show a word, sentence or segment by its parts"],
  ["/", "find in a long text"],
  ["u", "undo what was tried", true],
  ["g", "read by tokens, words, sentences, segments"],
  ["b", "back to the text before", true],
  ["m", "open or close the matrix"],
  ["c", "open or close the comparison"],
  ["e", "open or close the explanations"],
  ["p", "open or close the trust panel: how far can the maps be believed?", true],
  ["x", "open or close the export"],
  ["↑ ↓ ← →", "in the matrix: move from cell to cell"],
  ["+ − 0 f", "in the matrix: larger, smaller, as usual, all in sight"],
  ["r y", "in the matrix: sort rows by the column; copy the cell"],
  ["?", "this list"],
];
