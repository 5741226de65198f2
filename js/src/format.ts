/** Numbers and characters as text. Imports nothing. */

const MINUS = "−";

/** Returns a share or probability: .342, 1.000, −.051; below .01 with two significant digits, .0021. */
export function share(value: number): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value);
  const digits =
    size === 0 || size >= 0.01 ? size.toFixed(3) : size >= 1e-6 ? size.toPrecision(2) : size.toExponential(1);
  return (value < 0 ? MINUS : "") + digits.replace(/^0/, "").replace("e-", `e${MINUS}`);
}

/** Returns a number with three significant digits: 0.0123, −4.56, 1.20e−7. */
export function significant(value: number): string {
  if (Number.isNaN(value)) return "–";
  if (!Number.isFinite(value)) return value < 0 ? `${MINUS}∞` : "∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  const digits =
    size >= 1e-4 && size < 1e6
      ? Number(size.toPrecision(3)) >= 1000
        ? size.toFixed(0)
        : size.toPrecision(3)
      : size.toExponential(2);
  return (value < 0 ? MINUS : "") + digits.replace("e+", "e").replace("e-", `e${MINUS}`);
}

/** Returns a number with so many decimals, and without a minus before zeros: 0.31, −0.02, 0.00. */
export function decimal(value: number, digits = 2): string {
  if (!Number.isFinite(value)) return "–";
  const size = Math.abs(value).toFixed(digits);
  return value < 0 && Number(size) > 0 ? MINUS + size : size;
}

export function percent(value: number): string {
  const size = Math.abs(100 * value);
  return `${value < 0 ? MINUS : ""}${size > 0 && size < 1 ? size.toFixed(1) : size.toFixed(0)} %`;
}

export function seconds(value: number): string {
  if (value < 10) return `${value.toFixed(1)} s`;
  return value < 90 ? `${value.toFixed(0)} s` : `${Math.round(value / 60)} min`;
}

/** A time that is known to one digit: about 3 s, about 2 min. */
export function about(value: number): string {
  return value < 0.95
    ? "less than a second"
    : `about ${value < 90 ? `${value.toFixed(0)} s` : `${Math.round(value / 60)} min`}`;
}

/** The progress of a download: 42 of 93 MB, 1.2 of 5.0 GB. */
export function bytesOf(done: number, total: number): string {
  const [unit, digits, name] = total < 1e9 ? [1e6, 0, "MB"] : [1e9, 1, "GB"];
  return `${(done / unit).toFixed(digits)} of ${(total / unit).toFixed(digits)} ${name}`;
}

/** A number of bytes: 93 MB, 5.0 GB. */
export function bytes(value: number): string {
  if (value < 1e6) return "less than 1 MB";
  return value < 1e9 ? `${(value / 1e6).toFixed(0)} MB` : `${(value / 1e9).toFixed(1)} GB`;
}

export function plural(n: number, noun: string): string {
  return `${n.toLocaleString("en")} ${noun}${n === 1 ? "" : "s"}`;
}

/** Returns ²⁄₃ for the second of three tokens that share one character. */
export function partMark(k: number, n: number): string {
  const digits = (value: number, zeros: string) =>
    Array.from(String(value), (digit) => Array.from(zeros)[Number(digit)] ?? "").join("");
  return `${digits(k, "⁰¹²³⁴⁵⁶⁷⁸⁹")}⁄${digits(n, "₀₁₂₃₄₅₆₇₈₉")}`;
}

/** A part of a text, or (`sign`) the sign for an invisible character. */
export type Glyph = { text: string; sign: boolean };

/**
 * Signs of the first 32 code points, as in Python (characters.py; tests/data/characters.json checks both): names,
 * because few fonts have control pictures (␀).
 */
const CONTROLS =
  "NUL SOH STX ETX EOT ENQ ACK BEL BS HT LF VT FF CR SO SI DLE DC1 DC2 DC3 DC4 NAK SYN ETB CAN EM SUB ESC FS GS RS US".split(
    " ",
  );

const NAMED: Record<string, string> = {
  "\t": "⇥",
  "\n": "⏎",
  "\r": "CR",
  "\u007f": "DEL",
  "\u00a0": "⍽",
  "\u00ad": "SHY",
  "\u200b": "ZWSP",
  "\u200c": "ZWNJ",
  "\u200d": "ZWJ",
  "\u200e": "LRM",
  "\u200f": "RLM",
  "\u061c": "ALM",
  "\u2028": "LS",
  "\u2029": "PS",
  "\u2060": "WJ",
  "\ufeff": "BOM",
  "\u202a": "LRE",
  "\u202b": "RLE",
  "\u202c": "PDF",
  "\u202d": "LRO",
  "\u202e": "RLO",
  "\u2066": "LRI",
  "\u2067": "RLI",
  "\u2068": "FSI",
  "\u2069": "PDI",
};
/** Joiners and selectors of the letters around them (emoji families, Persian): they get a sign only if alone. */
const JOINERS = /\u200c|\u200d|[\ufe00-\ufe0f]/u;

function signOf(char: string, alone: boolean): string | null {
  const code = char.codePointAt(0) ?? 0;
  if (JOINERS.test(char)) return alone ? (NAMED[char] ?? `VS${code - 0xfdff}`) : null;
  if (Object.hasOwn(NAMED, char)) return NAMED[char] ?? null;
  if (code < 0x20) return CONTROLS[code] ?? null;
  if (code >= 0x80 && code < 0xa0) return hex(code);
  if (code >= 0xd800 && code < 0xe000) return hex(code); // a lone surrogate
  if (code >= 0xe0000 && code < 0xe0080) return hex(code); // invisible tag characters
  return null;
}

function hex(code: number): string {
  return `U+${code.toString(16).toUpperCase().padStart(4, "0")}`;
}

/** Returns the text with signs for invisible characters. Spaces become signs only in a text of white space. */
export function glyphs(text: string): Glyph[] {
  const chars = Array.from(text);
  const blank = /^\s+$/u.test(text);
  const alone = chars.every((char) => JOINERS.test(char));
  const out: Glyph[] = [];
  for (const [i, char] of chars.entries()) {
    const sign = blank && char === " " ? "␣" : signOf(char, alone);
    const hanging = sign === null && i === 0 && /^\p{M}$/u.test(char) && !JOINERS.test(char);
    const last = out.at(-1);
    const shown = sign ?? (hanging ? `◌${char}` : char);
    if (last !== undefined && last.sign === (sign !== null)) last.text += shown;
    else out.push({ text: shown, sign: sign !== null });
  }
  return out;
}

/** Returns the text on one line, for labels and tooltips, without the space that separates it from the word before. */
export function visible(text: string): string {
  const bare = /^ +\S/u.test(text) ? text.trimStart() : text;
  return glyphs(bare)
    .map((glyph) => glyph.text)
    .join("");
}
