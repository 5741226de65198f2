/**
 * The map as the reader sees it, as a self-contained page. It is built from elements of a detached document, so that
 * text is never markup. It also works without its script: colours are in the boxes, numbers in titles and a table, on a
 * light background; the script (static.ts) gives it the colours of the system.
 */

import { type Glyph, glyphs, percent, plural, share, significant, visible } from "../../format";
import { painter } from "../../hover";
import type { Span } from "../../layout";
import { signOfPart } from "../../pieces";
import { shareOf, topRows } from "../../scores";
import type { Store } from "../../store";
import { classOrder } from "../classes";
import { h } from "../dom";
import { chipText } from "../text/boxes";
import { hasPrompt } from "../text/lines";
import { headline, outputsOf, unitText, worthOf } from "../words";
import { type Box, type Seen, seenOf } from "./seen";

/** The text of the page's script, inserted by the build. */

const MAX_CELLS = 250_000; // numbers in the page for hovering, 5.3 bytes each
const TITLE = 60; // characters of the text in the title
const TOP = 5; // inputs of each target in the table
const STEPS_OF_KEY = 9;
const PAPER = [255, 255, 255] as const;
const QUIET = "color: #5f6672";
const LINE = "1px solid rgba(128, 128, 128, .35)"; // on any background

const STYLE = `
:root { color-scheme: light dark; --ground: #fff; --ink: #1b1d22; --line: #e2e5ea }
@media (prefers-color-scheme: dark) {
:root { --ground: #16181d; --ink: #e6e9ef; --line: #363b45 }
body { background: #0f1115 }
}
.sw-quiet { ${QUIET} }
.sw-static-map[data-sw-ready] { background: var(--ground) !important; color: var(--ink) !important; border-color: var(--line) !important }
.sw-static-map[data-sw-ready] :is(.sw-quiet, th, td) { background: none !important; color: inherit !important }
.sw-static-map[data-sw-ready] :is(.sw-quiet:not(.sw-key), .sw-key > :is(:first-child, :last-child)) { opacity: .75 }
`;
const CARD =
  "background: #fff; color: #1b1d22; border: 1px solid #e2e5ea; border-radius: 8px; padding: 12px 16px; max-width: 960px; " +
  "font: 14px/1.5 system-ui, -apple-system, 'Segoe UI', Roboto, 'Noto Sans', sans-serif";
const TEXT = "white-space: pre-wrap; overflow-wrap: break-word; font-size: 16px; line-height: 1.9; margin: 10px 0";
const LABEL = `${QUIET}; font-size: 11px; font-weight: 600; letter-spacing: .06em; text-transform: uppercase; margin-top: 12px`;
const CELL = "padding: 2px 12px 2px 0; text-align: left; vertical-align: top";

/** Returns the page. Throws if no target on show is computed, or if the chosen inputs influence none. */
export function pageOf(store: Store): string {
  const seen = seenOf(store);
  const { told, numbers, shown } = seen;
  const canHover = numbers.length * told.names.length <= MAX_CELLS;
  const map = made(
    "div",
    CARD,
    { className: "sw-static-map", dir: "ltr" }, // its captions are English
    headOf(store),
    ...textsOf(store, seen),
    h("div", { className: "sw-caption" }),
    keyOf(),
    tableOf(store, seen),
  );
  if (!canHover) map.append(quiet(`To stay small, this page has the colours of this one ${told.about} alone.`));
  painter(map, told, (at) => numbers[at] ?? [])(shown, PAPER);
  const root = h("div", { className: "sw-static" }, map);
  if (canHover) {
    const data = { ...told, shown, scores: packed(numbers) };
    const textContent = JSON.stringify(data).replace(/[<>&]/g, escaped);
    map.append(h("script", { type: "application/json", className: "sw-data", textContent }));
    root.append(h("script", { textContent: store.hover.value.replace(/<(?=\/script|!--)/gi, "\\x3c") }));
  }
  return `<!doctype html>\n${paged(titleOf(store), root)}\n`;
}

function paged(title: string, root: HTMLElement): string {
  const page = document.implementation.createHTMLDocument("");
  page.title = title;
  const charset = h("meta");
  charset.setAttribute("charset", "utf-8");
  page.head.prepend(charset, h("meta", { name: "viewport", content: "width=device-width" }));
  page.head.append(h("style", { textContent: STYLE }));
  page.body.append(root);
  return page.documentElement.outerHTML;
}

function titleOf({ document, pieces }: Store): string {
  let words = "";
  for (const { text } of pieces.value)
    if (words.length < TITLE) words = (words + text).replace(/\s+/gu, " ").trimStart();
  return visible(`${document.value?.model}: ${Array.from(words).slice(0, TITLE).join("").trim()}`);
}

