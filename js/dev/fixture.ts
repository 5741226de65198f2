/**
 * The gallery: the real views on a kernel that is only a list of messages. `npm run dev` writes it to build/dev/;
 * index.html?only=chat&theme=dark shows one of them. `window.gallery[name]` is the fake model: `sent`, `hear(message)`.
 */

import type { ToKernel, WireAlternative, WireMethod, WireSegment, WireToken } from "../src/protocol";
import { PROTOCOL } from "../src/protocol";
import { type Beside, createStore } from "../src/store";
import "../src/styles.css";
import { connect, type Host } from "../src/transport";
import { mount } from "../src/views/widget";
import { big } from "./big";
import { aside, beside, OTHERS as OTHER_MAPS } from "./compare";
import { ANSWERS, COMPARISON, EXPLAINERS, REVIEWED } from "./explain";
import { CONTRAST, headsOf, TRAIL, weightsOf } from "./reading";
import { EDITABLE, EDITED, GONE, STRUCK } from "./takeaway";
import { AR_EN, BEGUN, type Draft, EMOTIONS, EN_AR, FEELINGS, INTENTS, special, type Task, ZH_EN } from "./tasks";

type Wire = Record<string, unknown>;
type Scene = {
  messages: Wire[];
  columns?: (col: number, map: string) => Float32Array | null;
  drawer?: boolean | "Explain" | "Compare";
  beside?: Beside[];
};

const method = (id: string, label: string, more: Partial<WireMethod> = {}): WireMethod => ({
  id,
  label,
  family: "gradient",
  signed: false,
  uses_objective: true,
  unit: "gradient norm",
  cost: "one backward pass per target",
  reads: "How much the objective moves when this token's embedding moves a little.",
  caveats: ["Near 0 when the model is almost certain."],
  reference: "Simonyan et al. 2014, arXiv:1312.6034",
  reason: null,
  ...more,
});

const ONE_PASS = "one forward pass for all targets";
const MENU = {
  type: "menu",
  methods: [
    method("saliency", "Gradient"),
    method("attention", "Attention", { family: "attention", uses_objective: false, unit: "attention", cost: ONE_PASS }),
    method("occlusion", "Occlusion", {
      family: "perturbation",
      signed: true,
      unit: "drop in probability",
      cost: "one forward pass per token",
    }),
    method("input_x_gradient", "Input × gradient", { signed: true, unit: "input × gradient" }),
    method("integrated_gradients", "Integrated gradients", { signed: true, cost: "32 backward passes per target" }),
    method("smoothgrad", "SmoothGrad", { cost: "16 backward passes per target" }),
    method("attention_rollout", "Attention rollout", { family: "attention", uses_objective: false, cost: ONE_PASS }),
    method("value_zeroing", "Value zeroing", {
      family: "attention",
      cost: "one forward pass per layer and token",
      reason: "Value zeroing needs eager attention, which FlexAttention does not offer on this device.",
    }),
    method("deletion", "Deletion", { family: "perturbation", signed: true, cost: "one forward pass per token" }),
    method("lime", "LIME", { family: "perturbation", signed: true, cost: "3,000 forward passes per target" }),
    method("attnlrp", "AttnLRP", {
      family: "relevance",
      signed: true,
      reason: "No rule for MambaMixer, so it cannot run on this model.",
    }),
    method("random", "Random", { family: "baseline", cost: "one forward pass, for the probabilities alone" }),
  ],
  objectives: [
    { id: "probability", label: "probability" },
    { id: "log_probability", label: "log probability" },
    { id: "logit", label: "logit" },
  ],
};

function tokensOf(drafts: Draft[], firstTarget: number, segments: WireSegment[] = []): WireToken[] {
  let [at, word] = [0, -1];
  let roleBefore = "";
  return drafts.map((draft, i) => {
    const own = typeof draft === "string" ? { text: draft } : draft;
    const role = own.role ?? (i < firstTarget ? "prompt" : "generated");
    const span: [number, number] | null =
      role === "special" ? null : (own.span ?? [at, at + Array.from(own.text).length]);
    if (span !== null) at = span[1];
    const goesOn = i > 0 && own.role !== "special" && role === roleBefore && /^(?!\p{Script=Han})\p{L}/u.test(own.text);
    if (!goesOn) word++;
    roleBefore = role;
    const segment = segments.findIndex(({ start, end }) => i >= start && i < end);
    return { id: 100 + i, text: own.text, role, span, word, sentence: 0, segment, part: own.part ?? null };
  });
}

