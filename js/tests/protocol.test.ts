import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { float32, readToPage } from "../src/messages";
import { PROTOCOL, ProtocolError, type ToKernel } from "../src/protocol";

const GOLDEN = join(process.cwd(), "tests/protocol");
const json = (side: string, name: string) => JSON.parse(readFileSync(join(GOLDEN, side, `${name}.json`), "utf8"));
const names = (side: string) =>
  readdirSync(join(GOLDEN, side))
    .filter((name) => name.endsWith(".json"))
    .map((name) => name.slice(0, -5))
    .sort();
const bytes = (name = "column") => new Uint8Array(readFileSync(join(GOLDEN, `to_page/${name}.bin`)));
/** The messages that carry a buffer, and what it is called once it is read. */
const BUFFERS: Record<string, string> = { column: "scores", heads: "weights" };

const REVIEW =
  "This film is a compelling drama that captivates audiences with its intricate storytelling and powerful performances.";
const [, SCORES] = json("to_page", "explainers").prompts;

const TO_KERNEL: Record<ToKernel["type"], ToKernel> = {
  ack: { type: "ack", seq: 7 },
  ask: {
    type: "ask",
    method: "attention",
    objective: "probability",
    settings: { layer: 3 },
    foil: 8501,
    hop: 2,
    col: 0,
    aside: true,
    all: true,
  },
  as_chat: { type: "as_chat" },
  back: { type: "back", to: 0 },
  branch: { type: "branch", col: 0, token: 8501, rows: [1, 2], text: "a b" },
  cancel: { type: "cancel" },
  evaluate: { type: "evaluate", cols: [3, 4], ahead: true },
  focus: { type: "focus", col: 3, n_cols: 2 },
  hello: { type: "hello", protocol: PROTOCOL },
  explain: { type: "explain", explainer: "model", kind: "scores", prompt: SCORES.text, review: REVIEW, homework: true },
  heads: { type: "heads", request: 7, col: 3 },
  keep: { type: "keep", rows: [1, 2], text: "a b" },
  sanity: { type: "sanity", cols: [3, 4], maps: ["m1", "m2"], ahead: true },
  say_versus_do: { type: "say_versus_do", review: REVIEW, explainer: "gemini", labels: ["good", "bad"] },
  try: { type: "try", request: 2 ** 52, rows: [1, 2], text: "a b" },
};
const TO_PAGE = [
  "answer",
  "column",
  "comparison",
  "document",
  "evaluation",
  "exhibited",
  "explainers",
  "failed",
  "heads",
  "heard",
  "hello",
  "map",
  "menu",
  "notes",
  "rest",
  "sanity",
  "status",
  "steps",
  "tokens",
  "trail",
  "unanswered",
  "what_if",
];

describe("the golden files", () => {
  it("are one for each message of either side", () => {
    expect(names("to_page")).toEqual(TO_PAGE);
    expect(names("to_kernel")).toEqual(Object.keys(TO_KERNEL).sort());
  });
  it.each(TO_PAGE.filter((name) => BUFFERS[name] === undefined))("to_page/%s is read as it stands", (name) => {
    expect(readToPage(json("to_page", name))).toEqual(json("to_page", name));
  });
  it.each(Object.entries(BUFFERS))("to_page/%s is read with its buffer", (name, numbers) => {
    const { [numbers]: read, ...header } = readToPage(json("to_page", name), [bytes(name)]) as Record<string, unknown>;
    expect(header).toEqual({ ...json("to_page", name), ...(name === "column" ? { errors: null } : {}) });
    expect(read).toEqual(new Float32Array(bytes(name).buffer));
  });
  it("to_page/column is read with its errors", () => {
    const both = [bytes(), bytes("column.errors")];
    const read = readToPage(json("to_page", "column"), both);
    expect(read).toMatchObject({ scores: new Float32Array(both[0]?.buffer as ArrayBuffer) });
    expect(read).toMatchObject({ errors: new Float32Array([0.125, 0.0625, 0, Number.NaN]) });
    expect(() => readToPage(json("to_page", "column"), [bytes(), bytes().slice(4)])).toThrow("12 bytes for 4 numbers");
  });
  it("to_page/column is read with the size below which it is noise", () => {
    const read = (floor: unknown) => readToPage({ ...json("to_page", "column"), floor }, [bytes()]);
    expect([0.125, null].map(read)).toMatchObject([{ floor: 0.125 }, { floor: null }]);
    expect(() => read("0.125")).toThrow("column.floor: expected a number");
  });
  it.each(Object.entries(TO_KERNEL))("to_kernel/%s is what we write", (name, message) => {
    expect(message).toEqual(json("to_kernel", name));
  });
});

