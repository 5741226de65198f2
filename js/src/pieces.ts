/** Tokens as they are drawn: every token has a visible box, and every character is printed once. Pure. */

import { type Glyph, glyphs, partMark, plural, visible } from "./format";
import type { Span } from "./layout";
import type { WireSegment, WireToken } from "./protocol";

/** The joint of a box to the one before it: after a space, within a word, or directly beside it (CJK, punctuation). */
export type Joint = "space" | "word" | "beside";

export type Piece = {
  /** Lines of the token; all but the last end where the text breaks inside the token. */
  lines: Glyph[][];
  joint: Joint;
  /** Tells whether the token ends its line: a line break follows before the next token that is not a line break itself. */
  breaks: boolean;
  /** Tells whether the token is line breaks only. */
  newline: boolean;
  /**
   * The mark of a box whose character is printed already: a `part` (²⁄₃); a `tick` if the character has too many parts
   * for numbers; a `link` inside a joined word, which keeps the letters joined.
   */
  mark: "" | "part" | "tick" | "link";
  /** The printed text with the space before it; empty if there is a mark. */
  text: string;
};

const MANY_PARTS = 3; // tokens of one character, above which they are not numbered
/** A stroke that joins two Arabic letters, where a number would separate them. */
const KASHIDA = "\u0640";
const ARABIC = /^(?=\p{L})\p{Script_Extensions=Arabic}/u;
/** Letters that join the next one: all but those of Unicode's Joining_Type R and U, with any marks. */
const JOINS_NEXT =
  /(?=\p{L})(?![\u0621-\u0625\u0627\u0629\u062f-\u0632\u0648\u0671-\u0677\u0688-\u0699\u06c0\u06c3-\u06cb\u06cd\u06cf\u06d2\u06d3\u06d5\u06ee\u06ef])\p{Script_Extensions=Arabic}\p{M}*$/u;
/** Lam before alef, which fonts draw as one glyph, whose width is that of lam. */
const LAM = /[\u0644\u06b5-\u06b8]\p{M}*$/u;
const ALEF = /^[\u0622\u0623\u0625\u0627\u0671-\u0673\u0675]/u;

const LONGEST = 1000; // code points of a token, at most, that are drawn
const TRAILING_SPACE = /\S $/u;
const NEWLINE = /\r\n|[\n\r\u2028\u2029]/u;

/** Returns the part of a token's text after the code points that are printed before `from`. */
function unprinted(token: WireToken, from: number): string {
  const chars = Array.from(token.text);
  if (token.span === null) return token.text;
  const [start, end] = token.span;
  if (chars.length !== end - start) return from > start ? "" : token.text; // shown form and text differ: print it once, whole
  return chars.slice(Math.max(0, from - start)).join("");
}

type Cut = { tokens: readonly WireToken[]; pieces: readonly Piece[] };

