/** A box of the text: a token, or a chip for a folded run of template tokens or of thinking. */

import { STEPS } from "../../color";
import { percent, plural } from "../../format";
import type { Span } from "../../layout";
import { labelOf, type Piece, partOf } from "../../pieces";
import type { WireToken } from "../../protocol";
import { shareOf } from "../../scores";
import type { Store } from "../../store";
import { h } from "../dom";

/** A box on the page: the tokens [start, end), one unless it is a chip. `nodes`: all nodes that were added with it. */
export type Item = {
  start: number;
  end: number;
  chip: boolean;
  element: HTMLElement;
  nodes: ChildNode[];
  block: HTMLElement;
  segment: number;
  newlines: number;
  painted: number;
  /** Its marks, one bit for each class of MARKS. */
  marks: number;
  /** The space before it on its line, which is inside the box before it if that `goesOn`. */
  gap: ChildNode | null;
  /** Tells whether the next box is joined to it. */
  goesOn: boolean;
  version: number;
};

/** The colour of a box without a step of the ramp (-STEPS … STEPS). */
export const PLAIN = STEPS + 1;
export const BLIND = STEPS + 2;
export const TARGET = STEPS + 3;

/** The marks: under the mouse; left out of the shares; found by a search; the hit on show; struck out. */
export const MARKS = ["sw-hovered", "sw-hidden", "sw-found", "sw-found-current", "sw-struck"];

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;
const LETTER = /\p{L}/u;

export function tokenBox(i: number, token: WireToken, piece: Piece, written: boolean): HTMLElement {
  const box = h("span", { className: "sw-token" });
  box.dataset.position = String(i);
  // The style sheet draws the mark, so that it is neither read aloud nor copied.
  if (piece.mark !== "") box.dataset.mark = piece.lines.flat()[0]?.text;
  for (const [k, line] of piece.mark === "" ? piece.lines.entries() : []) {
    if (k > 0) box.append(h("br"));
    for (const glyph of line) box.append(glyph.sign ? h("span", { className: "sw-sign" }, glyph.text) : glyph.text);
  }
  if (token.role === "special") {
    box.classList.add("sw-special");
    box.dir = "ltr"; // its letters must not influence the direction of the line
  }
  if (piece.mark !== "") box.classList.add(`sw-${piece.mark}`);
  if (RIGHT_TO_LEFT.test(token.text)) box.classList.add("sw-rtl");
  else if (LETTER.test(token.text)) box.classList.add("sw-ltr");
  if (written) makeTarget(box, token, piece);
  return box;
}

function makeTarget(box: HTMLElement, token: WireToken, piece: Piece): void {
  box.classList.add("sw-column");
  box.role = "button";
  box.tabIndex = -1;
  box.setAttribute("aria-pressed", "false");
  if (token.part !== null || piece.lines.flat().some((glyph) => glyph.sign))
    box.setAttribute("aria-label", said(token));
}

function said(token: WireToken): string {
  return [labelOf(token), partOf(token)].filter((part) => part !== "").join(", ");
}

/** Focuses an input. It is a button only while it has the focus: ten thousand would be slow and hard to navigate. */
export function focusToken(box: HTMLElement, token: WireToken | undefined): void {
  if (token !== undefined && !box.hasAttribute("role")) beButton(box, said(token));
  box.focus();
}

function beButton(box: HTMLElement, name: string): void {
  const own = { role: "button", tabindex: "-1", "aria-pressed": "false", "aria-label": name };
  for (const [attribute, value] of Object.entries(own)) box.setAttribute(attribute, value);
  const beText = () => {
    for (const attribute of Object.keys(own)) box.removeAttribute(attribute);
  };
  box.addEventListener("blur", beText, { once: true });
}

/** Returns the name of a folded run that begins at this token: a template's, or the thinking before an answer. */
export function nameOfRun({ firstTarget, specialName }: Store, start: number): string {
  return start < firstTarget.value ? specialName.value : "thinking";
}

export function chipBox(run: Span, name: string): HTMLElement {
  const chip = h("button", { type: "button", className: "sw-chip", dir: "ltr" }, chipText(run, name, Number.NaN));
  chip.dataset.chip = String(run.start);
  chip.dataset.end = String(run.end);
  chip.setAttribute("aria-expanded", "false");
  return chip;
}

/** Returns the button that replaces the chip while its tokens are shown. */
export function foldButton(run: Span, name: string): HTMLElement {
  const button = chipBox(run, name);
  button.textContent = `fold ${name}`;
  button.setAttribute("aria-expanded", "true");
  button.classList.add("sw-unfolded");
  return button;
}

export function chipText({ start, end }: Span, name: string, held: number): string {
  return `${name} · ${plural(end - start, "token")}${Number.isNaN(held) ? "" : ` · ${percent(held)}`}`;
}

/** Returns the summed share of a chip's units; NaN if all are hidden, in larger units, or not computed yet. */
export function heldBy(store: Store, { start, end }: Span, map = store.map.value): number {
  const { value: cols } = store.targetCols;
  const scores = cols === null ? null : store.unitScores(map, cols);
  if (scores === null) return Number.NaN;
  const { of, spans } = store.units.value;
  let sum = Number.NaN;
  for (let unit = of[start] ?? 0; unit <= (of[end - 1] ?? -1); unit++) {
    const [span, own] = [spans[unit], shareOf(scores, unit)];
    if (span === undefined || span.start < start || span.end > end || Number.isNaN(own)) continue;
    sum = (Number.isNaN(sum) ? 0 : sum) + own;
  }
  return sum;
}

/** Returns the box under the mouse or the focus. */
export function boxOf({ target }: Event): HTMLElement | null {
  return target instanceof Element ? target.closest<HTMLElement>("[data-position], .sw-chip") : null;
}

/** Scrolls the text to a box. The line first: the boxes of one out of sight have no place yet. */
export function scrollTo(root: Element, box: Element): void {
  for (const element of [box.closest(".sw-line") ?? box, box]) {
    const [at, frame] = [element.getBoundingClientRect(), root.getBoundingClientRect()];
    if (at.top < frame.top || at.bottom > frame.bottom) root.scrollTop += at.top - frame.top - 0.4 * frame.height;
  }
}

/** Scrolls the text below `body` to a stretch of it, and lets that blink. */
export function showSpan(body: Element | null, { start, end }: Span): void {
  const root = body?.querySelector(".sw-text");
  const boxes = [...(root?.querySelectorAll<HTMLElement>("[data-position], .sw-chip:not(.sw-unfolded)") ?? [])].filter(
    (box) => (runOf(box)?.end ?? indexOf(box) + 1) > start && (runOf(box)?.start ?? indexOf(box)) < end,
  );
  if (root == null || boxes[0] === undefined) return;
  scrollTo(root, boxes[0]);
  for (const box of boxes) box.animate?.({ opacity: [1, 0.2, 1] }, { duration: 450, iterations: 2 });
}

/** The position of a box's token; NaN for a chip. */
export function indexOf(box: HTMLElement): number {
  return Number(box.dataset.position);
}

/** Returns the run of a chip, or null for a token. */
export function runOf({ dataset: { chip, end } }: HTMLElement): Span | null {
  return chip === undefined ? null : { start: Number(chip), end: Number(end) };
}

/** Returns the targets of a view, in the order of the page. */
export function targetsIn(root: HTMLElement): HTMLElement[] {
  return [...root.querySelectorAll<HTMLElement>(".sw-column")];
}

export function isTarget(box: HTMLElement | null): boolean {
  return box?.classList.contains("sw-column") === true;
}
