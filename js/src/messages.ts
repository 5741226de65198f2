/** Reads the kernel's messages: checks each field, and copies buffers. No other file knows their raw form. */

import {
  ANSWER_STATES,
  type Column,
  EXPLANATION_KINDS,
  FATES,
  type Heads,
  type Leaning,
  PHASES,
  type Place,
  PROTOCOL,
  ProtocolError,
  ROLES,
  SEGMENT_KINDS,
  type ToPage,
  type WireAgreement,
  type WireAlternative,
  type WireBand,
  type WireCard,
  type WireCheckedMap,
  type WireExplainer,
  type WireFailure,
  type WireFigure,
  type WireFloor,
  type WireJudgedMap,
  type WireJudgement,
  type WireMethod,
  type WireNote,
  type WireObjective,
  type WireOwnSteps,
  type WirePair,
  type WirePrompt,
  type WireSanityFigure,
  type WireSegment,
  type WireSide,
  type WireStep,
  type WireToken,
  type WireTrustFigure,
  type WireWord,
} from "./protocol";

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
const place: Check<Place> = (value, where) => {
  const [start, middle, end, ...rest] = list(count)(value, where);
  return start !== undefined && middle !== undefined && end !== undefined && rest.length === 0
    ? [start, middle, end]
    : wrong(where, "three numbers", value);
};
const pair = two(count, "two numbers");
const texts = two(text, "two strings");
const insertion: Check<[number, string]> = (value, where) => {
  const [at, what, ...rest] = list((part) => part)(value, where);
  return rest.length === 0 ? [count(at, where), text(what, where)] : wrong(where, "a number and a string", value);
};
const leaning: Check<Leaning> = (value, where) =>
  value === 1 || value === 0 || value === -1 ? value : wrong(where, "1, 0 or -1", value);

/** A check of an object's fields; other fields are dropped. */
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
const step = shape<WireStep>({ probability: orNull(real), value: orNull(real), alternatives: list(alternative) });
const ownSteps = shape<WireOwnSteps>({ map: text, steps: list(step) });
const method = shape<WireMethod>({
  id: text,
  label: text,
  family: text,
  signed: flag,
  uses_objective: flag,
  objective: orNull(text),
  unit: text,
  cost: text,
  says: text,
  reads: text,
  caveats: list(text),
  reference: text,
  reason: orNull(text),
  seconds: orNull(real),
});
const note = shape<WireNote>({ text, cols: orNull(list(count)) });
const objective = shape<WireObjective>({ id: text, label: text, means: text });
const explainer = shape<WireExplainer>({
  id: text,
  name: text,
  where: text,
  is_model: flag,
  guided: flag,
  compares: flag,
});
const prompt = shape<WirePrompt>({ id: text, label: text, kind: oneOf(EXPLANATION_KINDS), text });
const word = shape<WireWord>({ text, score: orNull(real), uncertainty: orNull(real) });
const written = shape<WirePair>({ word: text, value: real, fate: oneOf(FATES), at: orNull(count) });
const card = shape<WireCard>({ about: list(texts), reads: text, caveats: list(text), reference: text });
const failure = shape<WireFailure>({ message: text, cure: text });
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

const band = shape<WireBand>({ middle: list(real), low: list(real), high: list(real) });
const floor = shape<WireFloor>({
  operator: text,
  says: text,
  whole: real,
  empty: real,
  without: band,
  only: band,
  random: count,
});
const trustFigure = shape<WireTrustFigure>({ label: text, reads: text, value: text, beside: text, better: flag });
const judgement = shape<WireJudgement>({
  operator: text,
  sentence: text,
  without: list(real),
  only: list(real),
  figures: list(trustFigure),
});
const judgedMap = shape<WireJudgedMap>({
  map: text,
  method: text,
  label: text,
  warnings: list(text),
  is_chance: flag,
  judgements: list(judgement),
});
const agreement = shape<WireAgreement>({ a: count, b: count, value: orNull(real), outside: flag });

const sanityFigure = shape<WireSanityFigure>({ label: text, value: text, beside: text });
const checkedMap = shape<WireCheckedMap>({
  map: text,
  method: text,
  label: text,
  seconds: orNull(real),
  reason: orNull(text),
  complete: flag,
  said: list(text),
  notices: orNull(flag),
  figures: list(sanityFigure),
});