/** The same numbers at every call: a gallery is for comparing. */
function noise(seed: number): number {
  const x = Math.sin(seed * 12.9898 + 78.233) * 43758.5453;
  return x - Math.floor(x);
}

const OTHERS: WireAlternative[] = [
  { id: 1, text: " W", probability: 0.088 },
  { id: 2, text: " Bush", probability: 0.045 },
  { id: 3, text: " H", probability: 0.027 },
  { id: 4, text: " Clinton", probability: 0.018 },
];

function scene(
  drafts: Draft[],
  firstTarget: number,
  options: {
    method?: string;
    segments?: WireSegment[];
    scores?: (row: number, col: number) => number;
    done?: number;
    /** Of the columns; what is left out is made up. */
    probabilities?: number[];
    alternatives?: WireAlternative[];
    model?: string;
    methods?: WireMethod[];
    tail?: Wire[];
    missing?: (col: number) => boolean;
    drawer?: Scene["drawer"];
    beside?: Beside[];
  } = {},
): Scene {
  const tokens = tokensOf(drafts, firstTarget, options.segments);
  const classes = tokens[firstTarget]?.role === "class";
  const [nRows, nCols] = [classes ? firstTarget : tokens.length - 1, tokens.length - firstTarget];
  const scores =
    options.scores ??
    ((row, col) => 0.02 * noise(row + 31 * col) ** 3 + 0.004 / (1 + Math.abs(firstTarget + col - 1 - row)));
  const column = (col: number, map: string) =>
    Float32Array.from({ length: nRows }, (_, row) =>
      row < firstTarget + col ? (OTHER_MAPS[map] ?? scores)(row, col) : Number.NaN,
    );
  return {
    messages: [
      { type: "hello", protocol: PROTOCOL, session: "gallery" },
      {
        type: "document",
        doc: 1,
        model: options.model ?? "SmolLM2-135M",
        device: "cpu",
        dtype: "float32",
        first_target: firstTarget,
        editable: null,
      },
      { type: "tokens", doc: 1, start: 0, tokens, segments: options.segments ?? [] },
      options.methods === undefined ? MENU : { ...MENU, methods: options.methods },
      {
        type: "steps",
        doc: 1,
        start: 0,
        steps: Array.from({ length: nCols }, (_, col) => ({
          probability: options.probabilities?.[col] ?? (col === 0 ? 0.796 : 0.3 + 0.7 * noise(col)),
          alternatives: classes
            ? []
            : [
                { id: 100 + firstTarget + col, text: tokens[firstTarget + col]?.text ?? "", probability: 0.796 },
                ...(options.alternatives ?? OTHERS),
              ],
        })),
      },
      {
        type: "map",
        map: "m1",
        doc: 1,
        method: options.method ?? "saliency",
        objective: "probability",
        settings: [],
        foil: null,
        col: null,
        aside: false,
        n_rows: nRows,
        n_cols: nCols,
      },
      ...Array.from({ length: options.done ?? nCols }, (_, col) => col)
        .filter((col) => options.missing?.(col) !== true)
        .map((col) => ({ type: "column", map: "m1", seq: col + 1, col, n_rows: nRows })),
      ...(options.tail ?? []),
    ],
    columns: column,
    drawer: options.drawer ?? false,
    beside: options.beside ?? [],
  };
}

const GEORGE = [
  "The",
  " first",
  " president",
  " of",
  " the",
  " United",
  " States",
  " was",
  " George",
  " Washington",
  ".",
  "\n",
  "\n",
  "The",
  " first",
  " president",
  " of",
];
const WASHINGTON = [0.091, 0.082, 0.216, 0.031, 0.017, 0.087, 0.072, 0.062, 0.342];
const washington = (row: number, col: number) =>
  col === 0
    ? 0.031 * (WASHINGTON[row] ?? 0)
    : 0.02 * noise(row * 7 + 13 * col) ** 2 + (row === 0 ? 0.02 : 0) + (row === 8 + col ? 0.015 : 0);
