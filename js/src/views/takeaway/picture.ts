/** The view as SVG, read off its layout: boxes, rings, the legend's ramp, every line of text. */

import { firstWhere } from "../../layout";
import { reaches } from "../../pieces";
import { tag, xml } from "../../takeaway/svg";
import { WHOLE } from "../text";

export type Picture = { text: string; width: number; height: number };

const MARGIN = 16;
const BASELINE = 0.8; // position of the baseline in a line's height, in nearly every font
/** Elements left out of a picture: hidden ones, and buttons. */
const LEFT_OUT =
  ":is(.sw-unseen, .sw-round, .sw-plain, .sw-heads-toggle, .sw-unfolded, button.sw-link, select, canvas, svg)";
/** Elements that cut long names with an ellipsis. */
const CUT = ".sw-alternative, .sw-class";
const STRUCK = ".sw-struck";
const ZWJ = "\u200d"; // makes letters join across two text elements

/** Returns a picture of the parts of a view, one below the other, including content that is scrolled out of view. */
export function pictureOf(parts: readonly HTMLElement[], title: string, background: string): Picture {
  const shapes: string[] = [];
  let [width, height] = [0, MARGIN];
  for (const part of parts) {
    part.dispatchEvent(new Event(WHOLE));
    part.classList.add("sw-laid-out");
    const own = part.getBoundingClientRect();
    const place = (rect: DOMRect): DOMRect => {
      const x = rect.x - own.x + MARGIN;
      width = Math.max(width, x + rect.width + MARGIN);
      return new DOMRect(x, rect.y - own.y + part.scrollTop + height, rect.width, rect.height);
    };
    for (const element of part.querySelectorAll<HTMLElement>(`:not(${LEFT_OUT}, ${LEFT_OUT} *)`))
      shapes.push(...draw(element, place));
    height += part.scrollHeight + MARGIN;
    part.classList.remove("sw-laid-out");
  }
  const ground = tag("rect", { width, height, fill: background });
  const sheet = {
    xmlns: "http://www.w3.org/2000/svg",
    width,
    height,
    "text-anchor": "middle",
    "xml:space": "preserve",
  };
  return { text: tag("svg", sheet, [tag("title", {}, xml(title)), ground, ...shapes].join("")), width, height };
}

function* draw(element: HTMLElement, place: (rect: DOMRect) => DOMRect): Generator<string> {
  const style = getComputedStyle(element);
  const rects = [...element.getClientRects()].filter((rect) => rect.width > 0 && rect.height > 0);
  for (const rect of rects) yield* box(place(rect), style);
  const [first] = rects;
  const { mark } = element.dataset;
  if (mark !== undefined && first !== undefined)
    yield words(mark, place(first), element, style, getComputedStyle(element, "::before").fontSize);
  if (first !== undefined && element.matches(".sw-input + .sw-input")) yield dot(element, place(first));
  const range = document.createRange();
  const edge = edgeOf(element);
  for (const node of element.childNodes)
    if (node instanceof Text)
      for (const line of linesOf(node, range)) {
        const rect = range.getBoundingClientRect();
        const room = Math.min(rect.width, edge - rect.x);
        if (room <= 0) continue;
        const seen = room === rect.width ? line : cut(range, edge - pixels(style.fontSize));
        yield words(seen, place(new DOMRect(rect.x, rect.y, room, rect.height)), element, style, style.fontSize);
      }
}

/** Returns the dot between two inputs, which the style sheet draws with a space on either side. */
function dot(input: HTMLElement, { x, y, height }: DOMRect): string {
  const style = getComputedStyle(input, "::before");
  const room = (input.firstElementChild ?? input).getBoundingClientRect().x - input.getBoundingClientRect().x;
  return words("·", new DOMRect(x + room / 3, y, room / 3, height), input, style, style.fontSize);
}

/** Returns the x coordinate in the window at which text in an element is cut. */
function edgeOf(element: HTMLElement): number {
  const box = element.closest<HTMLElement>(CUT);
  if (box === null || box.scrollWidth <= box.clientWidth) return Number.POSITIVE_INFINITY;
  return box.getBoundingClientRect().right - pixels(getComputedStyle(box).paddingInlineEnd);
}

/** Returns the characters of a line up to an edge, and an ellipsis, which is first in right-to-left text. */
function cut(line: Range, edge: number): string {
  const { startContainer: node, startOffset: start } = line;
  let [kept, at, from] = ["", start, start];
  for (const char of line.toString()) {
    line.setStart(node, at);
    line.setEnd(node, at + char.length);
    const isSeen = line.getBoundingClientRect().right <= edge;
    if (isSeen && kept === "") from = at;
    if (isSeen) kept += char;
    at += char.length;
  }
  return from > start ? `…${kept}` : `${kept}…`;
}

