/**
 * The script of the static map in a saved notebook: hover and click, no kernel, no widget. export/html.py writes the
 * spans, the lines below them and the numbers; this repeats its forms for another target, in the colours of the page.
 */

import { makeRamp, parseColor, type Rgb, STEPS, stepOf, swatchOf } from "./color";
import { share } from "./format";

type Data = {
  first_target: number;
  n_rows: number;
  n_cols: number;
  shown: number;
  signed: boolean;
  texts: string[];
  /** Of the tokens whose name is not their text without the spaces before it. */
  names: Record<string, string>;
  probabilities: (number | null)[];
  alternatives: [name: string, probability: number][][];
  shares: string;
  maxima: number[];
};

const HIDDEN = -32768; // NaN: the target cannot see this row
const FULL = 32767;
const SETTLE = 400; // ms: a host sets its theme's name before its style sheet has arrived

function backgroundOf(element: Element): Rgb {
  for (let at: Element | null = element; at !== null; at = at.parentElement) {
    const found = parseColor(getComputedStyle(at).backgroundColor);
    if (found !== null) return found;
  }
  return [255, 255, 255];
}

/** Column-major int16, little-endian whatever the machine is. */
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
  const data = JSON.parse(source) as Data;
  const packed = unpack(data.shares);
  const boxes = [...map.querySelectorAll<HTMLElement>(".sw-t")];
  const caption = map.querySelector(".sw-caption");
  const legend = [...(map.querySelector(".sw-key")?.children ?? [])] as HTMLElement[];
  const name = (token: number) => data.names[token] ?? (data.texts[token] ?? "").replace(/^ +/, "");
  let pinned = data.shown;
  let shown = pinned;

  function shareAt(row: number, col: number): number | null {
    if (row >= data.n_rows) return null;
    const value = packed.getInt16(2 * (col * data.n_rows + row), true);
    return value === HIDDEN ? null : (value / FULL) * (data.maxima[col] ?? 0);
  }

  function show(col: number): void {
    shown = col;
    const ramp = makeRamp(backgroundOf(map));
    const max = data.maxima[col] ?? 0;
    const target = data.first_target + col;
    const seen: { row: number; value: number }[] = [];
    for (const [i, box] of boxes.entries()) {
      const value = shareAt(i, col);
      const swatch = value === null ? null : swatchOf(ramp, stepOf(value, max), data.signed);
      const quiet = i === target ? "" : ramp.dark ? "#9aa3b1" : "#5f6672";
      box.style.background = swatch?.background ?? "";
      box.style.color = swatch?.color ?? quiet;
      box.style.outline = i === target ? `2px solid ${ramp.dark ? "#7fb0ff" : "#2563c9"}` : "";
      box.title = i === target ? `${name(i)} · the target` : "";
      if (value !== null) seen.push({ row: i, value });
    }
    seen.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    let rank = 1;
    for (const [i, { row, value }] of seen.entries()) {
      if (Math.abs(value) < Math.abs(seen[i - 1]?.value ?? 0)) rank = i + 1; // equal shares, equal ranks
      const box = boxes[row];
      if (box) box.title = `${name(row)} · share ${share(value)} · rank ${rank} of ${seen.length}`;
    }
    for (const [i, part] of legend.entries()) {
      const t = (i - 1) / (legend.length - 3); // between a number at either end
      if (i === 0) part.textContent = data.signed ? share(-max) : "0";
      else if (t > 1) part.textContent = share(max);
      else
        part.style.background = swatchOf(
          ramp,
          Math.round(STEPS * (data.signed ? 2 * t - 1 : t)),
          data.signed,
        ).background;
    }
    const probability = data.probabilities[col] ?? null;
    const others = (data.alternatives[col] ?? []).map(([text, p]) => `${text} ${share(p)}`).join(" · ");
    const top = seen.filter(({ value }) => value !== 0).slice(0, 3);
    const inputs = top.map(({ row, value }) => `${name(row)}\u00a0${share(value)}`).join(" · ");
    caption?.replaceChildren(
      make("strong", name(target)),
      probability === null ? "" : ` p = ${share(probability)}`,
      make("span", others && ` instead of ${others}`, "sw-quiet"),
      make("br", ""),
      inputs || "Every score is 0, so there is nothing to share out.",
    );
  }

  function colOf(event: Event): number | null {
    const box = event.target instanceof Element ? event.target.closest<HTMLElement>(".sw-t") : null;
    const col = box === null ? -1 : boxes.indexOf(box) - data.first_target;
    return col >= 0 && col < data.n_cols ? col : null;
  }

  map.addEventListener("pointerover", (event) => show(colOf(event) ?? pinned));
  map.addEventListener("pointerleave", () => show(pinned));
  map.addEventListener("click", (event) => {
    shown = pinned = colOf(event) ?? pinned;
    again();
  });
  const again = () => show(shown);
  again();
  followTheme(new WeakRef(again));
}

/** For as long as the map is there, whose listeners hold `again`: a page outlives the outputs of its cells. */
function followTheme(again: WeakRef<() => void>): void {
  const look = () => again.deref()?.();
  new MutationObserver(() => {
    look();
    setTimeout(look, SETTLE);
  }).observe(document.body, { attributes: true });
}

for (const map of document.querySelectorAll<HTMLElement>(".sw-static-map:not([data-sw-ready])")) revive(map);
