import { readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { bytesOf, glyphs, partMark, percent, plural, seconds, share, significant, visible } from "../src/format";
import { labelOf, melts, nameOfSpan, partOf, templateRuns, toPieces } from "../src/pieces";
import { token, tokens } from "./help";

/** Python is held to the same file: tests/unit/test_export_table.py. */
type Case = { text: string; glyphs: [string, boolean][]; name: string };
const characters = JSON.parse(readFileSync(join(process.cwd(), "tests/data/characters.json"), "utf8")) as Case[];

const shown = (...list: Parameters<typeof toPieces>[0][number][]) =>
  toPieces(list).map(({ lines }) => lines.map((line) => line.map(({ text }) => text).join("")).join("\n"));

describe("a character split over several tokens", () => {
  const piece = (text: string, part: [number, number], span: [number, number]) => token(text, { part, span });
  it("is printed once; the other pieces show which part they are", () => {
    expect(shown(piece(" 機", [1, 3], [3, 5]), piece(" 機", [2, 3], [3, 5]), piece(" 機", [3, 3], [3, 5]))).toEqual([
      "機",
      "²⁄₃",
      "³⁄₃",
    ]);
  });
  it("is calm in many pieces: from four on a tick stands for each, and its label says which it is", () => {
    const family = Array.from({ length: 5 }, (_, k) => piece("👨‍👩‍👧‍👦", [k + 1, 5], [0, 7]));
    expect(shown(...family)).toEqual(["👨‍👩‍👧‍👦", "·", "·", "·", "·"]);
    expect(toPieces(family).map(({ mark }) => mark)).toEqual(["", "tick", "tick", "tick", "tick"]);
    expect(partOf(family[2] as (typeof family)[number])).toBe("part 3 of 5");
  });
  it("leaves an Arabic word joined: a stroke stands for the second half of a letter that reaches out to the next", () => {
    const halves = (letter: string, next: string, word = 0) => [
      token("ت"),
      piece(letter, [1, 2], [1, 2]),
      piece(letter, [2, 2], [1, 2]),
      token(next, { word, span: [2, 3] }),
    ];
    expect(shown(...halves("ع", "ل"))).toEqual(["ت", "ع", "ـ", "ل"]);
    expect(shown(...halves("آ", "ل"))).toEqual(["ت", "آ", "²⁄₂", "ل"]); // alef does not reach out
    expect(shown(...halves("ع", " ل", 1))[2]).toBe("²⁄₂"); // the word ends
    expect(shown(...halves("ع", "2"))[2]).toBe("²⁄₂");
    expect(shown(...halves("ع", "ل").slice(0, 3))[2]).toBe("²⁄₂"); // nothing there yet
    expect(shown(...halves("機", "器"))[2]).toBe("²⁄₂");
  });
  it("knows lam before alef, which a font draws as one shape", () => {
    expect([melts("ال", "آ"), melts("لَ", "ا"), melts("ا", "ل"), melts("a", "b")]).toEqual([true, true, false, false]);
  });
  it("leaves to a later piece what that piece has beyond it", () => {
    expect(shown(piece("我", [1, 2], [0, 1]), piece("我們", [2, 2], [0, 2]))).toEqual(["我", "們"]);
  });
  it("counts code points, so that a pair of surrogates is one", () => {
    expect(shown(piece("a👋", [1, 2], [0, 2]), piece("👋b", [2, 2], [1, 3]))).toEqual(["a👋", "b"]);
  });
  it("is named in full in its label", () => {
    const second = piece(" 機", [2, 3], [3, 5]);
    expect([labelOf(second), partOf(second)]).toEqual(["機", "part 2 of 3"]);
  });
  it("is in the name of a unit once, and in that of the unit it begins in", () => {
    const list = [
      token("a", { span: [0, 1] }),
      piece("機", [1, 3], [1, 2]),
      piece("機", [2, 3], [1, 2]),
      piece("機器", [3, 3], [1, 3]),
      piece("器", [2, 2], [2, 3]),
    ];
    const named = (start: number, end: number) => nameOfSpan(list, { start, end });
    expect([named(0, 5), named(1, 5), named(1, 3), named(3, 5), named(2, 5)]).toEqual([
      "a機器",
      "機器",
      "機",
      "器",
      "器",
    ]);
  });
  it("is never confused with a whole character at the same place of another text", () => {
    const whole = [token("a", { role: "source", span: [0, 1] }), token("b", { span: [0, 1] })];
    expect(shown(...whole)).toEqual(["a", "b"]);
  });
  it("leaves no token without something to see, and prints the text once, for any split", () => {
    const parts = fc.array(fc.tuple(fc.constantFrom("a", "機", "👋", "é"), fc.integer({ min: 1, max: 4 })), {
      minLength: 1,
    });
    fc.assert(
      fc.property(parts, (chars) => {
        const list = chars.flatMap(([char, n], i) =>
          Array.from({ length: n }, (_, k) => token(char, { span: [i, i + 1], part: n === 1 ? null : [k + 1, n] })),
        );
        const pieces = toPieces(list);
        expect(pieces.every(({ lines }) => lines.flat().some(({ text }) => text !== ""))).toBe(true);
        const printed = pieces.filter(({ mark }) => !mark).flatMap(({ lines }) => lines.flat().map(({ text }) => text));
        expect(printed.join("")).toBe(chars.map(([char]) => char).join(""));
      }),
    );
  });
});

describe("pieces", () => {
  it("stand after a space, as a part of a word, or beside each other", () => {
    const list = [
      token("un", { word: 0 }),
      token("real", { word: 0 }),
      token(" news", { word: 1 }),
      token(".", { word: 2 }),
    ];
    expect(toPieces(list).map(({ joint }) => joint)).toEqual(["space", "word", "space", "beside"]);
    expect(shown(...list)).toEqual(["un", "real", "news", "."]);
  });
  it("show spaces that separate nothing", () => {
    expect(shown(token(" "), token("   "), token("  x"), token("\u00a0"))).toEqual(["␣", "␣␣␣", "  x", "⍽"]);
  });
  it("break the line where the text does, each break with its sign", () => {
    const pieces = toPieces([token("a\n"), token("\n\n"), token("b\n  c"), token("\t")]);
    expect(pieces.map(({ breaks, newline }) => [breaks, newline])).toEqual([
      [true, false],
      [true, true],
      [false, false],
      [false, false],
    ]);
    expect(shown(token("b\n  c"), token("\n\n"))).toEqual(["b⏎\n  c", "⏎⏎"]);
  });
  it("are the same whether a text came at once or grew", () => {
    const any = fc.record({
      text: fc.constantFrom("a", " a", "a ", " ", "\n", "機", ""),
      part: fc.constantFrom(null, [1, 2], [2, 2]),
      at: fc.nat(3),
    });
    fc.assert(
      fc.property(fc.array(any), fc.nat(9), fc.array(any), (head, cut, tail) => {
        const make = ({ text, part, at }: (typeof head)[number]) =>
          token(text, { part: part as [number, number] | null, span: [at, at + Array.from(text).length] });
        const before = head.map(make);
        const after = [...before.slice(0, cut), ...tail.map(make)];
        expect(toPieces(after, { tokens: before, pieces: toPieces(before) })).toEqual(toPieces(after));
      }),
    );
  });
  it("of an empty text are boxes too", () => {
    expect(shown(token(""))).toEqual(["∅"]);
  });
});

describe("invisible characters", () => {
  it.each(characters)("are shown as Python shows them: $name", ({ text, glyphs: runs, name }) => {
    expect(glyphs(text).map((glyph) => [glyph.text, glyph.sign])).toEqual(runs);
    expect(visible(text)).toBe(name);
  });
  it("get a sign", () => {
    expect(["\t", "\u200b", "\u0000", "\ufeff", "\ud83d", "\u202e", "\u200d", "\u0085", "\u001b"].map(visible)).toEqual(
      ["⇥", "ZWSP", "NUL", "BOM", "U+D83D", "RLO", "ZWJ", "U+0085", "ESC"],
    );
  });
  it("stay what they are where they join letters and emoji", () => {
    expect(visible("👨‍👩‍👧")).toBe("👨‍👩‍👧");
    expect(visible(" می‌خواهم")).toBe("می‌خواهم");
  });
  it("are marked as signs, apart from the text around them", () => {
    expect(glyphs("a\tb")).toEqual([
      { text: "a", sign: false },
      { text: "⇥", sign: true },
      { text: "b", sign: false },
    ]);
  });
  it("leave no text empty, and let everything else through unchanged", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary", minLength: 1 }), (text) => {
        expect(visible(text)).not.toBe("");
      }),
    );
    fc.assert(
      fc.property(fc.stringMatching(/^[A-Za-z<>&"'/]+$/), (text) => {
        expect(visible(text)).toBe(text);
      }),
    );
  });
});