/** The checks of a message's fields, except its type and its buffers. */
type Body<K> = Omit<Extract<ToPage, { type: K }>, "type" | "scores" | "errors" | "weights">;
const BODIES: { [K in ToPage["type"]]: Checks<Body<K>> } = {
  hello: { protocol: count, session: text, hover: text },
  document: {
    doc: count,
    model: text,
    device: text,
    dtype: text,
    first_target: count,
    code: orNull(text),
    editable: orNull(text),
    raw: flag,
    alive: flag,
    beside: list(text),
  },
  trail: { names: list(text), at: count, as_chat: flag },
  tokens: {
    doc: count,
    start: count,
    tokens: list(token),
    segments: list(segment),
  },
  steps: { doc: count, start: count, steps: list(step) },
  exhibited: { doc: count, replaced: list(place), steps: list(ownSteps) },
  menu: { methods: list(method), objectives: list(objective) },
  map: {
    map: text,
    doc: count,
    method: text,
    objective: text,
    settings: list(texts),
    foil: orNull(text),
    about: orNull(text),
    col: orNull(count),
    hop: count,
    due: orNull(count),
    aside: flag,
    n_rows: count,
    n_cols: count,
  },
  notes: { map: text, notes: list(note) },
  column: { map: text, seq: count, col: count, n_cols: count, n_rows: count, floor: orNull(real) },
  rest: { map: text, n_cols: count, seconds: real },
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
    request: count,
    doc: count,
    rows: list(count),
    text: orNull(text),
    written: list(insertion),
    operator: orNull(text),
    reason: orNull(text),
    before: list(real),
    after: list(orNull(real)),
    others: list(list(alternative)),
  },
  heads: {
    request: count,
    doc: count,
    col: count,
    layers: list(count),
    n_heads: count,
    n_rows: count,
  },
  unanswered: { request: count },
  heard: {},
  explainers: {
    explainers: list(explainer),
    prompts: list(prompt),
    review: text,
    reason: orNull(text),
  },
  answer: {
    id: count,
    explainer: text,
    prompt: text,
    kind: oneOf(EXPLANATION_KINDS),
    guided: flag,
    state: oneOf(ANSWER_STATES),
    start: count,
    text,
    free: orNull(text),
    decides: flag,
    label: orNull(text),
    leans: leaning,
    ends: texts,
    thinking: orNull(text),
    label_probability: orNull(real),
    prompt_tokens: orNull(count),
    completion_tokens: orNull(count),
    seconds: real,
    words: orNull(list(word)),
    pairs: orNull(list(written)),
    problems: list(text),
    mapped: flag,
    card,
    failure: orNull(failure),
  },
  comparison: {
    words: list(text),
    said: list(orNull(real)),
    spread: list(orNull(real)),
    label: text,
    ends: texts,
    label_probability: orNull(real),
    levels: count,
    zeros: real,
    stability: orNull(real),
    askings: count,
    sides: list(side),
    card,
  },
  evaluation: {
    doc: count,
    key: text,
    cols: list(count),
    target: text,
    complete: flag,
    unit: text,
    units: list(text),
    steps: list(count),
    kept: list(count),
    orders: text,
    maps: list(judgedMap),
    floors: list(floor),
    agreement: list(agreement),
    given_up: list(text),
    seconds: real,
  },
  sanity: {
    doc: count,
    key: text,
    cols: list(count),
    again: count,
    setup: real,
    memory: count,
    maps: list(checkedMap),
  },
};

/** Returns a copy of a buffer's n float32 numbers: hosts pass views at odd offsets, and may reuse their memory. */
export function float32(bytes: ArrayBufferView | ArrayBuffer, n: number, what = "column"): Float32Array {
  const view = ArrayBuffer.isView(bytes)
    ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
    : new Uint8Array(bytes);
  if (view.byteLength !== 4 * n) throw new ProtocolError(`${what}: ${view.byteLength} bytes for ${n} numbers`);
  return new Float32Array(view.slice().buffer);
}

type WithoutBuffer = Exclude<ToPage, Column | Heads> | Omit<Column, "scores" | "errors"> | Omit<Heads, "weights">;

/**
 * Returns the message in `content` and `buffers`, with every field checked; null for an unknown type, which a later
 * protocol may have. Throws ProtocolError for an invalid message of a known type.
 */
export function readToPage(content: unknown, buffers: readonly (ArrayBufferView | ArrayBuffer)[] = []): ToPage | null {
  if (typeof content !== "object" || content === null || !("type" in content)) return null;
  const { type } = content;
  if (typeof type !== "string" || !Object.hasOwn(BODIES, type)) return null;
  // The other fields of a hello of another version may be others.
  if (type === "hello" && "protocol" in content && content.protocol !== PROTOCOL)
    return { type, protocol: real(content.protocol, "hello.protocol"), session: "", hover: "" };
  const checks: Checks<Fields> = BODIES[type as ToPage["type"]];
  const message = { ...shape(checks)(content, type), type } as WithoutBuffer;
  if (message.type !== "column" && message.type !== "heads") return message;
  const [buffer, errors] = buffers;
  if (buffer === undefined) throw new ProtocolError(`${type}: no buffer`);
  if (message.type === "column") {
    const { n_rows } = message;
    return { ...message, scores: float32(buffer, n_rows), errors: errors ? float32(errors, n_rows) : null };
  }
  const n = message.layers.length * message.n_heads * message.n_rows;
  return { ...message, weights: float32(buffer, n, "heads") };
}
