/** Texts of the gallery that are more than one text: translations, and texts with classes. */

import type { WireSegment, WireToken } from "../src/protocol";

export type Draft =
  | string
  | { text: string; role?: WireToken["role"]; part?: [number, number]; span?: [number, number] };
export type Task = { drafts: Draft[]; firstTarget: number; segments: WireSegment[] };

const as =
  (role: WireToken["role"]) =>
  (...texts: string[]): Draft[] =>
    texts.map((text) => ({ text, role }));
export const special = as("special");
const source = as("source");

function translation(read: Draft[], start: Draft[], written: Draft[]): Task {
  const firstTarget = read.length + start.length;
  return {
    drafts: [...read, ...start, ...written],
    firstTarget,
    segments: [
      { kind: "source", name: "source", start: 0, end: read.length },
      { kind: "target", name: "translation", start: read.length, end: firstTarget + written.length },
    ],
  };
}

function classes(read: Draft[], names: string[]): Task {
  const segments: WireSegment[] = [{ kind: "paragraph", name: "", start: 0, end: read.length }];
  return { drafts: [...read, ...as("class")(...names)], firstTarget: read.length, segments };
}

const LIKE = [" I", " like", " machine", " learning", " and", " artificial", " intelligence", "."];

/** As opus-mt-zh-en cuts it. */
export const ZH_EN = translation(
  [...source("我", "喜歡", "機器", "學習", "和", "人工", "智慧", "。"), ...special("</s>")],
  special("<pad>"),
  [...LIKE, ...special("</s>")],
);
/** As NLLB does: a language before the source, and one that the decoder is started with. */
export const AR_EN = translation(
  [
    ...special("arb_Arab"),
    ...source("أحب", " التعلم", " الآ", "لي", " والذ", "كاء", " الاصطن", "اعي", "."),
    ...special("</s>"),
  ],
  special("</s>", "eng_Latn"),
  [...LIKE, ...special("</s>")],
);
export const EN_AR = translation(
  [...special("eng_Latn"), ...source(...LIKE), ...special("</s>")],
  special("</s>", "arb_Arab"),
  ["أحب", " التعلم", " الآ", "لي", " والذ", "كاء", " الاصطن", "اعي", ".", ...special("</s>")],
);
/** The model reads the words that the user began, and writes the rest. */
export const BEGUN = translation(
  [...source("我", "喜歡", "機器", "學習", "。"), ...special("</s>")],
  [...special("<pad>"), " I", " really"].map((draft) =>
    typeof draft === "string" ? { text: draft, role: "prompt" as const } : draft,
  ),
  [" like", " machine", " learning", "."],
);

const FILM = [
  ...special("[CLS]"),
  ..."A| comp|elling| drama|,| beauti|fully| shot|,| though| the| last| act| drags|.".split("|"),
  ...special("[SEP]"),
];
export const FEELINGS = classes(FILM, ["NEGATIVE", "POSITIVE"]);
export const EMOTIONS = classes(
  [
    ...special("<s>"),
    ..."I| can|'t| believe| you| did| that| for| me|!| Thank| you| so| much|.".split("|"),
    ...special("</s>"),
  ],
  (
    "admiration amusement anger annoyance approval caring confusion curiosity desire disappointment disapproval disgust " +
    "embarrassment excitement fear gratitude grief joy love nervousness optimism pride realization relief remorse " +
    "sadness surprise neutral"
  ).split(" "),
);
/** As many as banking77 has, with names as long. */
export const INTENTS = classes(
  [...special("[CLS]"), ..."Why| was| I| charged| for| a| with|drawal|?".split("|"), ...special("[SEP]")],
  Array.from(
    { length: 77 },
    (_, i) =>
      `${["card_payment", "cash_withdrawal", "top_up", "exchange", "beneficiary"][i % 5]}_${["fee_charged", "not_recognised", "declined", "pending"][i % 4]}${i >= 20 ? `_${Math.floor(i / 20)}` : ""}`,
  ),
);
