import type { MapBegins } from "../src/protocol";

/** The header of a map about which there is nothing particular to say, but for its name and its size. */
export const PLAIN_MAP = {
  type: "map",
  doc: 1,
  method: "saliency",
  objective: "probability",
  settings: [],
  foil: null,
  about: null,
  col: null,
  hop: 0,
  due: null,
  aside: false,
} satisfies Partial<MapBegins>;
