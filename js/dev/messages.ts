/** The messages of a kernel about the texts of the gallery. */

import type { WireAlternative, WireMethod, WireSegment, WireToken } from "../src/protocol";
import { PROTOCOL } from "../src/protocol";
import type { Beside } from "../src/store";
import { OTHERS as OTHER_MAPS } from "./compare";
import { PLAIN_MAP } from "./plain-map";
import type { Draft, Task } from "./tasks";

export type Wire = Record<string, unknown>;
export type Scene = {
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
  objective: null,
  unit: "gradient norm",
  cost: "one backward pass per target",
  says: "Darker: changing this {word} would change {target} more.",
  reads: "How much the objective moves when this token's embedding moves a little.",
  caveats: ["Near 0 when the model is almost certain."],
  reference: "Simonyan et al. 2014, arXiv:1312.6034",
  reason: null,
  seconds: null,
  ...more,
});

const ONE_PASS = "one forward pass for all targets";
export const MENU = {
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
    { id: "probability", label: "probability", means: "how likely the model held the word, from 0 to 1" },
    { id: "log_probability", label: "log-probability", means: "the logarithm of the probability" },
    { id: "logit", label: "logit", means: "the score of the word before scores are made into probabilities" },
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
export function noise(seed: number): number {
  const x = Math.sin(seed * 12.9898 + 78.233) * 43758.5453;
  return x - Math.floor(x);
}

const OTHERS: WireAlternative[] = [
  { id: 1, text: " W", probability: 0.088 },
  { id: 2, text: " Bush", probability: 0.045 },
  { id: 3, text: " H", probability: 0.027 },
  { id: 4, text: " Clinton", probability: 0.018 },
];

export const mapOf = (n_rows: number, n_cols: number, method = "saliency"): Wire => ({
  ...PLAIN_MAP,
  map: "m1",
  method,
  n_rows,
  n_cols,
});

export function scene(
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
      { type: "hello", protocol: PROTOCOL, session: "gallery", hover: "" },
      {
        type: "document",
        doc: 1,
        model: options.model ?? "SmolLM2-135M",
        device: "cpu",
        dtype: "float32",
        first_target: firstTarget,
        editable: null,
        code: "model, 'The first president'",
        raw: false,
        alive: true,
        beside: [],
      },
      { type: "tokens", doc: 1, start: 0, tokens, segments: options.segments ?? [] },
      options.methods === undefined ? MENU : { ...MENU, methods: options.methods },
      {
        type: "steps",
        doc: 1,
        start: 0,
        steps: Array.from({ length: nCols }, (_, col) => ({
          probability: options.probabilities?.[col] ?? (col === 0 ? 0.796 : 0.3 + 0.7 * noise(col)),
          value: null,
          alternatives: classes
            ? []
            : [
                { id: 100 + firstTarget + col, text: tokens[firstTarget + col]?.text ?? "", probability: 0.796 },
                ...(options.alternatives ?? OTHERS),
              ],
        })),
      },
      mapOf(nRows, nCols, options.method),
      ...Array.from({ length: options.done ?? nCols }, (_, col) => col)
        .filter((col) => options.missing?.(col) !== true)
        .map((col) => ({ type: "column", floor: null, map: "m1", seq: col + 1, col, n_rows: nRows })),
      ...(options.tail ?? []),
    ],
    columns: column,
    drawer: options.drawer ?? false,
    beside: options.beside ?? [],
  };
}

export const status = (
  phase: string,
  what: string,
  done = 0,
  total: number | null = null,
  left: number | null = null,
  unit = "tokens",
) => ({ type: "status", phase, what, done, total, unit, seconds_left: left });

/** The input in the same place of the other text weighs most, and some of it is against. */
export function translated({ drafts, firstTarget, segments }: Task, options: Parameters<typeof scene>[2] = {}): Scene {
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

export function classified(
  { drafts, firstTarget, segments }: Task,
  model: string,
  probability: (col: number) => number,
  options: Parameters<typeof scene>[2] = {},
): Scene {
  const probabilities = drafts.slice(firstTarget).map((_, col) => probability(col));
  const scores = (row: number, col: number) => 0.2 * (noise(7 * row + (col % 5)) - 0.4) ** 3;
  return scene(drafts, firstTarget, { segments, model, probabilities, method: "occlusion", scores, ...options });
}

export const without = (ids: string[], reason: string) =>
  MENU.methods.map((card) => (ids.includes(card.id) ? { ...card, reason } : card));
