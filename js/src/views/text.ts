/**
 * The text as prose, the column on show as background.
 *
 * Many thousand tokens stay smooth because work is done only where it shows: new tokens are appended behind the first
 * one that changed; a hover repaints only the boxes on screen (found by bisection, the range kept until something
 * scrolls or moves), the others when they come into sight; painting sets colours alone, never a size; and in a long text
 * lines out of sight have no layout (content-visibility).
 */

import { type Ramp, STEPS, stepOf, swatchOf } from "../color";
import { percent, plural } from "../format";
import { firstWhere } from "../layout";
import { labelOf, melts, type Piece, partOf, segmentLabel, templateRuns } from "../pieces";
import type { WireSegment, WireToken } from "../protocol";
import { shareOf } from "../scores";
import type { ViewContext } from "./context";
import { coalesced, h, watch } from "./dom";
import { chipTip, tokenTip } from "./tips";

/** One box: a token, or a chip that stands for the tokens [start, end). `nodes` are all that came to the page with it. */
type Item = {
  start: number;
  end: number;
  chip: boolean;
  element: HTMLElement;
  nodes: ChildNode[];
  block: HTMLElement;
  segment: number;
  newlines: number;
  painted: number;
  version: number;
};

/** What a box shows, where it is not a step of the ramp (-STEPS … STEPS). */
const PLAIN = STEPS + 1;
const BLIND = STEPS + 2;
const TARGET = STEPS + 3;

const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc]/u;
const LETTER = /\p{L}/u;
const FEW = 800; // boxes that are painted all at once, seen or not: the page may be printed or scrolled fast
const NEAR = 60; // px from the end that still count as reading the end
const GRACE = 140; // ms over the gap between two words before a preview ends