const status = (
  phase: string,
  what: string,
  done = 0,
  total: number | null = null,
  left: number | null = null,
  unit = "tokens",
) => ({ type: "status", phase, what, done, total, unit, seconds_left: left });

/** What stands in the same place of the other text weighs most, and some of it is against. */
function translated({ drafts, firstTarget, segments }: Task, options: Parameters<typeof scene>[2] = {}): Scene {
  const nTargets = drafts.length - firstTarget;
  return scene(drafts, firstTarget, {
    segments,
    model: "opus-mt-zh-en",
    alternatives: [
      { id: 1, text: " enjoy", probability: 0.061 },
      { id: 2, text: " love", probability: 0.032 },
      { id: 3, text: " prefer", probability: 0.0041 },
    ],
    scores: (row, col) =>
      0.05 * Math.exp(-3 * Math.abs(row / firstTarget - col / nTargets)) * noise(row + 17 * col) +
      (row === firstTarget + col - 1 ? 0.02 : 0),
    ...options,
  });
}

function classified(
  { drafts, firstTarget, segments }: Task,
  model: string,
  probability: (col: number) => number,
  options: Parameters<typeof scene>[2] = {},
): Scene {
  const probabilities = drafts.slice(firstTarget).map((_, col) => probability(col));
  const scores = (row: number, col: number) => 0.2 * (noise(7 * row + (col % 5)) - 0.4) ** 3;
  return scene(drafts, firstTarget, { segments, model, probabilities, method: "occlusion", scores, ...options });
}

const without = (ids: string[], reason: string) =>
  MENU.methods.map((card) => (ids.includes(card.id) ? { ...card, reason } : card));
const CHAT: Draft[] = [
  ...special("<|im_start|>", "system", "\n"),
  "You",
  " are",
  " a",
  " help",
  "ful",
  " assistant",
  ".",
  ...special("<|im_end|>", "\n", "<|im_start|>", "user", "\n"),
  "Is",
  " this",
  " review",
  " positive",
  "?",
  "\n",
  "\n",
  '"',
  "Un",
  "believ",
  "ably",
  " good",
  ",",
  " I",
  " cried",
  ".",
  '"',
  ...special("<|im_end|>", "\n", "<|im_start|>", "assistant", "\n"),
  "Yes",
  ",",
  " the",
  " review",
  " is",
  " positive",
  ".",
  { text: "<|im_end|>" },
];
const CHAT_FIRST = CHAT.length - 8;
const CHAT_SEGMENTS: WireSegment[] = [
  { kind: "system", name: "system", start: 0, end: 12 },
  { kind: "user", name: "user", start: 12, end: CHAT_FIRST - 3 },
  { kind: "assistant", name: "assistant", start: CHAT_FIRST - 3, end: CHAT.length },
];

const CHINESE: Draft[] = [
  "我",
  "喜歡",
  { text: "機", part: [1, 3], span: [3, 4] },
  { text: "機", part: [2, 3], span: [3, 4] },
  { text: "機", part: [3, 3], span: [3, 4] },
  "器",
  "學習",
  "和",
  "人工",
  "智慧",
  "。",
  "它",
  "讓",
  { text: "我", part: [1, 2], span: [15, 16] },
  { text: "我們", part: [2, 2], span: [15, 17] },
  "看見",
  "世界",
  "。",
];
const ARABIC: Draft[] = ["كان", " أول", " رئيس", " لل", "ولايات", " المت", "حدة", " هو", " جورج", " واش", "نطن", "."];
/** " ال" + "آ" in halves + "ل": a lam-alef that two tokens share; and "ع" in halves within a joined word. */
const ARABIC_BYTES: Draft[] = [
  "أ",
  "ح",
  "ب",
  " ال",
  "ت",
  { text: "ع", part: [1, 2], span: [7, 8] },
  { text: "ع", part: [2, 2], span: [7, 8] },
  "ل",
  "م",
  " ال",
  { text: "آ", part: [1, 2], span: [13, 14] },
  { text: "آ", part: [2, 2], span: [13, 14] },
  "ل",
  "ي",
  " ك",
  { text: "ث", part: [1, 2], span: [18, 19] },
  { text: "ث", part: [2, 2], span: [18, 19] },
  "ي",
  "را",
];
/** The same words in a line that runs from left to right. */
const ARABIC_QUOTED: Draft[] = [
  "He",
  " said",
  " ",
  ...ARABIC_BYTES.slice(9, 14).map((draft) =>
    typeof draft === "string"
      ? draft
      : { text: draft.text, ...(draft.part && { part: draft.part, span: [11, 12] as [number, number] }) },
  ),
  ",",
  " then",
  " left",
  ".",
];
const split = (text: string, at: number, n: number): Draft[] =>
  Array.from({ length: n }, (_, k) => ({
    text,
    part: [k + 1, n] as [number, number],
    span: [at, at + Array.from(text).length] as [number, number],
  }));
