/**
 * Every message between the kernel and the page: the mirror of src/saliency_widget/protocol.py, whose comments say what
 * each one means. No other file of the page knows the wire format. tests/protocol/ has one golden file a message.
 */

export const PROTOCOL = 1;

const ROLES = ["source", "prompt", "generated", "special", "class"] as const;
const SEGMENT_KINDS = [
  "system",
  "user",
  "assistant",
  "thinking",
  "tool",
  "paragraph",
  "document",
  "source",
  "target",
] as const;
const PHASES = [
  "idle",
  "loading",
  "waiting",
  "generating",
  "attributing",
  "explaining",
  "done",
  "cancelled",
  "failed",
] as const;
const EXPLANATION_KINDS = ["answer", "scores"] as const;
const FATES = ["aligned", "out of range", "repeated", "invented"] as const;
const ANSWER_STATES = ["waiting", "writing", "done", "cancelled", "failed"] as const;

export type Role = (typeof ROLES)[number];
export type SegmentKind = (typeof SEGMENT_KINDS)[number];
export type Phase = (typeof PHASES)[number];
export type ExplanationKind = (typeof EXPLANATION_KINDS)[number];
/** What became of a pair that was written. */
export type Fate = (typeof FATES)[number];
export type AnswerState = (typeof ANSWER_STATES)[number];
/** Positive, or negative. */
export type Label = 1 | -1;

export type WireToken = {
  id: number;
  text: string;
  role: Role;
  span: [number, number] | null;
  word: number;
  sentence: number;
  segment: number;
  part: [number, number] | null;
};
export type WireSegment = { kind: SegmentKind; name: string; start: number; end: number };
export type WireAlternative = { id: number; text: string; probability: number };
export type WireStep = { probability: number; alternatives: WireAlternative[] };
export type WireMethod = {
  id: string;
  label: string;
  family: string;
  signed: boolean;
  uses_objective: boolean;
  unit: string;
  cost: string;
  reads: string;
  caveats: string[];
  reference: string;
  reason: string | null;
};
export type WireObjective = { id: string; label: string };

export type ToPageHello = { type: "hello"; protocol: number; session: string };
export type DocumentBegins = {
  type: "document";
  doc: number;
  model: string;
  device: string;
  dtype: string;
  first_target: number;
  editable: string | null;
  alive: boolean;
  beside: string[];
};
export type Trail = { type: "trail"; names: string[]; at: number };
export type Tokens = { type: "tokens"; doc: number; start: number; tokens: WireToken[]; segments: WireSegment[] };
export type Steps = { type: "steps"; doc: number; start: number; steps: WireStep[] };
export type Menu = { type: "menu"; methods: WireMethod[]; objectives: WireObjective[] };
export type MapBegins = {
  type: "map";
  map: string;
  doc: number;
  method: string;
  objective: string;
  settings: [string, string][];
  foil: string | null;
  col: number | null;
  aside: boolean;
  n_rows: number;
  n_cols: number;
};
/** `scores` is buffer 0, copied: float32 [n_rows], NaN where the target cannot see the row. */
export type Column = { type: "column"; map: string; seq: number; col: number; n_rows: number; scores: Float32Array };
export type Status = {
  type: "status";
  phase: Phase;
  what: string;
  done: number;
  total: number | null;
  /** What `done` and `total` count, as people say it: "tokens", "passes". */
  unit: string;
  seconds_left: number | null;
};
export type Failed = { type: "failed"; kind: string; message: string; cure: string };

/** `after` is null for a target that is struck out itself. */
export type WhatIf = {
  type: "what_if";
  doc: number;
  rows: number[];
  text: string | null;
  before: number[];
  after: (number | null)[];
};
/** `weights` is buffer 0, copied: float32 [layers, n_heads, n_rows], NaN where a layer has fewer heads. */
export type Heads = {
  type: "heads";
  doc: number;
  col: number;
  layers: number[];
  n_heads: number;
  n_rows: number;
  weights: Float32Array;
};
export type WireFile = { type: "file"; name: string; text: string };

export type WireExplainer = { id: string; name: string; where: string; is_model: boolean; guided: boolean };
export type WirePrompt = { id: string; label: string; kind: ExplanationKind; text: string };
export type Explainers = {
  type: "explainers";
  explainers: WireExplainer[];
  prompts: WirePrompt[];
  review: string;
  compares: boolean;
  reason: string | null;
};
export type WireWord = { text: string; score: number | null; uncertainty: number | null };
export type WirePair = { word: string; value: number; fate: Fate; at: number | null };
export type WireCard = { about: [string, string][]; reads: string; caveats: string[]; reference: string };
export type Answer = {
  type: "answer";
  id: number;
  explainer: string;
  prompt: string;
  kind: ExplanationKind;
  guided: boolean;
  state: AnswerState;
  text: string;
  free: string | null;
  label: Label | null;
  label_probability: number | null;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  seconds: number;
  words: WireWord[] | null;
  pairs: WirePair[] | null;
  problems: string[];
  mapped: boolean;
  card: WireCard;
  failure: [string, string] | null;
};
export type WireFigure = {
  id: string;
  label: string;
  value: number | null;
  random_mean: number;
  random_low: number;
  random_high: number;
};
export type WireSide = {
  method: string;
  label: string;
  signed: boolean;
  scores: (number | null)[];
  figures: WireFigure[];
};
export type Comparison = {
  type: "comparison";
  words: string[];
  said: (number | null)[];
  spread: (number | null)[];
  label: Label;
  label_probability: number;
  levels: number;
  zeros: number;
  stability: number | null;
  askings: number;
  sides: WireSide[];
  card: WireCard;
};

