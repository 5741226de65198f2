/**
 * The script of a static map, in a saved notebook or a file: hover and click, without kernel or widget. Python
 * (export/html.py) or the page (views/takeaway/page.ts) writes the map; this script paints it for another target, in
 * the colours of its page.
 */

import { parseColor, type Rgb } from "./color";
import { painter, type Told } from "./hover";

/** `shown`: the column on show at first. `scores`: column-major little-endian float32 in base64. */
type Data = Told & { shown: number; scores: string };

const SETTLE = 400; // ms: a host sets its theme's name before the style sheet has loaded

function backgroundOf(element: Element): Rgb {
  for (let at: Element | null = element; at !== null; at = at.parentElement) {
    const found = parseColor(getComputedStyle(at).backgroundColor);
    if (found !== null) return found;
  }
  return [255, 255, 255];
}

function unpack(base64: string): DataView {
  return new DataView(Uint8Array.from(atob(base64), (char) => char.charCodeAt(0)).buffer);
}

function revive(map: HTMLElement): void {
  const source = map.querySelector("script.sw-data")?.textContent;
  if (source === null || source === undefined) return;
  map.dataset.swReady = "";
  const data = JSON.parse(source) as Data;
  const { names, cols } = data;
  const packed = unpack(data.scores);
  const paint = painter(map, data, (col) =>
    names.map((_, row) => packed.getFloat32(4 * (col * names.length + row), true)),
  );
  const boxes = [...map.querySelectorAll<HTMLElement>(".sw-token")];
  let pinned = data.shown;
  let shown = pinned;

  function show(col: number): void {
    shown = col;
    paint(col, backgroundOf(map));
  }

  function colOf(event: Event): number | null {
    const box = event.target instanceof Element ? event.target.closest<HTMLElement>(".sw-token") : null;
    return box === null ? null : (cols[boxes.indexOf(box)] ?? null);
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

/**
 * Functions that repaint the maps. References are weak, because outputs may be removed; a map's listeners hold them.
 */
const painted: WeakRef<() => void>[] = [];
for (const map of document.querySelectorAll<HTMLElement>(".sw-static-map:not([data-sw-ready])")) revive(map);

// Outside of `revive`, where a closure would keep its map alive.
const look = () => {
  for (const again of painted) again.deref()?.();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", look);
new MutationObserver(() => {
  look();
  setTimeout(look, SETTLE);
}).observe(document.body, { attributes: true });
