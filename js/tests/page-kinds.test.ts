/** The HTML that the page saves of every kind of text: hostile, translated, classified, compared; and the file itself. */

import { beforeEach, describe, expect, it, vi } from "vitest";
import type { Store } from "../src/store";
import { pageOf } from "../src/views/takeaway/page";
import { about, conversation, documentOf, METHOD, mapOf, type Said, started, token } from "./help";
import { NAN, pageIn, read, shares, together, washington } from "./paging";

const HOVER = 'say("\\x3c/script>\\x3c!-- the end? -->");'; // that of help.ts, which cannot end its element

describe("a character that tokens share", () => {
  const shared = (): Said[] => {
    const list: [string, [number, number] | null, [number, number]][] = [
      ["a", null, [0, 1]],
      ["機", [1, 3], [1, 2]],
      ["機", [2, 3], [1, 2]],
      ["機器", [3, 3], [1, 3]],
      ["器", [2, 2], [2, 3]],
      [" b", null, [3, 5]],
    ];
    const words = list.map(([text, part, span], i) =>
      token(text, { part, span, word: i === 0 ? 0 : i < 5 ? 1 : 2, role: i < 5 ? "prompt" : "generated" }),
    );
    return about(words, 5, [[1, 1, 1, 1, 1]]);
  };
  it.each([
    ["token", [], ["a", "機", "²⁄₃", "器", "²⁄₂", "b"]],
    ["word", [], ["a", "機器", "b"]],
    ["word", [[1, 3]], ["a", "機", "器", "b"]],
    ["token", [[0, 2]], ["a機", "²⁄₃", "器", "²⁄₂", "b"]],
  ] as const)("is printed once: by %s, hidden %j", (by, hidden, expected) => {
    const { store } = started(shared());
    store.readBy(by);
    for (const [start, end] of hidden) store.hide({ start, end });
    const { prose, texts } = pageIn(store);
    expect(prose).toEqual(["a機器 b"]);
    if (hidden.length === 0) expect(texts).toEqual(expected);
    else expect(texts.join("")).toBe(expected.join(""));
  });
  it("has a name that says which part it is", () => {
    expect(pageIn(started(shared()).store).titles[2]).toBe("機 (²⁄₃) · share .200 · rank 1 of 5");
  });
});