export type ToPage =
  | ToPageHello
  | DocumentBegins
  | Trail
  | Tokens
  | Steps
  | Menu
  | MapBegins
  | Column
  | Status
  | Failed
  | WhatIf
  | Heads
  | WireFile
  | Explainers
  | Answer
  | Comparison;

export type WireView = {
  by: string;
  units: number[] | null;
  pool: string;
  pinned: [number, number] | null;
  joint: string;
  hidden: [number, number][];
  scale: string;
  threshold: number;
  measure: string;
};

export type ToKernel =
  | { type: "hello"; protocol: number }
  | { type: "ack"; seq: number }
  | { type: "focus"; col: number }
  | {
      type: "ask";
      method: string;
      objective: string;
      settings?: Record<string, unknown>;
      foil?: number;
      col?: number;
      aside?: boolean;
    }
  | { type: "branch"; col: number; token: number }
  | { type: "back"; to: number }
  | { type: "try"; rows?: number[]; text?: string }
  | { type: "keep" }
  | { type: "heads"; col: number }
  | { type: "export"; col: number; view: WireView }
  | { type: "cancel" }
  | { type: "explain"; explainer: string; kind: string; prompt: string; review: string }
  | { type: "say_versus_do"; review: string };

/** A message that names one of our types, and whose fields are not what that type says. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}

type Fields = Record<string, unknown>;
type Check<T> = (value: unknown, where: string) => T;
type Checks<T> = { [K in keyof T]: Check<T[K]> };

function wrong(where: string, expected: string, value: unknown): never {
  const got = value === null ? "null" : Array.isArray(value) ? "a list" : typeof value;
  throw new ProtocolError(`${where}: expected ${expected}, got ${got}`);
}

const text: Check<string> = (value, where) => (typeof value === "string" ? value : wrong(where, "a string", value));
const flag: Check<boolean> = (value, where) => (typeof value === "boolean" ? value : wrong(where, "a boolean", value));
const real: Check<number> = (value, where) => (typeof value === "number" ? value : wrong(where, "a number", value));
const count: Check<number> = (value, where) =>
  typeof value === "number" && Number.isInteger(value) && value >= 0 ? value : wrong(where, "a whole number", value);
const record: Check<Fields> = (value, where) =>
  typeof value === "object" && value !== null && !Array.isArray(value)
    ? (value as Fields)
    : wrong(where, "an object", value);

const orNull =
  <T>(check: Check<T>): Check<T | null> =>
  (value, where) =>
    value === null ? null : check(value, where);
const list =
  <T>(check: Check<T>): Check<T[]> =>
  (value, where) =>
    Array.isArray(value) ? value.map((item, i) => check(item, `${where}[${i}]`)) : wrong(where, "a list", value);
const oneOf =
  <T extends string>(names: readonly T[]): Check<T> =>
  (value, where) =>
    names.find((name) => name === value) ?? wrong(where, `one of ${names.join(", ")}`, value);
const two =
  <T>(check: Check<T>, expected: string): Check<[T, T]> =>
  (value, where) => {
    const [first, second, ...rest] = list(check)(value, where);
    return first !== undefined && second !== undefined && rest.length === 0
      ? [first, second]
      : wrong(where, expected, value);
  };
const pair = two(count, "two numbers");
const texts = two(text, "two strings");
const label: Check<Label> = (value, where) => (value === 1 || value === -1 ? value : wrong(where, "1 or -1", value));

/** An object checked field by field; fields that nobody asked for are left behind. */
const shape =
  <T>(checks: Checks<T>): Check<T> =>
  (value, where) => {
    const fields = record(value, where);
    const out: Partial<T> = {};
    for (const name in checks) out[name] = checks[name](fields[name], `${where}.${name}`);
    return out as T;
  };

