/** Search in a long text: it finds the drawn characters across tokens, without regard to case. */

import { computed, type ReadonlySignal, signal as state } from "@preact/signals-core";
import { firstWhere, type Span } from "../layout";
import type { Piece } from "../pieces";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { nearest, onKeys, type Steps } from "./input";
import { focusToken, scrollTo } from "./text/boxes";
import type { Lines } from "./text/lines";

const LONG = 200; // tokens of a text from which on the search is offered

type Searched = { text: string; starts: Int32Array };

/** Returns the drawn text in lower case, and the offset of each token. */
export function textOf(pieces: readonly Piece[]): Searched {
  const starts = new Int32Array(pieces.length);
  let text = "";
  for (const [i, { joint, mark, lines }] of pieces.entries()) {
    starts[i] = text.length;
    const own = mark === "" ? lines.flat().map((glyph) => glyph.text) : []; // a mark is no text
    text += `${joint === "space" ? " " : ""}${own.join("").toLowerCase()}`;
  }
  return { text, starts };
}

/** Returns the tokens of each occurrence of `query`. */
export function hitsOf({ text, starts }: Searched, query: string): Span[] {
  const wanted = query.toLowerCase();
  const tokenAt = (place: number) => firstWhere(starts.length, (i) => (starts[i] as number) > place) - 1;
  const hits: Span[] = [];
  if (wanted.trim() === "") return hits;
  for (let at = text.indexOf(wanted); at >= 0; at = text.indexOf(wanted, at + wanted.length)) {
    const inner = at + wanted.length - wanted.trimStart().length; // a space belongs to the next token
    hits.push({ start: tokenAt(inner), end: tokenAt(at + wanted.length - 1) + 1 });
  }
  return hits;
}

export type Search = {
  element: HTMLElement;
  hits: ReadonlySignal<readonly Span[]>;
  /** Returns the marks of a box: bit 0 if it holds a hit, bit 1 if it is the hit on show. */
  found: (start: number, end: number) => number;
  /** Returns whether a token and the one before it are in one hit. */
  joins: (token: number) => boolean;
};

export function searchView(
  { store, signal }: ViewContext,
  root: HTMLElement,
  { itemAt }: Pick<Lines, "itemAt">,
): Search {
  const toggle = h(
    "button",
    { type: "button", className: "sw-round", ariaLabel: "Find in the text", title: "Find in the text (/)" },
    "⌕",
  );
  const field = h("input", { type: "text", className: "sw-field", ariaLabel: "Find in the text", hidden: true });
  const count = h("span", { className: "sw-muted", role: "status" });
  const element = h("div", { className: "sw-search" }, count, field, toggle);
  const query = state("");
  const at = state(0);
  const index = computed(() => textOf(store.pieces.value));
  const hits = computed(() => (query.value === "" ? [] : hitsOf(index.value, query.value)));

  function found(start: number, end: number): number {
    const { value: all } = hits;
    const k = firstWhere(all.length, (i) => (all[i]?.end ?? 0) > start);
    if ((all[k]?.start ?? end) >= end) return 0;
    const here = all[at.value];
    return 1 | (here !== undefined && here.start < end && here.end > start ? 2 : 0);
  }

  function joins(token: number): boolean {
    const { value: all } = hits;
    const hit = all[firstWhere(all.length, (i) => (all[i]?.end ?? 0) > token)];
    return hit !== undefined && hit.start < token;
  }

  function reveal(): void {
    const item = itemAt(hits.value[at.value]?.start ?? -1);
    if (item !== undefined) scrollTo(root, item.element);
  }

  function open(on: boolean): void {
    const hit = itemAt(hits.value[at.value]?.start ?? -1); // the focus continues from the hit
    field.hidden = !on;
    toggle.setAttribute("aria-expanded", String(on));
    query.value = on ? field.value : "";
    if (on) field.focus();
    else if (hit !== undefined && !hit.chip) focusToken(hit.element, store.tokens.value[hit.start]);
    else root.querySelector<HTMLElement>('[tabindex="0"]')?.focus();
  }

  function go(step: number): void {
    const n = hits.value.length;
    at.value = n === 0 ? 0 : (at.value + step + n) % n;
    reveal();
  }

  toggle.addEventListener("click", () => open(Boolean(field.hidden)), { signal });
  field.addEventListener(
    "input",
    () => {
      query.value = field.value;
      at.value = 0;
      reveal();
    },
    { signal },
  );
  onKeys(field, signal, ({ shiftKey }) => ({
    Enter: () => go(shiftKey ? -1 : 1),
    ArrowDown: () => go(1),
    ArrowUp: () => go(-1),
    Escape: () => open(false),
  }));
  watch(signal, () => {
    element.hidden = store.tokens.value.length <= LONG;
  });
  watch(signal, () => {
    const n = hits.value.length;
    count.textContent = query.value === "" ? "" : n === 0 ? "not found" : `${nearest(at.value, n) + 1} of ${n}`;
  });
  // Not in the whole view, because a reader may type a slash elsewhere.
  onKeys(root, signal, (): Steps => (element.hidden ? {} : { "/": () => open(true) }));
  return { element, hits, found, joins };
}