describe("text from anywhere", () => {
  const HOSTILE = [
    "<script>alert(1)</script>",
    "<!--",
    "</style></title></details></div>",
    "<img src=x onerror=alert(1)>",
    '"><b>',
    "&lt;b&gt;",
    "]]>",
    "a\u0000b\u001b[31m\u202e\u2028\ud83d",
  ];
  /** A text, its segments, its classes, the model, the method and its unit, all called so. */
  function called(name: string, role: "generated" | "class" = "generated"): Store {
    const list = [token(name, { role: "source" }), token(name), token(name, { role }), token("x", { role })];
    const segments = [
      { kind: "source", name, start: 0, end: 1 },
      { kind: "target", name, start: 1, end: 4 },
    ] as const;
    const column = role === "class" ? [1, 2] : [1, 2, NAN];
    const said = about(list, 2, [column, column], { segments: [...segments] });
    const alternatives = [{ id: 7, text: `${name}!`, probability: 0.2 }];
    const more: Said[] = [
      [documentOf(1, 2, { model: name })],
      [
        {
          type: "menu",
          methods: [{ ...METHOD, label: name, unit: name }],
          objectives: [{ id: "probability", label: name }],
        },
      ],
      [{ type: "steps", doc: 1, start: 0, steps: [{ probability: 0.5, value: null, alternatives }] }],
      [mapOf("m1", { n_rows: role === "class" ? 2 : 3, n_cols: 2, foil: name, settings: [["layer", name]] })],
    ];
    return started([...said.slice(0, -2), ...more, ...said.slice(-2)]).store;
  }
  const tags = (html: string) =>
    [...new DOMParser().parseFromString(html, "text/html").querySelectorAll("*")]
      .filter(({ className }) => className !== "sw-sign")
      .map(({ tagName, attributes }) => [tagName, ...[...attributes].map((each) => each.name).sort()].join(" "));

  it.each(
    HOSTILE.flatMap(
      (name) =>
        [
          [name, "generated"],
          [name, "class"],
        ] as const,
    ),
  )("is text: %j as %s", (name, role) => {
    const html = pageOf(called(name, role));
    expect(tags(html)).toEqual(tags(pageOf(called("x", role))));
    const { page, data } = read(html);
    expect(page.querySelectorAll("script")).toHaveLength(2);
    expect(page.querySelectorAll("script")[1]?.textContent).toBe(HOVER);
    expect(data.names[1]).not.toBe("");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: they must not be there
    expect(html).not.toMatch(/[\u0000-\u0008\u001b\u202e\u2028\ud800-\udfff]/u);
  });
  it("is all there, with signs for what nobody would see; a line break stays one", () => {
    const list = ["a\u0000", "\n", "\n", " b\n"].map((text) => token(text));
    const { page, prose } = pageIn(
      started(about([...list, token(".", { role: "generated" })], 4, [[1, 1, 1, 1]])).store,
    );
    expect(prose[0]).toBe("a\n\n b\n.");
    expect(page.title).toBe("tiny: aNUL b .");
    const { boxes } = pageIn(started(about([...list, token(".", { role: "generated" })], 4, [[1, 1, 1, 1]])).store);
    expect(boxes.map(({ textContent }) => textContent)).toEqual(["aNUL", "⏎", "⏎", "b⏎", "."]);
  });
  it("is printed whole, however long a token is, and called by its ends", () => {
    const long = "w".repeat(3000);
    const { prose, titles } = pageIn(started(about([token(long), token("!", { role: "generated" })], 1, [[1]])).store);
    expect(prose).toEqual([`${long}!`]);
    expect(titles[0]).toMatch(/^w{60} … w{30} · share/);
  });
  it("is isolated where it runs from right to left, so that it does not turn the numbers beside it", () => {
    const list = [token("أحب"), token(" you"), token(" שלום", { role: "generated" })];
    const { titles, caption, data } = pageIn(started(about(list, 2, [[2, 1]])).store);
    expect(titles[0]).toBe("\u2068أحب\u2069 · share .667 · rank 1 of 2");
    expect(caption).toContain("\u2068أحب\u2069\u00a0.667 · you\u00a0.333");
    expect([data.names[0], data.captions[0].name]).toEqual(["\u2068أحب\u2069", "\u2068שלום\u2069"]);
  });
});

// ── two texts, classes, two maps ────────────────────────────────────────────────────────────────────────────────────────

describe("a translation", () => {
  const written = (begun: number) => {
    const roles = ["source", "source", "special", "special", ...Array(begun).fill("prompt"), "generated", "generated"];
    const texts = ["我", "喜歡", "</s>", "<pad>", ...[" I", " like", " it"].slice(0, begun + 2)];
    const list = texts.map((text, i) => token(text, { role: roles[i], word: i }));
    const n = list.length - 2;
    const segments = [
      { kind: "source", name: "", start: 0, end: 3 },
      { kind: "target", name: "translation", start: 3, end: list.length },
    ] as const;
    const columns = [
      Array(n + 1)
        .fill(1)
        .fill(NAN, n),
      Array(n + 1).fill(1),
    ];
    return pageIn(started(about(list, n, columns, { segments: [...segments] })).store);
  };
  it("is two texts under their names, each in its own direction", () => {
    const { page, prose, said, boxes } = written(0);
    expect(prose).toEqual(["我喜歡</s>", "<pad> I like"]);
    expect([...page.querySelectorAll(".sw-prose")].map((text) => text.getAttribute("dir"))).toEqual(["auto", "auto"]);
    expect([...page.querySelectorAll(".sw-side")].map(({ firstChild }) => firstChild?.textContent)).toEqual([
      "source",
      "translation",
    ]);
    expect(said(".sw-separator")).toBe(""); // nothing but a start token was read of it
    expect(boxes.map(({ dir }) => dir)).toEqual(["", "", "ltr", "ltr", "", ""]);
  });
  it("says where the writing begins where it was begun", () => {
    const { store } = started();
    expect(new DOMParser().parseFromString(pageOf(store), "text/html").querySelectorAll(".sw-separator")).toHaveLength(
      1,
    );
    expect(written(1).prose[1]).toBe("<pad> I like it");
  });
});