describe("runs of template tokens", () => {
  const special = (...at: number[]) =>
    tokens(Array(12).fill("x"), 10, Object.fromEntries(at.map((i) => [i, "special" as const])));
  it("fold when they are longer than three", () => {
    expect(templateRuns(special(0, 1, 2), 10, null)).toEqual([]);
    expect(templateRuns(special(0, 1, 2, 3, 6, 7, 8, 9), 10, null)).toEqual([
      { start: 0, end: 4 },
      { start: 6, end: 10 },
    ]);
  });
  it("fold whatever starts a decoder, however short, and never with the end of its source", () => {
    expect(templateRuns(special(5, 6), 7, 6)).toEqual([{ start: 6, end: 7 }]);
    expect(templateRuns(special(2, 3, 4, 5, 6), 7, 6)).toEqual([
      { start: 2, end: 6 },
      { start: 6, end: 7 },
    ]);
    expect(templateRuns(special(5, 6, 7), 9, 6)).toEqual([{ start: 6, end: 8 }]);
    expect(templateRuns(special(5), 7, 6)).toEqual([]);
  });
  it("never swallow a target", () => {
    expect(templateRuns(special(7, 8, 9, 10, 11), 9, null)).toEqual([]);
  });
});

describe("numbers", () => {
  it("of shares have three decimals, or two digits where those say too little", () => {
    // The same values, and the same words, in tests/unit/test_export_html.py.
    const said: [number, string][] = [
      [0.342, ".342"],
      [1, "1.000"],
      [0, ".000"],
      [-0, ".000"],
      [-0.0514, "−.051"],
      [0.9996, "1.000"],
      [0.0021, ".0021"],
      [-0.00201, "−.0020"],
      [0.00996, ".010"],
      [1.2e-5, ".000012"],
      [4.2e-7, "4.2e−7"],
      [0.0625, ".063"],
      [-0.3125, "−.313"],
      [2 ** -9, ".0020"],
      [9.96e-8, "1.0e−7"],
      [Number.NaN, "–"],
      [Number.POSITIVE_INFINITY, "–"],
    ];
    for (const [value, words] of said) expect(share(value)).toBe(words);
  });
  it("of scores have three significant digits", () => {
    expect(
      [0.012345, -4.5678, 123456, 0.00001234, 0, Number.POSITIVE_INFINITY, 999.9, 0.5625, 9.996].map(significant),
    ).toEqual(["0.0123", "−4.57", "123456", "1.23e−5", "0", "∞", "1000", "0.563", "10.0"]);
  });
  it("of the rest read as people say them", () => {
    expect([0.125, 0.004, 0, -0.5].map(percent)).toEqual(["13 %", "0.4 %", "0 %", "−50 %"]);
    expect([bytesOf(42e6, 92.9e6), bytesOf(0, 1.2e6), bytesOf(1.24e9, 5e9)]).toEqual([
      "42 of 93 MB",
      "0 of 1 MB",
      "1.2 of 5.0 GB",
    ]);
    expect([seconds(0.83), seconds(42.2), seconds(240)]).toEqual(["0.8 s", "42 s", "4 min"]);
    expect([plural(1, "token"), plural(1200, "token"), partMark(2, 13)]).toEqual(["1 token", "1,200 tokens", "²⁄₁₃"]);
  });
});