/** Returns the pieces of all tokens. Those of an equal beginning are taken from `known`, as a text grows by tokens. */
export function toPieces(tokens: readonly WireToken[], known: Cut = { tokens: [], pieces: [] }): Piece[] {
  let start = 0;
  while (start < tokens.length && tokens[start] === known.tokens[start]) start++;
  while (start > 0 && tokens[start - 1]?.part !== null) start--; // a token without parts does not affect the next
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

/** Returns whether two letters of an Arabic word join. */
export function reaches(before: string, after: string): boolean {
  return JOINS_NEXT.test(before) && ARABIC.test(after);
}

function markText(token: WireToken, mark: Piece["mark"]): string {
  if (token.part === null) return "∅";
  return mark === "tick" ? "·" : mark === "link" ? KASHIDA : partMark(...token.part);
}

/** Returns whether two neighbours would become one glyph in the first box. */
export function melts(before: string, after: string): boolean {
  return LAM.test(before) && ALEF.test(after);
}

/** Returns the drawn glyphs of a token: of a very long one only the beginning, and the length of the rest. */
function drawn(text: string): Glyph[][] {
  const chars = text.length > LONGEST ? Array.from(text) : [];
  if (chars.length <= LONGEST) return linesOf(text);
  const lines = linesOf(chars.slice(0, LONGEST).join(""));
  lines.at(-1)?.push({ text: `… ${plural(chars.length - LONGEST, "more character")}`, sign: true });
  return lines;
}

/** Returns the lines of a token. The sign of a line break is at the end of its line; the view draws a final break. */
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

const LONG = 60; // code points of the name of several tokens; that of one token may have twice as many

/** The middle is left out of what is long, between two words where there are several (as export/reading.py has it). */
function brief(text: string, long: number): string {
  const chars = text.length > long ? Array.from(text) : [];
  if (chars.length <= long) return text;
  let [head, tail] = [chars.slice(0, long / 2).join(""), chars.slice(-long / 4).join("")];
  if (chars[long / 2] !== " " && / [^ ]/.test(head.trimStart())) head = head.slice(0, head.lastIndexOf(" "));
  if (chars.at(-long / 4 - 1) !== " " && /[^ ] /.test(tail)) tail = tail.slice(tail.search(/[^ ] /) + 2);
  return `${head.replace(/ +$/, "")} … ${tail.replace(/^ +/, "")}`;
}

/** Returns a token's name for labels, tooltips and announcements: its text on one line. */
export function labelOf({ text }: Pick<WireToken, "text">): string {
  return text === "" ? "∅" : visible(brief(text, 2 * LONG));
}

/** Returns the name of neighbouring tokens: their text on one line, each character once, shortened if it is long. */
export function nameOfSpan(tokens: readonly WireToken[], { start, end }: Span): string {
  if (end - start === 1) return tokens[start] === undefined ? "" : labelOf(tokens[start]);
  let printed = (tokens[start]?.span?.[0] ?? 0) + 1; // a character that began before belongs to earlier tokens
  const texts = tokens.slice(start, end).map((token) => {
    const text = (token.part?.[0] ?? 1) === 1 ? token.text : unprinted(token, printed);
    printed = token.span?.[1] ?? printed;
    return text;
  });
  return visible(brief(texts.join(""), LONG)) || "∅";
}

/** Returns the sign of a piece whose character is printed already, if it joins no letters. */
export function signOfPart(token: WireToken, { mark }: Piece): string {
  return markText(token, mark === "link" ? "part" : mark);
}

/** Letters of right-to-left scripts: U+0590 … U+08FF and the other blocks. */
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/** Returns a name for plain text: a right-to-left one between FSI and PDI, so that it does not reorder numbers. */
export function isolated(name: string): string {
  return RIGHT_TO_LEFT.test(name) ? `\u2068${name}\u2069` : name;
}

/** Returns "part 2 of 3", or "" for a token of whole characters. */
export function partOf(token: WireToken): string {
  return token.part === null ? "" : `part ${token.part[0]} of ${token.part[1]}`;
}

/**
 * Returns the runs [start, end) of template tokens before the first target that are folded into a chip: the long ones,
 * and a decoder's first tokens, which are no part of its text. No run crosses from the source to that text, or leaves a
 * turn of template tokens only, such as a template's own system message, which keeps its name.
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

/** Splits a run at the ends of labelled segments that it contains completely. */
function cutAtTurns({ start, end }: Span, segments: readonly WireSegment[]): Span[] {
  const within = segments.filter((one) => one.start >= start && one.end < end && one.end > one.start);
  const cuts = [start, ...within.filter((one) => segmentLabel(one) !== null).map((one) => one.end), end];
  return cuts.slice(1).map((to, k) => ({ start: cuts[k] as number, end: to }));
}

/** Returns the label over a segment; null where it goes on within a turn: for thinking, and for what follows it. */
export function labelAt(segments: readonly WireSegment[], at: number): string | null {
  const [turn, before, own] = [segments[at - 2], segments[at - 1], segments[at]];
  if (own === undefined || own.kind === "thinking") return null;
  const goesOn = before?.kind === "thinking" && turn?.kind === own.kind && turn.name === own.name;
  return goesOn ? null : segmentLabel(own);
}

/** Returns the label over a chat turn, a named segment or a side of a translation; null for paragraphs. */
export function segmentLabel({ kind, name }: WireSegment): string | null {
  return kind === "paragraph" ? null : name || kind;
}
