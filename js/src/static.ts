/**
 * The script of the static map in a saved notebook: hover and click, no kernel, no widget. export/html.py writes the
 * spans and the numbers it reads; without it the map still reads, with its first column painted.
 */

import { makeRamp, parseColor, type Rgb, stepOf, swatchOf } from "./color";
import { share } from "./format";

type Data = {
  first_target: number;
  n_rows: number;
  n_cols: number;
  signed: boolean;
  unit: string;
  texts: string[];
  probabilities: (number | null)[];
  shares: string;
  maxima: number[];
};

const HIDDEN = -32768; // NaN: the target cannot see this row
const FULL = 32767;

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

function revive(map: HTMLElement): void {
  const source = map.querySelector("script.sw-data")?.textContent;
  if (source === null || source === undefined) return;
  map.dataset.swReady = "";
  const data = JSON.parse(source) as Data;
  const packed = unpack(data.shares);
  const boxes = [...map.querySelectorAll<HTMLElement>(".sw-t")];
  const caption = map.querySelector(".sw-caption");
  const name = (token: number) => (data.texts[token] ?? "").replaceAll("\n", "⏎").trim() || "␣";
  let pinned = 0;

  function shareAt(row: number, col: number): number | null {
    if (row >= data.n_rows) return null;
    const value = packed.getInt16(2 * (col * data.n_rows + row), true);
    return value === HIDDEN ? null : (value / FULL) * (data.maxima[col] ?? 0);
  }

  function show(col: number): void {
    const ramp = makeRamp(backgroundOf(map));
    const max = data.maxima[col] ?? 0;
    const seen: { row: number; value: number }[] = [];
    for (const [i, box] of boxes.entries()) {
      const value = shareAt(i, col);
      const swatch = value === null ? null : swatchOf(ramp, stepOf(value, max));
      box.style.background = swatch?.background ?? "";
      box.style.color = swatch?.color ?? "";
      box.style.outline = i === data.first_target + col ? "2px solid" : "";
      box.title = name(i);
      if (value !== null) seen.push({ row: i, value });
    }
    seen.sort((a, b) => Math.abs(b.value) - Math.abs(a.value));
    let rank = 1;
    for (const [i, { row, value }] of seen.entries()) {
      if (Math.abs(value) < Math.abs(seen[i - 1]?.value ?? 0)) rank = i + 1; // equal shares, equal ranks
      const box = boxes[row];
      if (box !== undefined) box.title += `, share ${value.toFixed(3)}, rank ${rank} of ${seen.length}`;
    }
    if (caption === null) return;
    const probability = data.probabilities[col];
    const top = seen.slice(0, 3).map(({ row, value }) => `${name(row)} ${share(value)}`);
    const p = typeof probability === "number" ? `  p = ${probability.toFixed(3)}` : "";
    caption.textContent = `"${data.texts[data.first_target + col] ?? ""}"${p} — ${top.join(" · ")}`;
  }

  function colOf(event: Event): number | null {
    const box = event.target instanceof Element ? event.target.closest<HTMLElement>(".sw-t") : null;
    const col = box === null ? -1 : boxes.indexOf(box) - data.first_target;
    return col >= 0 && col < data.n_cols ? col : null;
  }

  map.addEventListener("pointerover", (event) => show(colOf(event) ?? pinned));
  map.addEventListener("pointerleave", () => show(pinned));
  map.addEventListener("click", (event) => {
    pinned = colOf(event) ?? pinned;
    show(pinned);
  });
  show(pinned);
}

for (const map of document.querySelectorAll<HTMLElement>(".sw-static-map:not([data-sw-ready])")) revive(map);