// ── the text ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function headOf(store: Store): HTMLElement {
  const [model = "", ...others] = headline(store).map(visible);
  const { foil = null } = store.map.value?.info ?? {};
  const { scale, threshold, hiddenRows } = store;
  const hidden = hiddenRows.value?.reduce((n, row) => n + row, 0) ?? 0;
  const words = [
    ...others,
    foil === null ? "" : `less that of ${visible(foil)}`,
    visible(unitText(store)),
    { linear: "", quantile: "colours by rank", threshold: `colours from ${percent(threshold.value)} of the largest` }[
      scale.value
    ],
    hidden === 0 ? "" : `${plural(hidden, "input")} left out of the shares`,
  ];
  const rest = words.filter((said) => said !== "").map((said) => ` · ${said}`);
  const notes = store.notes.value.get(store.map.value?.info.map ?? "") ?? [];
  const told = notes.flatMap(({ text }) => [h("br"), quiet(visible(text))]);
  return h("div", { className: "sw-head" }, h("strong", {}, model), quiet(rest.join("")), ...told);
}

/** The element of a box, with the space before it and the line break after it, which are outside of it. */
type Drawn = { start: number; gap: boolean; element: HTMLElement; breaks: boolean; shown: boolean };

/** Returns the text; or source and translation with names, each in its own direction; or a text and its classes. */
function textsOf(store: Store, { boxes, told, shown }: Seen): HTMLElement[] {
  const { kind, firstTarget, targetStart, segments } = store;
  const all = boxes.map((box, i) => ({ ...drawnBox(store, box), shown: told.cols[i] === shown }));
  const prose = (own: readonly Drawn[]) => {
    const element = made("div", TEXT, { className: "sw-prose", dir: "auto" });
    let within: Span | undefined;
    let fold: HTMLDetailsElement | undefined;
    for (const box of own) {
      const thought = store.thinking.value.find(({ start, end }) => start <= box.start && box.start < end);
      if (thought !== within) fold = undefined;
      if (box.gap) (fold ?? element).append(" ");
      if (box.start === firstTarget.value && hasPrompt(store)) (fold ?? element).append(stroke());
      if (thought && thought !== within) {
        fold = folded(thought);
        element.append(fold);
      }
      within = thought;
      if (fold && box.shown) fold.open = true; // what is asked about must be seen
      (fold ?? element).append(box.element, ...(box.breaks ? ["\n"] : []));
    }
    return element;
  };
  if (kind.value === "classes") {
    const isText = ({ start }: Drawn) => start < firstTarget.value;
    return [prose(all.filter(isText)), ...classesOf(store, all.slice(all.filter(isText).length))];
  }
  const { value: begin } = targetStart;
  if (begin === null) return [prose(all)];
  return (["source", "target"] as const).flatMap((side) => {
    const name = segments.value.find((segment) => segment.kind === side)?.name || side;
    const own = all.filter(({ start }) => start < begin === (side === "source"));
    const label = made("div", LABEL, { className: "sw-quiet" }, h("span", { dir: "ltr" }, visible(name)));
    // dir="auto" ignores descendants with their own `dir`, so only the text decides the direction.
    return h("div", { className: "sw-side", dir: "auto" }, label, prose(own));
  });
}

function stroke(): HTMLElement {
  return made("span", `${QUIET}; margin: 0 5px`, { className: "sw-separator sw-quiet" }, "┊");
}

/** Returns what a stretch of thinking is folded into; the painter writes its share into its first line. */
function folded(thought: Span): HTMLDetailsElement {
  const line = quiet(chipText(thought, "thinking", Number.NaN));
  line.append(h("span", { className: "sw-held" }));
  return h("details", { className: "sw-thinking" }, made("summary", "cursor: pointer; font-size: 13px", {}, line));
}

function drawnBox({ tokens, pieces }: Store, { start, end, leftOut }: Box): Omit<Drawn, "shown"> {
  const own = pieces.value.slice(start, end);
  const text = own.map((piece) => piece.text).join("");
  const gap = /^ .*[^ ]/su.test(text);
  const breaks = text.endsWith("\n"); // inside the box it would draw a sliver of it on the next line
  const [token, piece] = [tokens.value[start], own[0]];
  const mark = text === "" && token && piece ? [sign(signOfPart(token, piece))] : [];
  const shown = glyphs(gap ? text.slice(1) : text).flatMap(drawn);
  const printed = breaks ? shown.slice(0, -1) : shown;
  const element = made("span", "padding: 2px; border-radius: 3px", { className: "sw-token" }, ...mark, ...printed);
  if (leftOut) Object.assign(element.style, { border: "1px dotted #8b93a1", padding: "1px" }); // the same width as without a border
  if (token?.role === "special") {
    element.dir = "ltr"; // its letters must not influence the direction of the text
    Object.assign(element.style, { fontSize: "75%", margin: "0 2px" });
  }
  return { start, gap, element, breaks };
}

