/** Tokens as they are drawn: every token a box one can see and point at, every character printed once. Pure. */

import { type Glyph, glyphs, partMark, plural, visible } from "./format";
import type { Span } from "./layout";
import type { WireSegment, WireToken } from "./protocol";

/** How a box stands to the one before it: after a space, as a part of the same word, or just beside it (CJK, punctuation). */
export type Joint = "space" | "word" | "beside";

export type Piece = {
  /** Lines of the token; all but the last end where the text breaks inside the token. */
  lines: Glyph[][];
  joint: Joint;
  /** The token ends its line: a line break is due before the next token that is not a line break itself. */
  breaks: boolean;
  /** Nothing but line breaks. */
  newline: boolean;
  /**
   * What the box shows because its character is printed already: a `part` (²⁄₃); a `tick`, where a character has so many
   * parts that their numbers would drown the line; in the middle of a joined word a `link`, which keeps it joined.
   */
  mark: "" | "part" | "tick" | "link";
  /** The text that it prints, with the space before it; empty where there is a mark. */
  text: string;
};

const MANY_PARTS = 3; // up to here each part says which one it is
/** Between two letters of an Arabic word: a stroke that joins both sides, where a number would tear the word apart. */
const KASHIDA = "\u0640";
const ARABIC = /^(?=\p{L})\p{Script_Extensions=Arabic}/u;
/** A letter that reaches out to the next one: all but these (Unicode's Joining_Type R and U), whatever marks it carries. */
const JOINS_NEXT =
  /(?=\p{L})(?![\u0621-\u0625\u0627\u0629\u062f-\u0632\u0648\u0671-\u0677\u0688-\u0699\u06c0\u06c3-\u06cb\u06cd\u06cf\u06d2\u06d3\u06d5\u06ee\u06ef])\p{Script_Extensions=Arabic}\p{M}*$/u;
/** Lam before alef: fonts must draw them as one shape, whose width is all lam's. */
const LAM = /[\u0644\u06b5-\u06b8]\p{M}*$/u;
const ALEF = /^[\u0622\u0623\u0625\u0627\u0671-\u0673\u0675]/u;

const LONGEST = 1000; // code points of one token that are drawn
const TRAILING_SPACE = /\S $/u;
const NEWLINE = /\r\n|[\n\r\u2028\u2029]/u;

/** The part of a token's text behind the code points printed before `from`. */
function unprinted(token: WireToken, from: number): string {
  const chars = Array.from(token.text);
  if (token.span === null) return token.text;
  const [start, end] = token.span;
  if (chars.length !== end - start) return from > start ? "" : token.text; // shown form and text differ: print it once, whole
  return chars.slice(Math.max(0, from - start)).join("");
}

type Cut = { tokens: readonly WireToken[]; pieces: readonly Piece[] };

/** The pieces of all tokens. What `known` has of the same beginning is taken over: a text grows by one token at a time. */
export function toPieces(tokens: readonly WireToken[], known: Cut = { tokens: [], pieces: [] }): Piece[] {
  let start = 0;
  while (start < tokens.length && tokens[start] === known.tokens[start]) start++;
  while (start > 0 && tokens[start - 1]?.part !== null) start--; // a whole token carries nothing over to the next
  const pieces = known.pieces.slice(0, start);
  let previous = tokens[start - 1];
  let printed = previous?.span?.[1] ?? 0; // end of what a split character's pieces have printed
  let spaced = previous === undefined || TRAILING_SPACE.test(previous.text);
  for (let i = start; i < tokens.length; i++) {
    const token = tokens[i] as WireToken;
    const overlaps = token.part !== null && previous !== undefined && previous.part !== null && token.span !== null;
    const text = overlaps ? unprinted(token, printed) : token.text;
    printed = token.span === null ? printed : overlaps ? Math.max(printed, token.span[1]) : token.span[1];
    const mark = text === "" ? markOf(token, tokens[i + 1]) : "";
    const gap = /^ \S/u.test(text);
    const tail = TRAILING_SPACE.test(text);
    const bare = text.slice(gap ? 1 : 0, tail ? -1 : undefined);
    const newline = mark === "" && bare.replace(/[\n\r\u2028\u2029]/gu, "") === "";
    pieces.push({
      lines: mark === "" ? drawn(bare) : [[{ text: markText(token, mark), sign: mark !== "link" }]],
      joint: gap || spaced ? "space" : previous !== undefined && previous.word === token.word ? "word" : "beside",
      breaks: mark === "" && /[\n\r\u2028\u2029]$/u.test(bare),
      newline,
      mark,
      text,
    });
    spaced = tail;
    previous = token;
  }
  return pieces;
}

function markOf(token: WireToken, next: WireToken | undefined): Piece["mark"] {
  if ((token.part?.[1] ?? 0) > MANY_PARTS) return "tick";
  const within = next !== undefined && next.word === token.word && next.part?.[0] !== token.part?.[1];
  return within && reaches(token.text, next.text) ? "link" : "part";
}

/** Whether two letters of an Arabic word join. */
export function reaches(before: string, after: string): boolean {
  return JOINS_NEXT.test(before) && ARABIC.test(after);
}

function markText(token: WireToken, mark: Piece["mark"]): string {
  if (token.part === null) return "∅";
  return mark === "tick" ? "·" : mark === "link" ? KASHIDA : partMark(...token.part);
}

