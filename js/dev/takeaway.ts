/** The changes that were tried on the text of the gallery about George Washington, as a kernel tells it. */

const DOCUMENT = {
  type: "document",
  doc: 1,
  model: "SmolLM2-135M",
  device: "cpu",
  dtype: "float32",
  first_target: 9,
  code: null,
  editable: "The first president of the United States was George",
  raw: false,
  alive: true,
  beside: [],
};
const BEFORE = [0.796, 0.61, 0.88, 0.93, 0.35, 0.52, 0.71, 0.44];

/** May be written anew. */
export const EDITABLE = [DOCUMENT];
/** " United States" struck out. */
export const STRUCK = [
  DOCUMENT,
  {
    type: "what_if",
    doc: 1,
    rows: [5, 6],
    text: null,
    written: [],
    operator: "mask",
    reason: null,
    before: BEFORE,
    after: [0.312, 0.58, 0.9, 0.93, 0.41, 0.5, 0.33, 0.44],
    others: [],
  },
];
/** Of the targets the first is struck out as well. */
export const GONE = [
  DOCUMENT,
  {
    type: "what_if",
    doc: 1,
    rows: [2, 9],
    text: null,
    written: [],
    operator: "mask",
    reason: null,
    before: BEFORE,
    after: [null, ...BEFORE.slice(1)],
    others: [],
  },
];
export const EDITED = [
  DOCUMENT,
  {
    type: "what_if",
    doc: 1,
    rows: [4, 5, 6, 8],
    text: "The first president of Mexico was Guadalupe",
    written: [
      [7, " Mexico"],
      [9, " Guadalupe"],
    ],
    operator: null,
    reason: null,
    before: BEFORE,
    after: [0.012, 0.7, 0.9, 0.93, 0.2, 0.5, 0.33, 0.6],
    others: [],
  },
];