/** Returns a glyph's text or its sign; a line break is kept after its sign. */
function drawn(glyph: Glyph): (Node | string)[] {
  if (!glyph.sign) return [glyph.text];
  return glyph.text.split(/(?<=⏎)/u).flatMap((said) => (said.endsWith("⏎") ? [sign(said), "\n"] : [sign(said)]));
}

function sign(text: string): HTMLElement {
  return made("span", "opacity: .65; font-size: 80%", { className: "sw-sign" }, text);
}

/** Returns one box for each class with its probability, in the script's order; many are shown by probability. */
function classesOf(store: Store, classes: readonly Drawn[]): HTMLElement[] {
  const order = classOrder(store);
  for (const { start, element } of classes) {
    const col = start - store.firstTarget.value;
    const worth = worthOf(store, { cols: { start: col, end: col + 1 } });
    if (worth !== null) element.append(` ${worth.said}`);
    element.style.cssText = `padding: 1px 9px; border: ${LINE}; border-radius: 6px; order: ${order.indexOf(col)}`;
  }
  const row = "display: flex; flex-wrap: wrap; gap: 8px; margin: 6px 0 12px";
  const boxes = made("div", row, {}, ...classes.map(({ element }) => element));
  return [made("div", LABEL, { className: "sw-quiet" }, outputsOf(store).label), boxes];
}

// ── below it ──────────────────────────────────────────────────────────────────────────────────────────────────────────

/** Returns the legend of the ramp. */
function keyOf(): HTMLElement {
  const steps = Array.from({ length: STEPS_OF_KEY }, () => made("span", "padding: 0 8px", {}, "\u00a0"));
  const key = made("div", `${QUIET}; font-size: 13px; margin-top: 6px`, { className: "sw-key sw-quiet" });
  key.append(h("span"), " ", ...steps, " ", h("span"));
  return key;
}

/** Returns the folded table of every target with its probability and its strongest inputs. */
function tableOf(store: Store, { targets, inputs }: Seen): HTMLElement {
  const [noun, all] =
    store.kind.value === "classes" ? [outputsOf(store).one, outputsOf(store).label] : ["target", "targets"];
  const difference = store.map.value?.difference !== undefined;
  const raw = store.measure.value === "raw" && !difference;
  const worths = targets.map(({ cols }) => worthOf(store, { cols }));
  const row = (tag: "th" | "td", ...cells: string[]) => h("tr", {}, ...cells.map((said) => made(tag, CELL, {}, said)));
  const rows = targets.map(({ name, scores }, k) => {
    const strongest = topRows(scores, TOP).map(
      (at) => `${inputs[at]}\u00a0${raw ? significant(scores[at] ?? Number.NaN) : share(shareOf(scores, at))}`,
    );
    return row("td", name, worths[k]?.said ?? "–", strongest.join(" · "));
  });
  const kind = difference ? "difference" : raw ? "score" : "share";
  const head = row("th", noun, worths[0]?.name === "" ? "value" : "p", `strongest inputs, and their ${kind}s`);
  const table = h("table", {}, h("thead", {}, head), h("tbody", {}, ...rows));
  table.style.cssText = "border-collapse: collapse; font-size: 13px; margin: 6px 0";
  return made(
    "details",
    "margin-top: 6px",
    { className: "sw-numbers" },
    h("summary", {}, quiet(`All ${all} in numbers`)),
    table,
  );
}

// ── elements ──────────────────────────────────────────────────────────────────────────────────────────────────────────

function made<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  style: string,
  properties: Partial<HTMLElementTagNameMap[K]> = {},
  ...children: (Node | string)[]
): HTMLElementTagNameMap[K] {
  const element = h(tag, properties, ...children);
  element.style.cssText = style;
  return element;
}

function quiet(text: string): HTMLElement {
  return made("span", QUIET, { className: "sw-quiet" }, text);
}

function escaped(char: string): string {
  return `\\u${char.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/** Encodes numbers as little-endian float32 in base64. */
function packed(columns: readonly ArrayLike<number>[]): string {
  const values = columns.flatMap((column) => Array.from(column));
  const bytes = new DataView(new ArrayBuffer(4 * values.length));
  for (const [k, value] of values.entries()) bytes.setFloat32(4 * k, value, true);
  let text = "";
  for (let k = 0; k < bytes.byteLength; k++) text += String.fromCharCode(bytes.getUint8(k));
  return btoa(text);
}