const FAMILY: Draft[] = [
  "Our",
  " family",
  ...split(" 👨‍👩‍👧‍👦", 10, 18),
  " went",
  " to",
  " space",
  ...split(" 👩🏽‍🚀", 32, 11),
  " and",
  " saw",
  " the",
  " stars",
  ...split(" 🌟", 55, 3),
  ...split("✨", 57, 2),
  " and",
  ...split(" 🇯🇵", 62, 6),
  "!",
];
const EMOJI: Draft[] = [
  "Family",
  ":",
  " 👨‍👩‍👧",
  " and",
  " flag",
  " 🇹🇼",
  " wave",
  " 👋🏽",
  " half",
  " \ud83d",
  "\u200d",
  " zero",
  "\u200b",
  "width",
  "\u00a0",
  "nbsp",
  "\u0000",
  "<script>alert(1)</script>",
  " </style>",
  " &amp;",
  " \u202e",
  "rtl",
];
const CODE: Draft[] = [
  "def",
  " f",
  "(",
  "x",
  "):",
  "\n",
  "\t",
  "if",
  " x",
  " >",
  " ",
  "0",
  ":",
  "\n",
  "\t\t",
  "return",
  " x",
  "\n",
  "    ",
  "return",
  " -",
  "x",
  "\n\n",
  "print",
  "(f",
  "(",
  "3",
  "))",
  "\n",
];

function long(n: number): Draft[] {
  const words = [
    "The",
    " model",
    " reads",
    " every",
    " word",
    ",",
    " and",
    " some",
    " of",
    " them",
    " matter",
    " more",
    ".",
    " un",
    "believ",
    "ably",
    "\n\n",
  ];
  return Array.from({ length: n }, (_, i) => words[Math.floor(noise(i) * words.length)] ?? "");
}