const token = shape<WireToken>({
  id: real,
  text,
  role: oneOf(ROLES),
  span: orNull(pair),
  word: real,
  sentence: real,
  segment: real,
  part: orNull(pair),
});
const segment = shape<WireSegment>({ kind: oneOf(SEGMENT_KINDS), name: text, start: count, end: count });
const alternative = shape<WireAlternative>({ id: count, text, probability: real });
const step = shape<WireStep>({ probability: real, alternatives: list(alternative) });
const method = shape<WireMethod>({
  id: text,
  label: text,
  family: text,
  signed: flag,
  uses_objective: flag,
  unit: text,
  cost: text,
  reads: text,
  caveats: list(text),
  reference: text,
  reason: orNull(text),
});
const objective = shape<WireObjective>({ id: text, label: text });
const explainer = shape<WireExplainer>({ id: text, name: text, where: text, is_model: flag, guided: flag });
const prompt = shape<WirePrompt>({ id: text, label: text, kind: oneOf(EXPLANATION_KINDS), text });
const word = shape<WireWord>({ text, score: orNull(real), uncertainty: orNull(real) });
const written = shape<WirePair>({ word: text, value: real, fate: oneOf(FATES), at: orNull(count) });
const card = shape<WireCard>({ about: list(texts), reads: text, caveats: list(text), reference: text });
const figure = shape<WireFigure>({
  id: text,
  label: text,
  value: orNull(real),
  random_mean: real,
  random_low: real,
  random_high: real,
});
const side = shape<WireSide>({
  method: text,
  label: text,
  signed: flag,
  scores: list(orNull(real)),
  figures: list(figure),
});

/** What a message holds besides its type and its buffer. */
type Body<K> = Omit<Extract<ToPage, { type: K }>, "type" | "scores" | "weights">;
const BODIES: { [K in ToPage["type"]]: Checks<Body<K>> } = {
  hello: { protocol: count, session: text },
  document: {
    doc: count,
    model: text,
    device: text,
    dtype: text,
    first_target: count,
    editable: orNull(text),
    alive: flag,
    beside: list(text),
  },
  trail: { names: list(text), at: count },
  tokens: {
    doc: count,
    start: count,
    tokens: list(token),
    segments: list(segment),
  },
  steps: { doc: count, start: count, steps: list(step) },
  menu: { methods: list(method), objectives: list(objective) },
  map: {
    map: text,
    doc: count,
    method: text,
    objective: text,
    settings: list(texts),
    foil: orNull(text),
    col: orNull(count),
    aside: flag,
    n_rows: count,
    n_cols: count,
  },
  column: { map: text, seq: count, col: count, n_rows: count },
  status: {
    phase: oneOf(PHASES),
    what: text,
    done: count,
    total: orNull(count),
    unit: text,
    seconds_left: orNull(real),
  },
  failed: { kind: text, message: text, cure: text },
  what_if: {
    doc: count,
    rows: list(count),
    text: orNull(text),
    before: list(real),
    after: list(orNull(real)),
  },
  heads: {
    doc: count,
    col: count,
    layers: list(count),
    n_heads: count,
    n_rows: count,
  },
  file: { name: text, text },
  explainers: {
    explainers: list(explainer),
    prompts: list(prompt),
    review: text,
    compares: flag,
    reason: orNull(text),
  },
  answer: {
    id: count,
    explainer: text,
    prompt: text,
    kind: oneOf(EXPLANATION_KINDS),
    guided: flag,
    state: oneOf(ANSWER_STATES),
    text,
    free: orNull(text),
    label: orNull(label),
    label_probability: orNull(real),
    prompt_tokens: orNull(count),
    completion_tokens: orNull(count),
    seconds: real,
    words: orNull(list(word)),
    pairs: orNull(list(written)),
    problems: list(text),
    mapped: flag,
    card,
    failure: orNull(texts),
  },
  comparison: {
    words: list(text),
    said: list(orNull(real)),
    spread: list(orNull(real)),
    label,
    label_probability: real,
    levels: count,
    zeros: real,
    stability: orNull(real),
    askings: count,
    sides: list(side),
    card,
  },
};

/** The n float32 numbers of a buffer. A copy: hosts hand in views at odd offsets, and may reuse what lies under them. */
export function float32(bytes: ArrayBufferView | ArrayBuffer, n: number, what = "column"): Float32Array {
  const view = ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
  if (view.byteLength !== 4 * n) throw new ProtocolError(`${what}: ${view.byteLength} bytes for ${n} numbers`);
  return new Float32Array(view.slice().buffer);
}

type WithoutBuffer = Exclude<ToPage, Column | Heads> | Omit<Column, "scores"> | Omit<Heads, "weights">;

/**
 * The message in `content` and `buffers`, checked field by field. null where it is not one of ours (a later protocol
 * may know more types); ProtocolError where it says that it is, and is not.
 */
export function readToPage(content: unknown, buffers: readonly (ArrayBufferView | ArrayBuffer)[] = []): ToPage | null {
  if (typeof content !== "object" || content === null || !("type" in content)) return null;
  const { type } = content;
  if (typeof type !== "string" || !Object.hasOwn(BODIES, type)) return null;
  const checks: Checks<Fields> = BODIES[type as ToPage["type"]];
  const message = { ...shape(checks)(content, type), type } as WithoutBuffer;
  if (message.type !== "column" && message.type !== "heads") return message;
  const buffer = buffers[0];
  if (buffer === undefined) throw new ProtocolError(`${type}: no buffer`);
  if (message.type === "column") return { ...message, scores: float32(buffer, message.n_rows) };
  const n = message.layers.length * message.n_heads * message.n_rows;
  return { ...message, weights: float32(buffer, n, "heads") };
}
