/**
 * The gallery: the real views on a kernel that is only a list of messages. `npm run dev` writes it to build/dev/;
 * index.html?only=chat&theme=dark shows one of them. `window.gallery[name]` is the fake model: `sent`, `hear(message)`.
 */

import type { ToKernel, WhatIf } from "../src/protocol";
import { PROTOCOL } from "../src/protocol";
import { createStore } from "../src/store";
import { connect, type Host } from "../src/transport";
import { mount } from "../src/views/widget";
import { big } from "./big";
import { aside, beside } from "./compare";
import { ANSWERS, COMPARISON, EXPLAINERS, REVIEWED } from "./explain";
import { CONTRAST, headsOf, TRAIL, weightsOf } from "./reading";
import { EDITABLE, EDITED, GONE, STRUCK } from "./takeaway";
import { AR_EN, BEGUN, EMOTIONS, EN_AR, FEELINGS, INTENTS, ZH_EN } from "./tasks";
import "../src/styles.css";
import { classified, noise, type Scene, scene, status, translated, type Wire, without } from "./messages";
import {
  ARABIC,
  ARABIC_BYTES,
  ARABIC_QUOTED,
  CHAT,
  CHAT_FIRST,
  CHAT_SEGMENTS,
  CHINESE,
  CODE,
  EMOJI,
  FAMILY,
  GEORGE,
  long,
  washington,
} from "./texts";

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
    messages: [
      { type: "hello", protocol: PROTOCOL, session: "g", hover: "" },
      status("loading", "Loading SmolLM2-135M"),
    ],
  }),
  download: () => ({
    messages: [
      { type: "hello", protocol: PROTOCOL, session: "g", hover: "" },
      status("loading", "Downloading the demo model", 42_000_000, 92_900_000, 6.4),
    ],
  }),
  version: () => ({ messages: [{ type: "hello", protocol: 99, session: "g", hover: "" }] }),
  long: () => scene(long(5000), 4900),
  huge: () => scene(long(10400), 10000, { missing: (col) => col % 7 === 3 }),
  big: () => big(),
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
  /** Of replies the last that it was given, whatever is asked. */
  private reply: Wire | null = null;
  send(content: ToKernel) {
    this.sent.push(content);
    if (content.type === "heads" && this.reply !== null) this.tell({ ...this.reply, request: content.request });
  }
  on(name: string, callback: (content: unknown, buffers?: readonly DataView[]) => void) {
    this.heard.set(name, callback);
  }
  off(name: string) {
    this.heard.delete(name);
  }
  hear(message: Wire, columns?: Scene["columns"]) {
    if (message.type === "heads") this.reply = message;
    else this.tell(message, columns);
  }
  private tell(message: Wire, columns?: Scene["columns"]) {
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
  mount({ store, ...connect(model, store, signal), signal, el });
  for (const message of messages) {
    if (message.type === "what_if") store.tried(message as WhatIf);
    else model.hear(message, columns);
  }
  store.beside.value = chosen ?? [];
  const toggles = [...el.querySelectorAll<HTMLElement>(".sw-drawer-toggle")];
  if (drawer) toggles.find(({ textContent }) => textContent === (drawer === true ? "Matrix" : drawer))?.click();
}