const SCENES: Record<string, () => Scene> = {
  rest: () => scene(GEORGE, 9, { scores: washington }),
  matrix: () =>
    scene(GEORGE, 9, { scores: washington, drawer: true, tail: [status("attributing", "Attention", 14, 32, 0.8)] }),
  chat: () => scene(CHAT, CHAT_FIRST, { segments: CHAT_SEGMENTS }),
  signed: () =>
    scene(GEORGE, 9, {
      method: "occlusion",
      scores: (row, col) => ((row + col) % 3 === 0 ? -0.4 * washington(row, col) : washington(row, col)),
      drawer: true,
    }),
  progress: () =>
    scene(GEORGE, 9, {
      scores: washington,
      done: 1,
      tail: [status("attributing", "Gradient", 1, 8, 2.4)],
      drawer: true,
    }),
  missing: () => scene(GEORGE, 9, { scores: washington, done: 0, tail: [status("generating", "Writing", 8)] }),
  cancelled: () => scene(GEORGE, 9, { scores: washington, done: 3, tail: [status("cancelled", "")] }),
  failed: () =>
    scene(GEORGE, 9, {
      scores: washington,
      tail: [
        status("failed", ""),
        {
          type: "failed",
          kind: "UnsupportedMethod",
          message: "attnlrp has no rule for MambaMixer, so it cannot run on this model.",
          cure: "Use saliency, occlusion or random.",
        },
      ],
    }),
  chinese: () => scene(CHINESE, 11),
  arabic: () => scene(ARABIC, 8),
  letters: () => scene(ARABIC_BYTES, 9),
  quoted: () => scene(ARABIC_QUOTED, 10),
  family: () => scene(FAMILY, 36),
  emoji: () => scene(EMOJI, 16),
  code: () => scene(CODE, 17),
  translation: () => translated(ZH_EN, { drawer: true }),
  "from-arabic": () => translated(AR_EN, { model: "nllb-200-distilled-600M" }),
  "to-arabic": () => translated(EN_AR, { model: "nllb-200-distilled-600M", drawer: true }),
  begun: () => translated(BEGUN),
  translating: () => ({
    ...translated(ZH_EN, { done: 0, tail: [status("attributing", "Occlusion", 120, 2000, 40, "words")] }),
  }),
  feelings: () =>
    classified(FEELINGS, "distilbert-base-uncased-finetuned-sst-2-english", (col) => [0.0123, 0.9877][col] ?? 0, {
      drawer: true,
    }),
  emotions: () =>
    classified(EMOTIONS, "roberta-base-go_emotions", (col) => (col === 15 ? 0.934 : 0.4 * noise(col) ** 4), {
      drawer: true,
    }),
  explain: () =>
    classified(REVIEWED, "SmolLM2-135M-Instruct", (col) => [0.17, 0.83][col] ?? 0, {
      tail: [EXPLAINERS, ...ANSWERS, COMPARISON, status("explaining", "Asking gemini-2.0-flash", 62)],
      drawer: "Explain",
    }),
  unexplained: () =>
    scene(GEORGE, 9, {
      scores: washington,
      tail: [
        { ...EXPLAINERS, reason: "SmolLM2-135M is a base model: it goes on with a text, and answers no questions." },
      ],
      drawer: "Explain",
    }),
  intents: () => classified(INTENTS, "banking77", (col) => (col === 31 ? 0.71 : 0.1 * noise(col) ** 4)),
  methods: () =>
    scene(GEORGE, 9, {
      scores: washington,
      methods: without(
        ["attention", "attention_rollout", "value_zeroing"],
        "MambaForCausalLM has no attention to hand out.",
      ),
    }),
  editable: () => scene(GEORGE, 9, { scores: washington, tail: EDITABLE }),
  struck: () => scene(GEORGE, 9, { scores: washington, tail: STRUCK }),
  predicted: () => scene(GEORGE, 9, { scores: washington, method: "occlusion", tail: STRUCK }),
  gone: () => scene(GEORGE, 9, { scores: washington, tail: GONE }),
  edited: () => scene(GEORGE, 9, { scores: washington, tail: EDITED }),
  choosing: () => scene(GEORGE, 9, { scores: washington, drawer: "Compare" }),
  compare: () =>
    scene(GEORGE, 9, {
      scores: washington,
      tail: aside("occlusion", { nRows: 16, nCols: 8 }),
      drawer: "Compare",
      beside: beside("saliency", "occlusion"),
    }),
  compare4: () =>
    scene(GEORGE, 9, {
      scores: washington,
      tail: [
        ...aside("attention", { nRows: 16, nCols: 8 }),
        ...aside("occlusion", { nRows: 16, nCols: 8 }, 1),
        ...aside("steps", { nRows: 16, nCols: 8 }, 8, { method: "integrated_gradients", settings: [["steps", "64"]] }),
      ],
      drawer: "Compare",
      beside: beside("saliency", "attention", "occlusion", "integrated_gradients"),
    }),
  "compare-huge": () =>
    scene(long(10400), 10000, {
      tail: ["occlusion", "attention"].flatMap((map) => aside(map, { nRows: 10399, nCols: 400 })),
      drawer: "Compare",
      beside: beside("saliency", "occlusion"),
    }),
  "compare-chat": () =>
    scene(CHAT, CHAT_FIRST, {
      segments: CHAT_SEGMENTS,
      tail: aside("occlusion", { nRows: CHAT.length - 1, nCols: 8 }),
      drawer: "Compare",
      beside: beside("saliency", "occlusion"),
    }),
  "compare-arabic": () =>
    translated(EN_AR, {
      model: "nllb-200-distilled-600M",
      tail: [
        ...aside("occlusion", { nRows: EN_AR.drafts.length - 1, nCols: EN_AR.drafts.length - EN_AR.firstTarget }),
        ...aside("attention", { nRows: EN_AR.drafts.length - 1, nCols: 3 }, 0, {
          n_cols: EN_AR.drafts.length - EN_AR.firstTarget,
        }),
        status("attributing", "Attention", 0, 11, 3),
      ],
      drawer: "Compare",
      beside: beside("saliency", "occlusion", "attention"),
    }),
  trail: () => scene(GEORGE, 9, { scores: washington, tail: [TRAIL] }),
  contrast: () =>
    scene(GEORGE, 9, {
      method: "occlusion",
      scores: (row, col) => (row % 3 === 0 ? -1 : 1) * washington(row, col),
      tail: CONTRAST,
    }),
  heads: () => scene(GEORGE, 9, { method: "attention", scores: washington, tail: [headsOf(12, 9)] }),
  "heads-many": () => scene(GEORGE, 9, { method: "attention", scores: washington, tail: [headsOf(32, 32)] }),
  noise: () => scene(GEORGE, 9, { scores: (row) => 1 + 0.3 * noise(row) }),
  loading: () => ({
    messages: [{ type: "hello", protocol: PROTOCOL, session: "g" }, status("loading", "Loading SmolLM2-135M")],
  }),
  download: () => ({
    messages: [
      { type: "hello", protocol: PROTOCOL, session: "g" },
      status("loading", "Downloading the demo model", 42_000_000, 92_900_000, 6.4),
    ],
  }),
  version: () => ({ messages: [{ type: "hello", protocol: 99, session: "g" }] }),
  long: () => scene(long(5000), 4900),
  huge: () => scene(long(10400), 10000, { missing: (col) => col % 7 === 3 }),
  big: () => big(MENU),
};