function* box({ x, y, width, height }: DOMRect, style: CSSStyleDeclaration): Generator<string> {
  const sides = [style.borderTopWidth, style.borderRightWidth, style.borderBottomWidth, style.borderLeftWidth].map(
    pixels,
  );
  const [top = 0, right = 0, bottom = 0, left = 0] = sides;
  const radius = pixels(style.borderTopLeftRadius);
  const isRound = sides.every((side) => side > 0);
  const [, ring, spread] = /^(.+) 0px 0px 0px ([\d.]+)px$/.exec(style.boxShadow) ?? [];
  const stops = style.backgroundImage.match(/rgb\([^)]*\)/g);
  const id = `ramp-${Math.round(x)}-${Math.round(y)}`;
  if (stops !== null)
    yield tag(
      "linearGradient",
      { id },
      stops.map((stop, k) => tag("stop", { offset: k / (stops.length - 1), "stop-color": stop })).join(""),
    );
  const line = spread === undefined ? (isRound ? top : 0) : pixels(spread);
  const fill = stops === null ? style.backgroundColor : `url(#${id})`;
  const edges: [number, number, number, number, string][] = isRound
    ? []
    : [
        [x, y, width, top, style.borderTopColor],
        [x + width - right, y, right, height, style.borderRightColor],
        [x, y + height - bottom, width, bottom, style.borderBottomColor],
        [x, y, left, height, style.borderLeftColor],
      ];
  const lines = edges
    .filter(([, , wide, high]) => wide > 0 && high > 0)
    .map(([x, y, width, height, ink]) => tag("rect", { x, y, width, height, ...solid("fill", ink) }));
  if (!line && fill.endsWith(", 0)")) return yield* lines;
  const out = spread === undefined ? -line / 2 : line / 2;
  yield tag("rect", {
    x: x - out,
    y: y - out,
    width: width + 2 * out,
    height: height + 2 * out,
    rx: Math.min(radius, height / 2),
    ...solid("fill", fill),
    ...(line > 0 && { ...solid("stroke", ring ?? style.borderTopColor), "stroke-width": line }),
    ...(style.borderTopStyle === "dotted" && { "stroke-dasharray": "1 2" }),
  });
  yield* lines; // the borders of a box inside a joined unit, which lacks some
}

/** Yields the lines of a text node without surrounding white space; `range` contains each in turn. */
function* linesOf(node: Text, range: Range): Generator<string> {
  const { data } = node;
  const reach = (start: number, end: number) => {
    range.setStart(node, start);
    range.setEnd(node, end);
    return range.getBoundingClientRect();
  };
  const end = data.trimEnd().length;
  for (let start = data.search(/\S/); start >= 0 && start < end; ) {
    const { bottom } = reach(start, start + 1);
    const next =
      start + 1 + firstWhere(end - start - 1, (k) => reach(start + 1 + k, start + 2 + k).bottom > bottom + 1);
    if (reach(start, next).width > 0) yield data.slice(start, next).trimEnd().replace(/\s+/gu, " ");
    start = next;
    while (/\s/u.test(data.charAt(start))) start++;
  }
}

function words(
  text: string,
  { x, y, width, height }: DOMRect,
  box: HTMLElement,
  style: CSSStyleDeclaration,
  size: string,
) {
  return tag(
    "text",
    {
      x: x + width / 2,
      y: y + BASELINE * height,
      "font-size": size,
      "font-family": style.fontFamily,
      "font-weight": style.fontWeight,
      "letter-spacing": style.letterSpacing,
      // A wider font on another machine must not overlap the next box.
      textLength: width,
      lengthAdjust: "spacingAndGlyphs",
      direction: style.direction,
      "text-decoration": box.closest(STRUCK) === null ? undefined : "line-through",
      ...solid("fill", style.color),
    },
    xml(style.textTransform === "uppercase" ? text.toUpperCase() : joined(text, box)),
  );
}

/** Returns a text with joiners, so that Arabic letters join across the boxes of a word. */
function joined(text: string, box: Element): string {
  const said = (other: Element | null) => other?.textContent || other?.getAttribute("data-mark") || "";
  const start = box.matches(".sw-joins-previous") && reaches(said(box.previousElementSibling), text) ? ZWJ : "";
  return start + text + (box.matches(".sw-joins-next") && reaches(text, said(box.nextElementSibling)) ? ZWJ : "");
}

/** Returns a colour with a separate opacity, because some programs cannot read colours with alpha. */
function solid(name: string, color: string): Record<string, string> {
  const [, rgb, alpha] = /^rgba\((.+), (.+)\)$/.exec(color) ?? [];
  return rgb === undefined || alpha === undefined
    ? { [name]: color }
    : { [name]: `rgb(${rgb})`, [`${name}-opacity`]: alpha };
}

function pixels(length: string): number {
  return Number.parseFloat(length) || 0;
}
