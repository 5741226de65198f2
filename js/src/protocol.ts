/**
 * Every message between the kernel and the page, as in src/saliency_widget/protocol/, whose docstrings explain each;
 * messages.ts reads them. tests/protocol/ has one golden file for each message.
 */

export const PROTOCOL = 2;

export const ROLES = ["source", "prompt", "generated", "special", "class"] as const;
export const SEGMENT_KINDS = [
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
export const PHASES = [
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
export const EXPLANATION_KINDS = ["answer", "scores", "why"] as const;
export const FATES = ["aligned", "out of range", "repeated", "invented"] as const;
export const ANSWER_STATES = ["waiting", "writing", "done", "cancelled", "failed"] as const;

export type Role = (typeof ROLES)[number];
export type SegmentKind = (typeof SEGMENT_KINDS)[number];
export type Phase = (typeof PHASES)[number];
export type ExplanationKind = (typeof EXPLANATION_KINDS)[number];
/** The fate of a pair in an answer. */
export type Fate = (typeof FATES)[number];
export type AnswerState = (typeof ANSWER_STATES)[number];
/** Of a label: the end of its scale that it is; 0 where the labels are no scale. */
export type Leaning = 1 | 0 | -1;

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
/** One of `probability` and `value` is null. */
export type WireStep = { probability: number | null; value: number | null; alternatives: WireAlternative[] };
export type WireMethod = {
  id: string;
  label: string;
  family: string;
  signed: boolean;
  uses_objective: boolean;
  /** The objective that it explains unless another is asked for; null: the one on show. */
  objective: string | null;
  unit: string;
  cost: string;
  says: string;
  reads: string;
  caveats: string[];
  reference: string;
  reason: string | null;
  seconds: number | null;
};
export type WireObjective = { id: string; label: string; means: string };

/** `hover`: the script of the HTML that the page saves. */
export type ToPageHello = { type: "hello"; protocol: number; session: string; hover: string };
export type DocumentBegins = {
  type: "document";
  doc: number;
  model: string;
  device: string;
  dtype: string;
  first_target: number;
  editable: string | null;
  raw: boolean;
  alive: boolean;
  beside: string[];
  code: string | null;
};
export type Trail = { type: "trail"; names: string[]; at: number; as_chat: boolean };
export type Tokens = { type: "tokens"; doc: number; start: number; tokens: WireToken[]; segments: WireSegment[] };
export type Steps = { type: "steps"; doc: number; start: number; steps: WireStep[] };
/** A place of the text of two maps: tokens [start, middle) stand there in the first, tokens [middle, end) in the second. */
export type Place = [start: number, middle: number, end: number];
/** The steps of all targets as the text of one map has them. */
export type WireOwnSteps = { map: string; steps: WireStep[] };
/** The text is that of two finished maps. */
export type Exhibited = { type: "exhibited"; doc: number; replaced: Place[]; steps: WireOwnSteps[] };
export type Menu = { type: "menu"; methods: WireMethod[]; objectives: WireObjective[] };
export type MapBegins = {
  type: "map";
  map: string;
  doc: number;
  method: string;
  objective: string;
  settings: [string, string][];
  foil: string | null;
  /** Holds what every column is about in place of its target: the label that an LLM chose. */
  about: string | null;
  col: number | null;
  /** Says which step back by way of the thinking it is; 0 for a direct map. */
  hop: number;
  /** The number of columns that are computed; null: all, or `col` alone. */
  due: number | null;
  aside: boolean;
  n_rows: number;
  n_cols: number;
};
/** A method's note about its own result. `cols`: the columns that it concerns; null: the map as a whole. */
export type WireNote = { text: string; cols: number[] | null };
export type Notes = { type: "notes"; map: string; notes: WireNote[] };
/** The n_cols columns of a map that rest until they are asked for, because they take about so many seconds. */
export type Rest = { type: "rest"; map: string; n_cols: number; seconds: number };
/**
 * The scores of the n_cols targets from `col` on, as one target. `scores` is buffer 0, copied: float32 [n_rows], NaN where the target cannot see the row; `errors` is buffer 1, their
 * standard errors, or null where these are not known. A score of a size below `floor` is noise; null: nothing tells it.
 */
export type Column = {
  type: "column";
  map: string;
  seq: number;
  col: number;
  n_cols: number;
  n_rows: number;
  floor: number | null;
  scores: Float32Array;
  errors: Float32Array | null;
};
export type Status = {
  type: "status";
  phase: Phase;
  what: string;
  done: number;
  total: number | null;
  /** The noun for what `done` and `total` count: "tokens", "passes". */
  unit: string;
  seconds_left: number | null;
};
export type Failed = { type: "failed"; kind: string; message: string; cure: string };

/** `after` is null for a target that is struck out itself. */
export type WhatIf = {
  type: "what_if";
  request: number;
  doc: number;
  rows: number[];
  text: string | null;
  /** Holds what the new text has more, each with the token before which it stands. */
  written: [at: number, text: string][];
  /** The operator that took struck tokens away: "mask"; or "delete", for the reason that the model cannot mask. */
  operator: string | null;
  reason: string | null;
  before: number[];
  after: (number | null)[];
  others: WireAlternative[][];
};
/** `weights` is buffer 0, copied: float32 [layers, n_heads, n_rows], NaN where a layer has fewer heads. */
export type Heads = {
  type: "heads";
  request: number;
  doc: number;
  col: number;
  layers: number[];
  n_heads: number;
  n_rows: number;
  weights: Float32Array;
};
/** No reply will come to this request. */
export type Unanswered = { type: "unanswered"; request: number };
/** The kernel has received a message of the page. */
export type Heard = { type: "heard" };

export type WireExplainer = {
  id: string;
  name: string;
  where: string;
  is_model: boolean;
  guided: boolean;
  compares: boolean;
};
export type WirePrompt = { id: string; label: string; kind: ExplanationKind; text: string };
export type Explainers = {
  type: "explainers";
  explainers: WireExplainer[];
  prompts: WirePrompt[];
  review: string;
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
  /** The text follows so many letters of what was told before; above 0, `free` stays what it was. */
  start: number;
  text: string;
  free: string | null;
  /** Tells whether there are labels to choose between. */
  decides: boolean;
  /** The name of the label that was chosen. */
  label: string | null;
  leans: Leaning;
  /** Holds what words with −1 and with 1 speak for. */
  ends: [string, string];
  /** Holds what a reasoning model wrote before its answer. */
  thinking: string | null;
  label_probability: number | null;
  prompt_tokens: number | null;
  completion_tokens: number | null;
  seconds: number;
  words: WireWord[] | null;
  pairs: WirePair[] | null;
  problems: string[];
  mapped: boolean;
  card: WireCard;
  failure: WireFailure | null;
};
export type WireFailure = { message: string; cure: string };
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
  label: string;
  ends: [string, string];
  label_probability: number | null;
  levels: number;
  zeros: number;
  stability: number | null;
  askings: number;
  sides: WireSide[];
  card: WireCard;
};

/** The median and the middle 95 % of random orders at each step. */
export type WireBand = { middle: number[]; low: number[]; high: number[] };
export type WireFloor = {
  operator: string;
  /** Says what the operator does to a word, after "it is". */
  says: string;
  whole: number;
  empty: number;
  without: WireBand;
  only: WireBand;
  random: number;
};
export type WireTrustFigure = { label: string; reads: string; value: string; beside: string; better: boolean };
export type WireJudgement = {
  operator: string;
  sentence: string;
  without: number[];
  only: number[];
  figures: WireTrustFigure[];
};
export type WireJudgedMap = {
  map: string;
  method: string;
  label: string;
  warnings: string[];
  is_chance: boolean;
  judgements: WireJudgement[];
};
/** Of two judged maps, by their places. `outside`: shuffled words rarely reach it. */
export type WireAgreement = { a: number; b: number; value: number | null; outside: boolean };
export type Evaluation = {
  type: "evaluation";
  doc: number;
  key: string;
  cols: number[];
  target: string;
  complete: boolean;
  unit: string;
  units: string[];
  steps: number[];
  kept: number[];
  orders: string;
  maps: WireJudgedMap[];
  floors: WireFloor[];
  agreement: WireAgreement[];
  given_up: string[];
  seconds: number;
};

export type WireSanityFigure = { label: string; value: string; beside: string };
/** A map that can be checked, or was. `seconds`: about how long its checks take; `notices`: it changes with the weights. */
export type WireCheckedMap = {
  map: string;
  method: string;
  label: string;
  seconds: number | null;
  /** Says why it cannot be checked. */
  reason: string | null;
  complete: boolean;
  said: string[];
  notices: boolean | null;
  figures: WireSanityFigure[];
};
export type Sanity = {
  type: "sanity";
  doc: number;
  key: string;
  cols: number[];
  /** Says how often each map is computed again. */
  again: number;
  /** The seconds that the shuffles take beside that. */
  setup: number;
  /** The bytes of a copy of the weights. */
  memory: number;
  maps: WireCheckedMap[];
};

export type ToPage =
  | ToPageHello
  | DocumentBegins
  | Trail
  | Tokens
  | Steps
  | Exhibited
  | Menu
  | MapBegins
  | Notes
  | Column
  | Rest
  | Status
  | Failed
  | WhatIf
  | Heads
  | Unanswered
  | Heard
  | Explainers
  | Answer
  | Comparison
  | Evaluation
  | Sanity;

/** The struck tokens, or the edited text, or neither to undo. */
export type Change = { rows?: number[]; text?: string };
/** The reply to each kind of request. */
export type Replies = { try: WhatIf; heads: Heads };

export type ToKernel =
  | { type: "hello"; protocol: number }
  | { type: "ack"; seq: number }
  | { type: "focus"; col: number; n_cols: number }
  | {
      type: "ask";
      method: string;
      objective: string;
      settings?: Record<string, unknown>;
      foil?: number;
      hop?: number;
      col?: number;
      aside?: boolean;
      /** Asks for the columns that rest, too. */
      all?: boolean;
    }
  | ({ type: "branch"; col: number; token: number } & Change)
  | { type: "back"; to: number }
  | { type: "as_chat" }
  | ({ type: "try"; request: number } & Change)
  | ({ type: "keep" } & Change)
  | { type: "heads"; request: number; col: number }
  | { type: "cancel" }
  | {
      type: "explain";
      explainer: string;
      kind: string;
      prompt: string;
      review: string;
      labels?: string[];
      homework?: boolean;
      /** Holds what stands for `{target}`, and its place among the targets. */
      target?: string;
      col?: number;
    }
  | { type: "say_versus_do"; review: string; explainer?: string; labels?: string[] }
  | { type: "evaluate"; cols: number[]; ahead?: boolean }
  | { type: "sanity"; cols: number[]; maps?: string[]; ahead?: boolean };

/** A message of one of our types with an invalid field. */
export class ProtocolError extends Error {
  override name = "ProtocolError";
}