export function textView(context: ViewContext): HTMLElement {
  const { store, signal, ramp, tooltip } = context;
  const root = h("div", { className: "sw-text", role: "group", ariaLabel: "Text" });
  const listen = { signal };
  const items: Item[] = [];
  const unfolded = new Set<number>();
  let built: readonly WireToken[] = [];
  let builtSegments: readonly WireSegment[] = [];
  let builtFirstTarget = 0;
  let version = 0;
  let arrived = false;
  let onScreen: { start: number; end: number } | null = null;
  let usedRamp: Ramp | null = null;
  let tabStop: HTMLElement | null = null;
  let hot: HTMLElement | null = null;

  // ── building ─────────────────────────────────────────────────────────────────────────────────────────────────────

  function itemAt(token: number): Item | undefined {
    const item = items[firstWhere(items.length, (k) => (items[k]?.end ?? 0) > token)];
    return item !== undefined && item.start <= token ? item : undefined;
  }

  function segmentOf(token: number): number {
    return firstWhere(store.segments.value.length, (k) => (store.segments.value[k]?.start ?? 0) > token) - 1;
  }

  function truncate(from: number): void {
    if ((items.at(-1)?.start ?? -1) >= from) leave(); // the tooltip may speak of a box that goes
    for (let last = items.at(-1); last !== undefined && last.start >= from; last = items.at(-1)) {
      for (const node of last.nodes) node.remove();
      items.pop();
    }
  }

  function build(): void {
    const { value: tokens } = store.tokens;
    const { value: segments } = store.segments;
    const firstTarget = store.firstTarget.value;
    if (tokens === built && segments === builtSegments && firstTarget === builtFirstTarget) return;
    let from = firstWhere(Math.min(tokens.length, built.length), (i) => tokens[i] !== built[i]);
    const changed = segments.findIndex((segment, k) => headOf(segment) !== headOf(builtSegments[k]));
    from = Math.min(from, segments[changed]?.start ?? from, builtSegments[segments.length]?.start ?? from);
    if (firstTarget !== builtFirstTarget) from = 0;
    if ((store.pieces.value[from - 1]?.mark ?? "") !== "") from--; // a mark may have become one within a word
    while (tokens[from - 1]?.role === "special") from--; // the run may have become long enough to fold
    [built, builtSegments, builtFirstTarget] = [tokens, segments, firstTarget];
    rebuild(from);
  }

  function rebuild(from: number): void {
    if (from === 0) arrived = false;
    const following = arrived && root.scrollHeight - root.scrollTop - root.clientHeight < NEAR;
    truncate(itemAt(from)?.start ?? from);
    append(items.at(-1)?.end ?? 0);
    if (following)
      root.scrollTop = root.scrollHeight; // the reader watches it being written
    else if (!arrived) moved();
    if (items.length > FEW) letGo();
    onScreen = null;
  }

  /** Lines out of sight may go without layout once they have had one: the browser remembers how high they were. */
  const letGo = coalesced(signal, () =>
    requestAnimationFrame(() => {
      for (const line of root.querySelectorAll(".sw-line:not(.sw-far)")) line.classList.add("sw-far");
    }),
  );

  function append(from: number): void {
    const { value: tokens } = store.tokens;
    const { value: pieces } = store.pieces;
    const runs = new Map(templateRuns(tokens, store.firstTarget.value).map(({ start, end }) => [start, end]));
    for (let i = from; i < tokens.length; ) {
      const folded = unfolded.has(i) ? undefined : runs.get(i);
      const token = tokens[i];
      const piece = pieces[i];
      if (token === undefined || piece === undefined) return;
      place(i, folded ?? i + 1, token, piece, folded !== undefined);
      i = folded ?? i + 1;
    }
  }

  /** Puts one box at the end of the text, with the line, the label and the space that are due before it. */
  function place(start: number, end: number, token: WireToken, piece: Piece, chip: boolean): void {
    const previous = items.at(-1);
    const nodes: ChildNode[] = [];
    const segment = segmentOf(end - 1); // a chip that leads from one turn to the next opens the next
    const before = previous === undefined ? undefined : store.tokens.value[previous.end - 1];
    let block = previous?.block;
    const opened = segment === previous?.segment ? undefined : store.segments.value[segment];
    const label = opened === undefined ? null : segmentLabel(opened);
    const breakDue = previous !== undefined && previous.newlines > 0 && !piece.newline;
    const otherSide =
      before !== undefined &&
      before.role !== token.role &&
      [before.role, token.role].some((r) => r === "source" || r === "class");
    if (block === undefined || label !== null || breakDue || otherSide) {
      if (label !== null) {
        nodes.push(h("div", { className: "sw-turn" }, label));
        root.append(...nodes);
      }
      block = h("div", { className: "sw-line", dir: "auto" });
      if (previous !== undefined && label === null && (previous.newlines > 1 || otherSide))
        block.classList.add("sw-par");
      root.append(block);
      nodes.push(block);
    }
    const inline: ChildNode[] = [];
    const spaced = (piece.joint === "space" || chip || previous?.chip === true) && block.hasChildNodes();
    if (spaced) inline.push(document.createTextNode(" "));
    if (start === store.firstTarget.value && start > 0) {
      const split = h("span", { className: "sw-split" });
      split.setAttribute("aria-hidden", "true");
      inline.push(split, document.createTextNode(spaced ? " " : "\u200a"));
    }
    const element = chip ? chipBox(start, end) : tokenBox(start, token, piece);
    if (!spaced && block.hasChildNodes() && previous?.block === block) {
      element.classList.add(piece.joint === "word" ? "sw-j" : "sw-n");
      previous.element.classList.add(piece.joint === "word" ? "sw-k" : "sw-m");
      if (melts(previous.element.textContent, element.textContent))
        for (const half of [previous.element, element]) half.classList.add("sw-apart");
    }
    inline.push(element);
    block.append(...inline);
    nodes.push(...inline);
    const own = chip || token.role === "special" ? 0 : breaksIn(piece, token);
    const carried = piece.newline && previous?.block === block ? (previous?.newlines ?? 0) : 0;
    items.push({
      start,
      end,
      chip,
      element,
      nodes,
      block,
      segment,
      newlines: own === 0 ? 0 : own + carried,
      painted: PLAIN,
      version: -1,
    });
  }

  function chipBox(start: number, end: number): HTMLElement {
    const chip = h("button", {
      type: "button",
      className: "sw-chip",
      textContent: `template · ${plural(end - start, "token")}`,
    });
    chip.dataset.chip = String(start);
    chip.dataset.end = String(end);
    chip.setAttribute("aria-expanded", "false");
    return chip;
  }

  function tokenBox(i: number, token: WireToken, piece: Piece): HTMLElement {
    const box = h("span", { className: "sw-t" });
    box.dataset.i = String(i);
    // A mark is drawn by the style sheet: it is no text, so it is neither read aloud nor copied.
    if (piece.mark !== "") box.dataset.mark = piece.lines.flat()[0]?.text;
    for (const [k, line] of piece.mark === "" ? piece.lines.entries() : []) {
      if (k > 0) box.append(h("br"));
      for (const glyph of line) box.append(glyph.sign ? h("span", { className: "sw-sign" }, glyph.text) : glyph.text);
    }
    if (token.role === "special") box.classList.add("sw-special");
    if (piece.mark !== "") box.classList.add(`sw-${piece.mark}`);
    if (RIGHT_TO_LEFT.test(token.text)) box.classList.add("sw-rtl");
    else if (LETTER.test(token.text)) box.classList.add("sw-ltr");
    if (i >= store.firstTarget.value) {
      box.classList.add("sw-gen");
      box.role = "button";
      box.tabIndex = -1;
      box.setAttribute("aria-pressed", "false");
      if (token.part !== null || piece.lines.flat().some((glyph) => glyph.sign))
        box.setAttribute("aria-label", [labelOf(token), partOf(token)].filter((part) => part !== "").join(", "));
    }
    return box;
  }

  // ── painting ─────────────────────────────────────────────────────────────────────────────────────────────────────

  function lookOf(item: Item): number {
    const shown = store.shown.value;
    if (shown === null) return PLAIN;
    if (!item.chip && item.start === shown.token) return TARGET;
    if (shown.scores === null) return item.start > shown.token ? BLIND : PLAIN;
    if (item.start >= shown.scores.length || Number.isNaN(shown.scores[item.start])) return BLIND;
    const domain = store.domain.value;
    return domain > 0 ? stepOf(item.chip ? heldBy(item) : shareOf(shown.scores, item.start), domain) : PLAIN;
  }

  /** The summed share of what a chip stands for. */
  function heldBy(item: { start: number; end: number }): number {
    const scores = store.shown.value?.scores;
    if (scores === null || scores === undefined) return Number.NaN;
    let sum = 0;
    for (let row = item.start; row < item.end; row++) sum += shareOf(scores, row);
    return sum;
  }

  function paint(item: Item): void {
    if (item.version === version) return;
    item.version = version;
    const look = lookOf(item);
    if (item.chip) {
      const held = heldBy(item);
      const text = `template · ${plural(item.end - item.start, "token")}${Number.isNaN(held) ? "" : ` · ${percent(held)}`}`;
      if (item.element.textContent !== text) item.element.textContent = text;
    }
    if (look === item.painted) return;
    item.painted = look;
    const { style, classList } = item.element;
    if (look <= STEPS) {
      const { background, color } = swatchOf(ramp.value, look);
      style.backgroundColor = background;
      style.color = color;
    } else item.element.removeAttribute("style");
    classList.toggle("sw-target", look === TARGET);
    classList.toggle("sw-blind", look === BLIND);
  }

  /** The boxes within the window and the text's own frame, and half a frame more on both sides. */
  function findOnScreen(): { start: number; end: number } {
    if (items.length <= FEW) return { start: 0, end: items.length };
    const frame = root.getBoundingClientRect();
    const top = Math.max(frame.top, 0);
    const bottom = Math.min(frame.bottom, innerHeight);
    const spare = Math.max(0, bottom - top) / 2;
    return {
      start: firstWhere(items.length, (k) => edge(items[k] as Item, top - spare, "bottom") >= top - spare),
      end: firstWhere(items.length, (k) => edge(items[k] as Item, bottom + spare, "top") > bottom + spare),
    };
  }

  /** Where a box lies against the height y. Its line may be able to tell: the boxes of a line out of sight have no layout. */
  function edge(item: Item, y: number, side: "top" | "bottom"): number {
    const line = item.block.getBoundingClientRect();
    return line.bottom < y || line.top > y ? line[side] : item.element.getBoundingClientRect()[side];
  }

  function paintOnScreen(): void {
    onScreen ??= findOnScreen();
    for (let k = onScreen.start; k < onScreen.end; k++) paint(items[k] as Item);
  }

  function repaint(): void {
    if (usedRamp !== ramp.value) {
      usedRamp = ramp.value;
      for (const item of items) item.painted = item.painted <= STEPS ? Number.NaN : item.painted; // same step, other colour
    }
    version++;
    root.classList.toggle("sw-pending", store.shown.value !== null && store.shown.value.scores === null);
    paintOnScreen();
  }

  /** A long prompt hides what was written: scroll there, once. */
  function arrive(): void {
    const box = itemAt(store.firstTarget.value)?.element;
    if (arrived || box === undefined || store.nTargets.value === 0 || root.clientHeight === 0) return;
    arrived = true;
    root.scrollTop += box.getBoundingClientRect().top - root.getBoundingClientRect().top - 0.6 * root.clientHeight;
  }

  const moved = coalesced(signal, () => {
    arrive();
    onScreen = null;
    paintOnScreen();
  });

  function markTabStop(): void {
    const token = store.shown.value?.token;
    const element = token === undefined ? undefined : itemAt(token)?.element;
    if (element === tabStop) return;
    if (tabStop !== null) tabStop.tabIndex = -1;
    tabStop = element ?? null;
    if (tabStop !== null) tabStop.tabIndex = 0;
  }

  let pressed: HTMLElement | undefined;
  function markPinned(): void {
    const element =
      store.pinned.value === null ? undefined : itemAt(store.firstTarget.value + store.pinned.value)?.element;
    if (pressed !== element && pressed !== undefined) {
      pressed.setAttribute("aria-pressed", "false");
      pressed.classList.remove("sw-pinned");
    }
    pressed = element;
    if (pressed === undefined) return;
    pressed.setAttribute("aria-pressed", "true");
    pressed.classList.add("sw-pinned");
  }

  watch(signal, () => {
    build();
    repaint();
    markTabStop();
    markPinned();
  });
  watch(signal, () => {
    const element = store.hoverRow.value === null ? null : (itemAt(store.hoverRow.value)?.element ?? null);
    if (element === hot) return;
    hot?.classList.remove("sw-hot");
    element?.classList.add("sw-hot");
    hot = element;
  });

  const resize = new ResizeObserver(moved);
  resize.observe(root);
  const appear = new IntersectionObserver(moved);
  appear.observe(root);
  signal.addEventListener("abort", () => {
    resize.disconnect();
    appear.disconnect();
  });
  root.addEventListener("scroll", moved, { signal, passive: true });
  document.addEventListener("scroll", moved, { signal, passive: true, capture: true });

  // ── the mouse ────────────────────────────────────────────────────────────────────────────────────────────────────

  let leaving: ReturnType<typeof setTimeout> | undefined;
  let fromPointer = false;

  const boxOf = (event: Event) =>
    event.target instanceof Element ? event.target.closest<HTMLElement>(".sw-t, .sw-chip") : null;
  const indexOf = (box: HTMLElement) => Number(box.dataset.i);
  const colOf = (box: HTMLElement) => indexOf(box) - store.firstTarget.value;

  function look(box: HTMLElement): void {
    clearTimeout(leaving);
    const chip = box.dataset.chip;
    if (chip !== undefined) {
      store.hoverCol.value = null;
      store.hoverRow.value = null;
      const run = { start: Number(chip), end: Number(box.dataset.end) };
      tooltip.show(box, chipTip(store, run.start, run.end, heldBy(run)));
      return;
    }
    const i = indexOf(box);
    const col = colOf(box);
    const { value: pinned } = store.pinned;
    store.hoverRow.value = i;
    store.hoverCol.value = col >= 0 ? col : null;
    // A target shows its own column, and says what it weighs itself as an input of the pinned one.
    tooltip.show(
      box,
      tokenTip(store, i, col < 0 ? store.target.value : pinned !== null && col < pinned ? pinned : null),
    );
  }

  function leave(): void {
    clearTimeout(leaving);
    store.hoverCol.value = null;
    store.hoverRow.value = null;
    tooltip.hide();
  }

  root.addEventListener(
    "pointerover",
    (event) => {
      const box = boxOf(event);
      if (box !== null) look(box);
      else {
        clearTimeout(leaving);
        leaving = setTimeout(leave, GRACE);
      }
    },
    listen,
  );
  root.addEventListener("pointerleave", leave, listen);
  root.addEventListener(
    "click",
    (event) => {
      const box = boxOf(event);
      if (box === null) return;
      const chip = box.dataset.chip;
      if (chip !== undefined) {
        unfold(Number(chip));
        return;
      }
      const col = colOf(box);
      if (col >= 0) store.pin(col);
    },
    listen,
  );

  function unfold(start: number): void {
    unfolded.add(start);
    tooltip.hide();
    rebuild(start);
    repaint();
    markTabStop();
    markPinned();
  }

  // ── the keyboard ─────────────────────────────────────────────────────────────────────────────────────────────────

  function moveTo(col: number): void {
    const n = store.nTargets.value;
    if (n === 0) return;
    const to = Math.min(n - 1, Math.max(0, col));
    const box = itemAt(store.firstTarget.value + to)?.element;
    if (box === undefined) return;
    store.hoverCol.value = to;
    store.hoverRow.value = null;
    box.focus();
    tooltip.show(box, tokenTip(store, store.firstTarget.value + to, null));
  }

  root.addEventListener(
    "pointerdown",
    () => {
      fromPointer = true;
    },
    listen,
  );
  root.addEventListener(
    "focusin",
    (event) => {
      const box = boxOf(event);
      // A press with the mouse brings the focus too; it says nothing about a preview.
      if (!fromPointer && box?.classList.contains("sw-gen") === true) {
        store.hoverCol.value = colOf(box);
        tooltip.show(box, tokenTip(store, indexOf(box), null));
      }
      fromPointer = false;
    },
    listen,
  );
  root.addEventListener(
    "focusout",
    (event) => {
      if (!(event.relatedTarget instanceof Node && root.contains(event.relatedTarget))) leave();
    },
    listen,
  );
  root.addEventListener(
    "keydown",
    (event) => {
      const box = boxOf(event);
      if (box?.classList.contains("sw-gen") !== true || event.ctrlKey || event.metaKey || event.altKey) return;
      const col = colOf(box);
      const steps: Record<string, () => void> = {
        ArrowLeft: () => moveTo(col - 1),
        ArrowRight: () => moveTo(col + 1),
        Home: () => moveTo(0),
        End: () => moveTo(store.nTargets.value - 1),
        Enter: () => store.pin(col),
        " ": () => store.pin(col),
        Escape: () => {
          leave();
          fromPointer = true; // going back to the pinned target is not a new preview
          if (store.shown.value !== null) itemAt(store.shown.value.token)?.element.focus();
          fromPointer = false;
        },
      };
      const step = steps[event.key];
      if (step === undefined) return;
      event.preventDefault();
      step();
    },
    listen,
  );
  return root;
}

/** What of a segment is drawn: where it begins, and its label. */
function headOf(segment: WireSegment | undefined): string {
  return segment === undefined ? "" : `${segment.start} ${segmentLabel(segment)}`;
}

/** How many line breaks are due after a token. */
function breaksIn(piece: Piece, token: WireToken): number {
  return piece.breaks ? (/[\n\r\u2028\u2029]+$/u.exec(token.text.replaceAll("\r\n", "\n"))?.[0].length ?? 0) : 0;
}