describe("readToPage", () => {
  it("ignores what is none of our messages", () => {
    for (const content of [null, undefined, 7, "hello", [], {}, { type: 3 }, { type: "toString" }, { type: "later" }])
      expect(readToPage(content)).toBeNull();
  });
  it("rejects each message that lacks one of its fields", () => {
    for (const name of TO_PAGE) {
      const whole = json("to_page", name);
      for (const field of Object.keys(whole).filter((key) => key !== "type")) {
        const { [field]: _, ...rest } = whole;
        expect(() => readToPage(rest, [bytes(BUFFERS[name] && name)]), `${name} without ${field}`).toThrow(
          ProtocolError,
        );
      }
    }
  });
  it("reads the hello of another version whatever else it says", () => {
    for (const protocol of [PROTOCOL - 1, PROTOCOL + 1])
      expect(readToPage({ type: "hello", protocol, later: 3 })).toMatchObject({ type: "hello", protocol });
    expect(() => readToPage({ type: "hello", protocol: "2" })).toThrow(/hello\.protocol: expected a number/);
  });
  it("says which field is wrong", () => {
    expect(() => readToPage({ ...json("to_page", "status"), phase: "resting" })).toThrow(/status\.phase.*one of idle/);
    const { tokens, ...rest } = json("to_page", "tokens");
    expect(() => readToPage({ ...rest, tokens: [{ ...tokens[0], role: "hero" }] })).toThrow(
      /tokens\.tokens\[0\]\.role/,
    );
  });
  it("takes three numbers for a place, no more and no fewer", () => {
    for (const replaced of [[[1, 2]], [[1, 2, 3, 4]], [[1, 2, -3]]])
      expect(() => readToPage({ ...json("to_page", "exhibited"), replaced })).toThrow(/exhibited\.replaced\[0\]/);
  });
  it("checks what LLMs say as closely", () => {
    const [answer, comparison, explainers] = ["answer", "comparison", "explainers"].map((name) =>
      json("to_page", name),
    );
    const wrong: [unknown, RegExp][] = [
      [{ ...answer, state: "lost" }, /answer\.state: expected one of waiting/],
      [{ ...answer, kind: "poem" }, /answer\.kind/],
      [{ ...answer, leans: 2 }, /answer\.leans: expected 1, 0 or -1/],
      [{ ...answer, failure: { message: "one" } }, /answer\.failure\.cure/],
      [{ ...answer, words: [{ text: "a", score: "1", uncertainty: null }] }, /answer\.words\[0\]\.score/],
      [{ ...answer, pairs: [{ ...answer.pairs[0], fate: "lost" }] }, /answer\.pairs\[0\]\.fate/],
      [{ ...answer, card: { ...answer.card, about: [["a", 1]] } }, /answer\.card\.about\[0\]\[1\]/],
      [{ ...comparison, label: null }, /comparison\.label: expected a string, got null/],
      [{ ...comparison, sides: [{ ...comparison.sides[0], scores: null }] }, /comparison\.sides\[0\]\.scores/],
      [{ ...explainers, prompts: [{ ...explainers.prompts[0], kind: 1 }] }, /explainers\.prompts\[0\]\.kind/],
    ];
    for (const [message, where] of wrong) expect(() => readToPage(message)).toThrow(where);
    const failed = { ...answer, state: "failed", failure: { message: "Cause.", cure: "Cure." } };
    expect(readToPage(failed)).toEqual(failed);
  });
  it("checks an evaluation as closely", () => {
    const told = json("to_page", "evaluation");
    const [map] = told.maps;
    const wrong: [unknown, RegExp][] = [
      [{ ...told, cols: [-1] }, /evaluation\.cols\[0\]: expected a whole number/],
      [{ ...told, maps: [{ ...map, is_chance: "no" }] }, /evaluation\.maps\[0\]\.is_chance/],
      [{ ...told, maps: [{ ...map, judgements: [{ operator: "mask" }] }] }, /judgements\[0\]\.sentence/],
      [{ ...told, floors: [{ ...told.floors[0], only: null }] }, /evaluation\.floors\[0\]\.only: expected an object/],
      [{ ...told, agreement: [{ a: 0, b: 1, value: "1", outside: true }] }, /agreement\[0\]\.value/],
    ];
    for (const [message, where] of wrong) expect(() => readToPage(message)).toThrow(where);
  });
  it("checks what was found of a map's sanity as closely", () => {
    const told = json("to_page", "sanity");
    const [map] = told.maps;
    const wrong: [unknown, RegExp][] = [
      [{ ...told, memory: "1 GB" }, /sanity\.memory: expected a whole number/],
      [{ ...told, maps: [{ ...map, notices: "no" }] }, /sanity\.maps\[0\]\.notices: expected a boolean/],
      [{ ...told, maps: [{ ...map, said: null }] }, /sanity\.maps\[0\]\.said: expected a list/],
      [{ ...told, maps: [{ ...map, figures: [{ label: "a", value: 1 }] }] }, /figures\[0\]\.value: expected a string/],
    ];
    for (const [message, where] of wrong) expect(() => readToPage(message)).toThrow(where);
  });
  it("never fails on any content but by a ProtocolError", () => {
    fc.assert(
      fc.property(
        fc.record({ type: fc.constantFrom(...TO_PAGE) }),
        fc.dictionary(fc.string(), fc.jsonValue()),
        (a, b) => {
          try {
            readToPage({ ...b, ...a });
          } catch (error) {
            expect(error).toBeInstanceOf(ProtocolError);
          }
        },
      ),
    );
  });
});

describe("float32", () => {
  it("reads the same numbers at every offset into the host's buffer, and keeps none of it", () => {
    fc.assert(
      fc.property(fc.array(fc.float()), fc.nat(9), (numbers, offset) => {
        const host = new Uint8Array(offset + 4 * numbers.length + 3);
        host.set(new Uint8Array(Float32Array.from(numbers).buffer), offset);
        const read = float32(new DataView(host.buffer, offset, 4 * numbers.length), numbers.length);
        host.fill(0xab);
        expect(read).toEqual(Float32Array.from(numbers));
      }),
    );
  });
  it("refuses a buffer of another length", () => {
    expect(() => float32(new ArrayBuffer(12), 4)).toThrow("12 bytes for 4 numbers");
    for (const name of Object.keys(BUFFERS)) expect(() => readToPage(json("to_page", name), [])).toThrow("no buffer");
  });
});