class FakeModel implements Host {
  sent: ToKernel[] = [];
  selection: unknown = null;
  private readonly heard = new Map<string, (content: unknown, buffers?: readonly DataView[]) => void>();
  get() {
    return this.selection;
  }
  set(_: "selection", value: number | null) {
    this.selection = value;
  }
  save_changes() {}
  send(content: ToKernel) {
    this.sent.push(content);
  }
  on(name: string, callback: (content: unknown, buffers?: readonly DataView[]) => void) {
    this.heard.set(name, callback);
  }
  off(name: string) {
    this.heard.delete(name);
  }
  hear(message: Wire, columns?: Scene["columns"]) {
    const scores =
      message.type === "column" ? columns?.(message.col as number, message.map as string) : weightsOf(message);
    this.heard.get("msg:custom")?.(message, scores ? [new DataView(scores.buffer)] : []);
  }
}

const query = new URLSearchParams(location.search);
document.body.className = query.get("theme") ?? "light";
const only = query.get("only");
const main = document.querySelector("main") as HTMLElement;
const gallery: Record<string, FakeModel> = {};
Object.assign(window, { gallery });

for (const [name, make] of Object.entries(SCENES)) {
  if (only === null ? ["long", "huge", "big", "compare-huge"].includes(name) : !only.split(",").includes(name))
    continue;
  const el = document.createElement("div");
  el.className = "cell";
  el.id = name;
  const title = document.createElement("h2");
  title.textContent = name;
  main.append(title, el);
  const { messages, columns, drawer, beside: chosen } = make();
  const model = new FakeModel();
  gallery[name] = model;
  const store = createStore();
  const { signal } = new AbortController();
  const send = connect(model, store, signal);
  mount({ store, send, signal, el });
  for (const message of messages) model.hear(message, columns);
  store.beside.value = chosen ?? [];
  const toggles = [...el.querySelectorAll<HTMLElement>(".sw-drawer-toggle")];
  if (drawer) toggles.find(({ textContent }) => textContent === (drawer === true ? "Matrix" : drawer))?.click();
}
