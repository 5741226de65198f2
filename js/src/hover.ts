/**
 * How a static map looks where one target is asked about, or one input: its boxes, the line below them, the legend. The
 * script that goes along with it (static.ts) paints it so for each target; the page that writes one paints it once.
 */

import { makeRamp, type Rgb, STEPS, swatchOf } from "./color";
import { share, significant } from "./format";
import { type ScaleName, scaleOf } from "./scale";

/** What a map says of itself. Where a field may be left out, export/html.py leaves it out: the map as it comes. */
export type Told = {
  signed: boolean;
  scale?: ScaleName;
  /** Of the scale "threshold". */
  threshold?: number;
  /** What is told of a number: a share that is to be made of it; or, as they are, a score, a difference, what was fed. */
  numbers: "share" | "score" | "difference" | "fed";
  /** What is asked about: a target, and which inputs made it; or an input, and which targets it feeds. */
  about?: "target" | "input";
  /**
   * Of each box what has its colour, by its place in `names`, or -1; and what is asked about there, by its place in `asked`,
   * or ~n where it comes after n targets and is none.
   */
  rows: readonly number[];
  cols: readonly number[];
  names: readonly string[];
  /** What stands in the line below the text, each as it is. */
  asked: readonly Asked[];
};
export type Asked = readonly [name: string, said: string, others: string, hidden: string];

const NOTHING = { target: "No input has a share of this.", input: "no target that has a share of this" };
const STRONGEST = 3;

function make(tag: string, text: string, className = ""): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = text;
  if (className !== "") element.className = className;
  return element;
}

/**
 * Paints a map for what is asked about, by its place in `asked`, on a background. `scoresOf` gives its numbers, one a name;
 * NaN where the one cannot see the other.
 */
export function painter(
  map: HTMLElement,
  { signed, scale = "linear", threshold = 0, numbers: told, about = "target", rows, cols, names, asked }: Told,
  scoresOf: (at: number) => ArrayLike<number>,
): (at: number, background: Rgb) => void {
  const boxes = [...map.querySelectorAll<HTMLElement>(".sw-token")];
  const caption = map.querySelector(".sw-caption");
  const legend = [...(map.querySelector(".sw-key")?.children ?? [])] as HTMLElement[];
  const figure = told === "score" ? significant : share;

  /** Shares, or the numbers as they are. A column of zeros has shares of 0. */
  function numbersOf(at: number): number[] {
    const scores = Array.from(scoresOf(at));
    const sum = scores.reduce((all, score) => all + Math.abs(score || 0), 0) || 1;
    return told === "share" ? scores.map((score) => score / sum) : scores;
  }

  return (at, background) => {
    const ramp = makeRamp(background);
    const numbers = numbersOf(at);
    const size = (row: number) => Math.abs(numbers[row] as number);
    const order = [...numbers.keys()].filter((row) => size(row) >= 0).sort((a, b) => size(b) - size(a));
    const max = size(order[0] as number) || 0;
    const place = scaleOf(scale, numbers, max, threshold);
    const colored = (on: number) => swatchOf(ramp, Math.round(STEPS * on), signed);
    const titles: string[] = [];
    let rank = 1;
    for (const [i, row] of order.entries()) {
      if (size(row) < size(order[i - 1] ?? row)) rank = i + 1; // equal numbers, equal ranks
      titles[row] = `${names[row]} · ${told} ${figure(numbers[row] as number)} · rank ${rank} of ${order.length}`;
    }
    const [name = "", said = "", others = "", hidden = ""] = asked[at] ?? [];
    for (const [i, box] of boxes.entries()) {
      const col = cols[i] as number;
      const isAsked = col === at;
      // The sentence of a box after the target may have begun before it, and was seen no further.
      const row = about === "target" && (col < 0 ? ~col : col) > at ? -1 : (rows[i] as number);
      const title = isAsked ? `${name} · the ${about}` : titles[row];
      const swatch = isAsked || !title ? null : colored(place(numbers[row] as number));
      box.style.background = swatch?.background ?? "";
      box.style.color = swatch?.color ?? (isAsked ? "" : ramp.dark ? "#9aa3b1" : "#5f6672");
      box.style.outline = isAsked ? `2px solid ${ramp.dark ? "#7fb0ff" : "#2563c9"}` : "";
      box.title = title ?? "";
    }
    for (const [i, part] of legend.entries()) {
      const t = (i - 1) / (legend.length - 3); // between a number at either end
      if (i === 0) part.textContent = signed ? figure(-max) : "0";
      else if (t > 1) part.textContent = figure(max);
      else part.style.background = colored(place(max * (signed ? 2 * t - 1 : t))).background;
    }
    const top = order.slice(0, STRONGEST).filter(size);
    caption?.replaceChildren(
      make("strong", name),
      said,
      make("span", others, "sw-quiet"),
      make("br", ""),
      top.map((row) => `${names[row]}\u00a0${figure(numbers[row] as number)}`).join(" · ") || NOTHING[about],
      make("span", hidden, "sw-quiet"),
    );
  };
}
