/**
 * The painter of a static map: it paints boxes, caption and legend for one target, or for one input. The script of a
 * saved map (static.ts) calls it for each target; the page that writes the map calls it once.
 */

import { makeRamp, type Rgb, STEPS, swatchOf } from "./color";
import { percent, share, significant } from "./format";
import { endOfNoise, isNoise, LEAST_DIFFERENCE, type ScaleName, scaleOf } from "./scale";

/** The data of a map for the painter. export/html.py leaves optional fields out. */
export type Told = {
  signed: boolean;
  scale?: ScaleName;
  /** On the scale "threshold": numbers below this fraction of the largest have no colour. */
  threshold?: number;
  /** The label before a number in a title. For "share" the painter divides the scores by their L1 norm. */
  label: "share" | "score" | "difference" | "fed";
  /** Tells whether a target for which no input stands out has no saturated colour, as in the live map. */
  calm?: boolean;
  /** For each column the size below which its numbers are noise, without colour; null where nothing tells it. */
  floors?: readonly (number | null)[];
  /** Tells whether columns are targets, with their inputs, or inputs, with the targets that they influence. */
  about?: "target" | "input";
  /** For each box the index in `names` of the row whose colour it has; null for a box without a number. */
  rows: readonly (number | null)[];
  /** For each box the index in `captions` of the column that a click shows; null for a box that is none. */
  cols: readonly (number | null)[];
  /** For each box the number of targets that end before it. */
  ended: readonly number[];
  names: readonly string[];
  /** The line below the text, one for each column. */
  captions: readonly Caption[];
};
/** The printed parts of the line below the text. */
export type Caption = { name: string; detail: string; alternatives: string; hidden: string };

const NOTHING = { target: "No input has a share of this.", input: "no target that has a share of this" };
const STRONGEST = 3;

function make(tag: string, text: string, className = ""): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className !== "") element.className = className;
  return element;
}

/**
 * Returns a function that paints a map for one column on a background. `scoresOf` returns the column's numbers, one for
 * each name; NaN if not visible.
 */
export function painter(
  map: HTMLElement,
  {
    signed,
    scale = "linear",
    threshold = 0,
    label,
    calm,
    floors,
    about = "target",
    rows,
    cols,
    ended,
    names,
    captions,
  }: Told,
  scoresOf: (at: number) => ArrayLike<number>,
): (at: number, background: Rgb) => void {
  const boxes = [...map.querySelectorAll<HTMLElement>(".sw-token")];
  const caption = map.querySelector(".sw-caption");
  const legend = [...(map.querySelector(".sw-key")?.children ?? [])] as HTMLElement[];
  const figure = label === "score" ? significant : share;
  /** The folded stretches of thinking: the rows in each, and where its share is printed. */
  const folds = [...map.querySelectorAll(".sw-thinking")].map((fold) => ({
    own: new Set(rows.filter((_, i) => fold.contains(boxes[i] as Node))),
    held: fold.querySelector(".sw-held"),
  }));

  /** Returns a column's shares, or its numbers unchanged, and what of them is noise. A column of zeros has shares of 0. */
  function numbersOf(at: number): [numbers: number[], floor: number] {
    const scores = Array.from(scoresOf(at));
    const sum = scores.reduce((all, score) => all + Math.abs(score || 0), 0) || 1;
    const by = label === "share" ? sum : 1;
    return [scores.map((score) => score / by), (floors?.[at] ?? 0) / by];
  }

  return (at, background) => {
    const ramp = makeRamp(background);
    const [numbers, floor] = numbersOf(at);
    const size = (row: number) => Math.abs(numbers[row] as number);
    const order = [...numbers.keys()].filter((row) => size(row) >= 0).sort((a, b) => size(b) - size(a));
    const max = size(order[0] as number) || 0;
    const scaled = scaleOf(scale, numbers, max, threshold);
    const place = (number: number) => (Math.abs(number) < floor ? 0 : scaled(number));
    const top = label === "share" ? max : max / order.reduce((sum, row) => sum + size(row), 0);
    const least = label === "difference" && max > 0 ? Math.min(1, max / LEAST_DIFFERENCE) : 1;
    const reach = calm && isNoise(top, order.length) ? top / endOfNoise(order.length) : least;
    const colored = (on: number) => swatchOf(ramp, Math.round(STEPS * on), signed);
    const titles: string[] = [];
    let rank = 1;
    for (const [i, row] of order.entries()) {
      if (size(row) < size(order[i - 1] ?? row)) rank = i + 1; // equal numbers, equal ranks
      titles[row] = `${names[row]} · ${label} ${figure(numbers[row] as number)} · rank ${rank} of ${order.length}`;
    }
    const { name = "", detail = "", alternatives = "", hidden = "" } = captions[at] ?? {};
    for (const [i, box] of boxes.entries()) {
      const isAsked = cols[i] === at;
      // The target saw only the beginning of a sentence that continues after it, so boxes there have no number.
      const isUnseen = about === "target" && (ended[i] as number) > at;
      const row = isUnseen ? null : (rows[i] as number | null);
      const title = isAsked ? `${name} · the ${about}` : row === null ? undefined : titles[row];
      const swatch = isAsked || row === null || !title ? null : colored(reach * place(numbers[row] as number));
      box.style.background = swatch?.background ?? "";
      box.style.color = swatch?.color ?? (isAsked ? "" : ramp.dark ? "#9aa3b1" : "#5f6672");
      box.style.outline = isAsked ? `2px solid ${ramp.dark ? "#7fb0ff" : "#2563c9"}` : "";
      box.title = title ?? "";
    }
    for (const { own, held } of folds) {
      const known = order.filter((row) => own.has(row));
      const sum = known.reduce((all, row) => all + (numbers[row] as number), 0);
      if (held) held.textContent = label === "share" && known.length > 0 ? ` · ${percent(sum)}` : "";
    }
    for (const [i, part] of legend.entries()) {
      const t = (i - 1) / (legend.length - 3); // between a number at either end
      const on = signed ? 2 * t - 1 : t;
      const end = max / reach;
      if (i === 0) part.textContent = signed ? figure(-end) : "0";
      else if (t > 1) part.textContent = figure(end);
      else part.style.background = colored(Math.abs(on) > reach ? on : reach * place(end * on)).background;
    }
    const strongest = order.slice(0, STRONGEST).filter(size);
    caption?.replaceChildren(
      make("strong", name),
      detail,
      make("span", alternatives, "sw-quiet"),
      make("br", ""),
      strongest.map((row) => `${names[row]}\u00a0${figure(numbers[row] as number)}`).join(" · ") || NOTHING[about],
      make("span", hidden, "sw-quiet"),
    );
  };
}
