/**
 * The script of the static map in a saved notebook: hover and click, no kernel, no widget. export/html.py writes the
 * spans, the lines below them and the numbers; this repeats its forms for another target, in the colours of the page.
 */

import { makeRamp, parseColor, type Rgb, STEPS, swatchOf } from "./color";
import { share, significant } from "./format";
import { type ScaleName, scaleOf } from "./scale";

type Data = {
  shown: number;
  signed: boolean;
  scale: ScaleName;
  threshold: number;
  /** What is told of a number: a share that is to be made of it; or, as they are, a score, a difference, what was fed. */
  numbers: "share" | "score" | "difference" | "fed";
  /** What is asked about: a target, and which inputs made it; or an input, and which targets it feeds. */
  about: "target" | "input";
  /** What is said where there is no number but 0. */
  nothing: string;
  /**
   * Of each box what has its colour, by its place in `names`, or -1; and what is asked about there, by its place in `asked`,
   * or ~n where it comes after n targets and is none.
   */
  rows: number[];
  cols: number[];
  names: string[];
  /** What stands in the line below the text, each as it is. */
  asked: [name: string, said: string, others: string, hidden: string][];
  scores: string;
};

const SETTLE = 400; // ms: a host sets its theme's name before its style sheet has arrived

function backgroundOf(element: Element): Rgb {
  for (let at: Element | null = element; at !== null; at = at.parentElement) {
    const found = parseColor(getComputedStyle(at).backgroundColor);
    if (found !== null) return found;
  }
  return [255, 255, 255];
}

/** Column-major float32, little-endian whatever the machine is. */
function unpack(base64: string): DataView {
  return new DataView(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer);
}

function make(tag: string, text: string, className = ""): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = text;
  element.className = className;
  return element;
}

function revive(map: HTMLElement): void {
  const source = map.querySelector("script.sw-data")?.textContent;
  if (source === null || source === undefined) return;
  map.dataset.swReady = "";
  const {
    signed,
    numbers: told,
    scale,
    threshold,
    about,
    rows,
    cols,
    names,
    asked,
    ...data
  } = JSON.parse(source) as Data;
  const packed = unpack(data.scores);
  const boxes = [...map.querySelectorAll<HTMLElement>(".sw-t")];
  const caption = map.querySelector(".sw-caption");
  const legend = [...(map.querySelector(".sw-key")?.children ?? [])] as HTMLElement[];
  const figure = told === "score" ? significant : share;
  let pinned = data.shown;
  let shown = pinned;

  /** Shares or raw scores, one a row; NaN where the target cannot see it. A column of zeros has shares of 0. */
  function numbersOf(col: number): number[] {
    const scores = names.map((_, row) => packed.getFloat32(4 * (col * names.length + row), true));
    const sum = scores.reduce((all, score) => all + Math.abs(score || 0), 0) || 1;
    return told === "share" ? scores.map((score) => score / sum) : scores;
  }

  function show(col: number): void {
    shown = col;
    const ramp = makeRamp(backgroundOf(map));
    const numbers = numbersOf(col);
    const size = (row: number) => Math.abs(numbers[row] as number);
    const order = [...numbers.keys()].filter((row) => size(row) >= 0).sort((a, b) => size(b) - size(a));
    const max = size(order[0] as number) || 0;
    const place = scaleOf(scale, numbers, max, threshold);
    const colored = (at: number) => swatchOf(ramp, Math.round(STEPS * at), signed);
    const titles: string[] = [];
    let rank = 1;
    for (const [i, row] of order.entries()) {
      if (size(row) < size(order[i - 1] ?? row)) rank = i + 1; // equal numbers, equal ranks
      titles[row] = `${names[row]} · ${told} ${figure(numbers[row] as number)} · rank ${rank} of ${order.length}`;
    }
    const [name = "", said = "", others = "", hidden = ""] = asked[col] ?? [];
    for (const [i, box] of boxes.entries()) {
      const at = cols[i] as number;
      const isAsked = at === col;
      // The sentence of a box after the target may have begun before it, and was seen no further.
      const row = about === "target" && (at < 0 ? ~at : at) > col ? -1 : (rows[i] as number);
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
    const top = order.slice(0, 3).filter(size);
    caption?.replaceChildren(
      make("strong", name),
      said,
      make("span", others, "sw-quiet"),
      make("br", ""),
      top.map((row) => `${names[row]}\u00a0${figure(numbers[row] as number)}`).join(" · ") || data.nothing,
      make("span", hidden, "sw-quiet"),
    );
  }

  function colOf(event: Event): number | null {
    const box = event.target instanceof Element ? event.target.closest<HTMLElement>(".sw-t") : null;
    const col = box === null ? -1 : (cols[boxes.indexOf(box)] ?? -1);
    return col < 0 ? null : col;
  }

  map.addEventListener("pointerover", (event) => show(colOf(event) ?? pinned));
  map.addEventListener("pointerleave", () => show(pinned));
  map.addEventListener("click", (event) => {
    shown = pinned = colOf(event) ?? pinned;
    again();
  });
  const again = () => show(shown);
  again();
  painted.push(new WeakRef(again));
}

/** How maps are painted again, for as long as they are there: their listeners hold it, and a page outlives its outputs. */
const painted: WeakRef<() => void>[] = [];
for (const map of document.querySelectorAll<HTMLElement>(".sw-static-map:not([data-sw-ready])")) revive(map);

// Out here: what is made within `revive` would hold all that it has.
const look = () => {
  for (const again of painted) again.deref()?.();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
new MutationObserver(() => {
  look();
  setTimeout(look, SETTLE);
}).observe(document.body, { attributes: true });