/** Whether two neighbours would melt into one glyph that belongs to the first box alone. */
export function melts(before: string, after: string): boolean {
  return LAM.test(before) && ALEF.test(after);
}

/** A token may be a whole book: of that its beginning is drawn, and how much is left out. */
function drawn(text: string): Glyph[][] {
  const chars = text.length > LONGEST ? Array.from(text) : [];
  if (chars.length <= LONGEST) return linesOf(text);
  const lines = linesOf(chars.slice(0, LONGEST).join(""));
  lines.at(-1)?.push({ text: `… ${plural(chars.length - LONGEST, "more character")}`, sign: true });
  return lines;
}

/** A token with a line break inside: the sign stays at the end of its line. A break at the end is drawn by the view. */
function linesOf(text: string): Glyph[][] {
  const lines: string[] = [];
  let rest = text;
  for (let hit = NEWLINE.exec(rest); hit !== null; hit = NEWLINE.exec(rest)) {
    const end = hit.index + hit[0].length;
    if (rest.slice(end).replace(/[\n\r\u2028\u2029]/gu, "") === "") break;
    lines.push(rest.slice(0, end));
    rest = rest.slice(end);
  }
  return [...lines, rest].map(glyphs);
}

const LONG = 60; // code points of the name of several tokens; of one twice as much

/** The middle is left out of what is long, between two words where there are several (as export/reading.py has it). */
function brief(text: string, long: number): string {
  const chars = text.length > long ? Array.from(text) : [];
  if (chars.length <= long) return text;
  let [head, tail] = [chars.slice(0, long / 2).join(""), chars.slice(-long / 4).join("")];
  if (chars[long / 2] !== " " && / [^ ]/.test(head.trimStart())) head = head.slice(0, head.lastIndexOf(" "));
  if (chars.at(-long / 4 - 1) !== " " && /[^ ] /.test(tail)) tail = tail.slice(tail.search(/[^ ] /) + 2);
  return `${head.replace(/ +$/, "")} … ${tail.replace(/^ +/, "")}`;
}

/** A token's name in labels, tooltips and announcements: its text on one line. */
export function labelOf({ text }: Pick<WireToken, "text">): string {
  return text === "" ? "∅" : visible(brief(text, 2 * LONG));
}

/** The name of neighbouring tokens: their text on one line, each character once, its middle left out where it is long. */
export function nameOfSpan(tokens: readonly WireToken[], { start, end }: Span): string {
  if (end - start === 1) return tokens[start] === undefined ? "" : labelOf(tokens[start]);
  let printed = (tokens[start]?.span?.[0] ?? 0) + 1; // that within which they begin is of the tokens before
  const texts = tokens.slice(start, end).map((token) => {
    const text = (token.part?.[0] ?? 1) === 1 ? token.text : unprinted(token, printed);
    printed = token.span?.[1] ?? printed;
    return text;
  });
  return visible(brief(texts.join(""), LONG)) || "∅";
}

/** The sign of a piece whose character is printed already, where no letter joins it to its neighbours. */
export function signOfPart(token: WireToken, { mark }: Piece): string {
  return markText(token, mark === "link" ? "part" : mark);
}

/** Names whose letters run from right to left: U+0590 … U+08FF and the other blocks of such scripts. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** A name in plain text, where it must not turn the numbers beside it: between FSI and PDI if it runs to the left. */
export function isolated(name: string): string {
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}

/** "機, part 2 of 3", or nothing for a token that holds its characters whole. */
export function partOf(token: WireToken): string {
  return token.part === null ? "" : `part ${token.part[0]} of ${token.part[1]}`;
}

/**
 * Runs of template tokens that are folded into a chip, [start, end), before the first target: the long ones, and whatever
 * a decoder is started with, which is no part of the text it writes. None leads from the source into that text, nor out of
 * a turn that is all template, such as a system message that nobody gave: that one stands under its own name.
 */
export function templateRuns(
  tokens: readonly WireToken[],
  firstTarget: number,
  targetStart: number | null,
  segments: readonly WireSegment[] = [],
): Span[] {
  const runs: Span[] = [];
  const last = Math.min(firstTarget, tokens.length);
  for (let start = 0; start < last; start++) {
    const limit = targetStart !== null && start < targetStart ? Math.min(last, targetStart) : last;
    let end = start;
    while (end < limit && tokens[end]?.role === "special") end++;
    if (end - start > 3 || (start === targetStart && end > start)) runs.push(...cutAtTurns({ start, end }, segments));
    start = Math.max(start, end - 1);
  }
  return runs;
}

/** A run, cut where a labelled segment ends that is all within it. */
function cutAtTurns({ start, end }: Span, segments: readonly WireSegment[]): Span[] {
  const within = segments.filter((one) => one.start >= start && one.end < end && one.end > one.start);
  const cuts = [start, ...within.filter((one) => segmentLabel(one) !== null).map((one) => one.end), end];
  return cuts.slice(1).map((to, k) => ({ start: cuts[k] as number, end: to }));
}

/** The label over a segment: chat turns, named documents and the two sides of a translation have one, paragraphs have not. */
export function segmentLabel({ kind, name }: WireSegment): string | null {
  return kind === "paragraph" ? null : name || kind;
}
