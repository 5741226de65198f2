/** The answers of LLMs in the gallery: the golden messages, and more of the kind. */

import answer from "../../tests/protocol/to_page/answer.json";
import comparison from "../../tests/protocol/to_page/comparison.json";
import explainers from "../../tests/protocol/to_page/explainers.json";
import { special, type Task } from "./tasks";

export const EXPLAINERS = {
  ...explainers,
  prompts: [
    ...explainers.prompts,
    { id: "scores-predict-first", label: "Class first, then each word", kind: "scores", text: "{review}" },
  ],
};

const read = [
  ...special("[CLS]"),
  ...comparison.words.map((word) => (/^\w/.test(word) ? ` ${word}` : word)),
  ...special("[SEP]"),
];
/** The review, and the classes that it may have. */
export const REVIEWED: Task = {
  drafts: [...read, ...["NEGATIVE", "POSITIVE"].map((text) => ({ text, role: "class" as const }))],
  firstTarget: read.length,
  segments: [{ kind: "paragraph", name: "", start: 0, end: read.length }],
};

const PROSE = `The review is **positive**.

The reviewer calls the film "a compelling drama" and says that it "captivates audiences": both are strong words of praise. What follows gives two reasons, its intricate storytelling and its powerful performances, and takes nothing back: there is no "but" in it.

<script>alert(1)</script> </style> is text like any other.

I would weigh`;

const prose = {
  ...answer,
  explainer: "gemini-2.0-flash",
  prompt: "Answer and explain",
  kind: "answer",
  guided: false,
  free: null,
  words: null,
  pairs: null,
  problems: [],
  mapped: false,
};

export const ANSWERS = [
  {
    ...prose,
    id: 1,
    state: "failed",
    text: "The review is",
    label: null,
    label_probability: null,
    prompt_tokens: null,
    completion_tokens: null,
    seconds: 30.2,
    failure: {
      message: "gemini-2.0-flash did not answer within 30 s.",
      cure: "Try again, or give it more time: timeout=60.",
    },
  },
  answer,
  {
    ...prose,
    id: 4,
    state: "writing",
    text: PROSE,
    label: null,
    label_probability: null,
    prompt_tokens: 71,
    completion_tokens: 62,
    seconds: 1.4,
    card: { about: [], reads: "", caveats: [], reference: "" },
  },
];

/** Two methods more, and none that agrees. */
export const COMPARISON = {
  ...comparison,
  sides: [
    ...comparison.sides,
    ...["Integrated gradients", "LIME"].map((label, i) => ({
      method: label,
      label,
      signed: true,
      scores: comparison.words.map((_, k) => Math.sin(2.3 * k + 1.7 * i) * Math.exp(-((k - 5) ** 2) / 40)),
      figures:
        comparison.sides[0]?.figures.map((figure) => ({
          ...figure,
          value: figure.id === "spearman" ? 0.12 - 0.7 * i : 0.2,
        })) ?? [],
    })),
  ],
};