describe("classes", () => {
  function classified(probabilities: number[], columns?: number[][]) {
    const names = probabilities.map((_, k) => token(String.fromCharCode(65 + k), { role: "class", id: 50 + k }));
    const list = [token("[CLS]", { role: "special" }), token("a"), token(" gem"), ...names];
    return started(about(list, 3, columns ?? probabilities.map((_, k) => [0, 1, k + 1]), { probabilities })).store;
  }
  it("stand below the text with their probabilities, and the likeliest is shown first", () => {
    const { prose, said, boxes, data, asked } = pageIn(classified([0.0123, 0.9877]));
    expect(prose).toEqual(["[CLS]a gem"]);
    expect(boxes.slice(3).map(({ textContent }) => textContent)).toEqual(["A .012", "B .988"]);
    expect([data.shown, asked, data.cols]).toEqual([1, ["B .988"], [null, null, null, 0, 1]]);
    expect(said("summary")).toBe("All classes in numbers");
  });
  it("that are many stand by their probability, though the script counts them as they are", () => {
    const { boxes } = pageIn(classified([0.1, 0.02, 0.3, 0.01, 0.5, 0.03, 0.004, 0.006, 0.019, 0.0002]));
    const order = boxes.slice(3).map(({ style, textContent }) => [Number(style.order), textContent?.[0]] as const);
    expect(
      order
        .sort(([a], [b]) => a - b)
        .map(([, name]) => name)
        .join(""),
    ).toBe("ECAFBIDHGJ");
  });
  it("that are not computed are no targets", () => {
    const store = classified([0.2, 0.3, 0.5], [[1, 2, 3]]);
    const { boxes, data } = pageIn(store);
    expect([boxes.length, data.cols, data.ended]).toEqual([6, [null, null, null, 0, null, null], [0, 0, 0, 0, 1, 1]]);
  });
  it("that are plain numbers of a model are its outputs", () => {
    const tokens = [token("a"), token(" gem"), token("A", { role: "class" }), token("B", { role: "class" })];
    const messages = about(
      tokens,
      2,
      [
        [1, 2],
        [3, 4],
      ],
      {},
    );
    const { store } = started(
      messages.map(([message, ...rest]) =>
        message.type === "document"
          ? [{ ...message, raw: true }, ...rest]
          : message.type === "steps"
            ? [
                {
                  ...message,
                  steps: [
                    { probability: null, value: -1.5, alternatives: [] },
                    { probability: null, value: 2.25, alternatives: [] },
                  ],
                },
                ...rest,
              ]
            : [message, ...rest],
      ),
    );
    const html = pageOf(store);
    expect(html).toContain(">outputs<");
    expect(html).toContain("All outputs in numbers");
    expect(html).toContain("−1.5");
    expect(html).not.toContain("class<");
  });
  it("have the colours of what they owe to an input", () => {
    const store = classified([0.4, 0.6]);
    store.turn({ start: 2, end: 3 });
    const { asked, titles } = pageIn(store);
    expect([asked, titles.slice(3)]).toEqual([["gem"], ["A · fed .500 · rank 2 of 2", "B · fed .667 · rank 1 of 2"]]);
  });
});

describe("a difference of two maps", () => {
  const [A, B] = [
    [
      [0.3, -1.2, 0.8],
      [1.1, 0.4, -0.7, 0.2],
    ],
    [
      [-0.5, 0.9, 0.1],
      [0.6, -1.4, 0.3, 2],
    ],
  ];
  const words = [0, 0, 1, 2, 3];
  function compared(): Store {
    const list = words.map((word, i) => token(`t${i}`, { word, role: i < 3 ? "prompt" : "generated" }));
    const columns = (of: number[][] = []) => of.map((column) => [...column, ...Array(4 - column.length).fill(NAN)]);
    const fill = (map: string, of: number[][]): Said[] => [
      [mapOf(map, { method: map, n_rows: 4, n_cols: 2, objective: "log_probability", aside: map !== "difference" })],
      ...of.map(
        (scores, col): Said => [{ type: "column", floor: null, n_cols: 1, map, seq: 1, col, n_rows: 4 }, scores],
      ),
    ];
    const card = (id: string, family: string) => ({
      ...METHOD,
      id,
      label: id,
      family,
      signed: true,
      uses_objective: false,
    });
    const [hello, , all] = about(list, 3, []);
    return started([
      hello as Said,
      [documentOf(1, 3, { model: "A: one | B: two", alive: false, beside: ["a", "b"] })],
      all as Said,
      [
        {
          type: "menu",
          methods: [
            card("a", "gradient"),
            card("b", "gradient"),
            { ...card("difference", "difference"), unit: "difference of shares" },
          ],
          objectives: [],
        },
      ],
      ...fill("a", columns(A)),
      ...fill("b", columns(B)),
      ...fill("difference", columns(A)), // its own do not count
    ]).store;
  }
  it.each([
    ["tokens", {}],
    ["words", { words: true }],
    ["the mean of words", { words: true, pool: "mean" }],
    ["what is not hidden", { hidden: 1 }],
    ["two targets as one", { pin: true }],
    ["their sum", { pin: true, joint: "sum" }],
  ] as [string, { words?: boolean; pool?: "mean"; hidden?: number; pin?: boolean; joint?: "sum" }][])(
    "is taken between the shares that are seen: of %s",
    (_, how) => {
      const store = compared();
      if (how.words) store.readBy("word");
      store.pool.value = how.pool ?? "sum";
      store.joint.value = how.joint ?? "mean";
      if (how.hidden !== undefined) store.hide({ start: how.hidden, end: how.hidden + 1 });
      if (how.pin) store.pin(0, 2);
      const share = (of: number[][] = []) => {
        const rows = [0, 1, 2].map((row) => {
          const both = of.map((column) => column[row] ?? NAN);
          return row === how.hidden ? NAN : how.pin ? together(both, how.joint ?? "mean") : (both[0] ?? NAN);
        });
        return shares(how.words ? [together(rows.slice(0, 2), how.pool ?? "sum"), rows[2] ?? NAN] : rows);
      };
      const [a, b] = [share(A), share(B)];
      const { scores, data, head } = pageIn(store);
      expect(scores[0]?.slice(0, a.length).map((x) => x.toFixed(6))).toEqual(
        a.map((x, k) => (x - (b[k] ?? NAN)).toFixed(6)),
      );
      expect([data.label, data.signed]).toEqual(["difference", true]);
      expect(head).toMatch(/^A: one \| B: two · difference · log-probability · difference of shares/);
    },
  );
});

// ── as a file ───────────────────────────────────────────────────────────────────────────────────────────────────────────

describe("the file", () => {
  beforeEach(() => {
    document.body.replaceChildren();
  });
  it("is whole, says what it is, and asks for nothing", () => {
    const html = pageOf(started().store);
    const { page } = read(html);
    expect(html).toMatch(/^<!doctype html>\n<html>/);
    expect(page.head.firstElementChild?.getAttribute("charset")).toBe("utf-8");
    expect(page.title).toBe("tiny: The first president was George Washington. He");
    expect(html.replace(HOVER, "")).not.toMatch(/(src|href|srcset)\s*=|url\(|@import|https?:/);
    const long = started(conversation(["word", ...Array(299).fill(" word")], 298, [Array(299).fill(1)])).store;
    expect(read(pageOf(long)).page.title.length).toBeLessThan(80);
  });
  it("can be hovered by the script that goes along", async () => {
    const store = washington();
    store.readBy("word");
    store.hide({ start: 5, end: 7 });
    const html = pageOf(store);
    document.body.innerHTML = read(html).page.body.innerHTML;
    vi.resetModules();
    await import("../src/static");
    const boxes = [...document.querySelectorAll<HTMLElement>(".sw-token")];
    const seen = () => [document.querySelector(".sw-caption")?.textContent, ...boxes.map(({ title }) => title)];
    const before = read(html);
    expect(seen()).toEqual([before.caption, ...before.titles]);
    boxes.at(-1)?.dispatchEvent(new PointerEvent("pointerover", { bubbles: true }));
    store.pin(2);
    const other = pageIn(store);
    expect(seen()).toEqual([other.caption, ...other.titles]);
    expect(other.caption).toMatch(/^Washington/);
  });
  it("has the colours of one target alone where all would be too much", () => {
    const texts = ["w", ...Array(999).fill(" w")];
    const column = (n: number) => Array.from({ length: 999 }, (_, row) => (row < n ? 1 + (row % 7) : NAN));
    const columns = Array.from({ length: 300 }, (_, col) => column(700 + col));
    const { page, titles, said } = pageIn(started(conversation(texts, 700, columns)).store);
    expect(page.querySelectorAll("script")).toHaveLength(0);
    expect(said(".sw-static-map")).toContain("this page has the colours of this one target alone");
    expect(titles.filter((title) => title.includes("share"))).toHaveLength(700);
    expect(page.querySelectorAll("tbody tr")).toHaveLength(300);
  });
});
