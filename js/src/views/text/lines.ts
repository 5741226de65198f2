/** The boxes in their lines. A text grows at its end, so boxes before the first changed token stay. */

import { firstWhere, type Span } from "../../layout";
import { labelAt, melts, type Piece, segmentLabel, templateRuns } from "../../pieces";
import type { Place, WireSegment, WireToken } from "../../protocol";
import type { Store } from "../../store";
import { h } from "../dom";
import { chipBox, foldButton, type Item, nameOfRun, PLAIN, tokenBox } from "./boxes";
import { eye } from "./eyes";

export type Lines = {
  readonly items: readonly Item[];
  itemAt(token: number): Item | undefined;
  /** Returns the first token that differs from the page, or null. Returns each change once. */
  changed(): number | null;
  rebuild(from: number): void;
  /** Unfolds a run of template tokens or of thinking, or folds it again. */
  fold(start: number): void;
  /** Joins boxes if `isOne` is true of the second one's token; `within`: only among these tokens. */
  joinUnits(isOne: (at: number) => boolean, within?: Span): void;
};

/** Returns the lines. `leave` is called before boxes are removed, because the tooltip may belong to one. */
export function createLines(store: Store, root: HTMLElement, leave: () => void): Lines {
  const items: Item[] = [];
  const unfolded = new Set<number>();
  let built: readonly WireToken[] = [];
  let builtSegments: readonly WireSegment[] = [];
  let builtFirstTarget = 0;
  let builtReplaced: readonly Place[] = [];
  let builtThinking: readonly WireSegment[] = [];

  function itemAt(token: number): Item | undefined {
    const item = items[firstWhere(items.length, (k) => (items[k]?.end ?? 0) > token)];
    return item !== undefined && item.start <= token ? item : undefined;
  }

  function segmentOf(token: number): number {
    return firstWhere(store.segments.value.length, (k) => (store.segments.value[k]?.start ?? 0) > token) - 1;
  }

  function changed(): number | null {
    const { value: tokens } = store.tokens;
    const { value: segments } = store.segments;
    const firstTarget = store.firstTarget.value;
    const { value: replaced } = store.replaced;
    const isAsBuilt = firstTarget === builtFirstTarget && replaced === builtReplaced;
    if (tokens === built && segments === builtSegments && isAsBuilt) return null;
    let from = firstWhere(Math.min(tokens.length, built.length), (i) => tokens[i] !== built[i]);
    const other = segments.findIndex((_, k) => headOf(segments, k) !== headOf(builtSegments, k));
    from = Math.min(from, segments[other]?.start ?? from, builtSegments[segments.length]?.start ?? from);
    const { value: thinking } = store.thinking;
    from = Math.min(from, thinking.find(({ start }, k) => start !== builtThinking[k]?.start)?.start ?? from);
    if (!isAsBuilt) from = 0;
    if ((store.pieces.value[from - 1]?.mark ?? "") !== "") from--; // a mark may have become one within a word
    while (tokens[from - 1]?.role === "special") from--; // the run may have become long enough to fold
    [built, builtSegments, builtFirstTarget, builtReplaced] = [tokens, segments, firstTarget, replaced];
    builtThinking = thinking;
    return from;
  }

  function rebuild(from: number): void {
    truncate(itemAt(from)?.start ?? from);
    append(items.at(-1)?.end ?? 0);
  }

  function truncate(from: number): void {
    if ((items.at(-1)?.start ?? -1) >= from) leave();
    for (let last = items.at(-1); last !== undefined && last.start >= from; last = items.at(-1)) {
      for (const node of last.nodes) node.remove();
      items.pop();
    }
    const last = items.at(-1);
    if (last?.goesOn) join(last, undefined, false);
  }

  function append(from: number): void {
    const { value: tokens } = store.tokens;
    const { value: pieces } = store.pieces;
    const template = templateRuns(tokens, store.firstTarget.value, store.targetStart.value, store.segments.value);
    const runs = new Map([...template, ...store.thinking.value].map(({ start, end }) => [start, end]));
    for (let i = from; i < tokens.length; ) {
      const run = runs.get(i);
      const folded = unfolded.has(i) ? undefined : run;
      const token = tokens[i];
      const piece = pieces[i];
      if (token === undefined || piece === undefined || token.role === "class") return; // classes are no text
      place(i, folded ?? i + 1, token, piece, folded !== undefined);
      if (folded === undefined && run !== undefined) offerFolding({ start: i, end: run });
      i = folded ?? i + 1;
    }
  }

  /** Appends one box, with the line, the label and the space before it. */
  function place(start: number, end: number, token: WireToken, piece: Piece, chip: boolean): void {
    const previous = items.at(-1);
    const segment = segmentOf(end - 1); // a chip over two turns belongs to the second
    const { block, opened } = lineFor(previous, segment, piece);
    const first = !block.hasChildNodes();
    const spaced = (piece.joint === "space" || chip || previous?.chip === true) && !first;
    const at = store.replaced.value.find((one) => one[0] <= start && start < one[2]);
    const leads = at !== undefined && (start === at[0] || start === at[1]);
    const gap = leads && start === at[1] ? [] : gapBefore(start, spaced);
    const element = chip
      ? chipBox({ start, end }, nameOfRun(store, start))
      : tokenBox(start, token, piece, start >= store.firstTarget.value);
    if (
      !spaced &&
      !first &&
      !leads &&
      !isStacked(previous) &&
      previous?.block === block &&
      !isSpecial(start) &&
      !isSpecial(start - 1)
    )
      touch(previous.element, element, piece);
    const opens = at === undefined ? [] : stack(at, start, block, gap, previous);
    const line = at === undefined ? block : (opens.at(-1) ?? previous?.element.parentElement ?? block);
    line.append(...(start === at?.[0] ? [] : gap), element);
    const own = chip || token.role === "special" ? 0 : breaksIn(piece, token);
    const carried = piece.newline && previous?.block === block ? previous.newlines : 0;
    items.push({
      start,
      end,
      chip,
      element,
      nodes: [...opened, ...gap, element, ...opens],
      block,
      segment,
      newlines: own === 0 ? 0 : own + carried,
      painted: PLAIN,
      marks: 0,
      gap: gap.length === 1 ? (gap[0] as ChildNode) : null,
      goesOn: false,
      version: -1,
    });
  }

  /**
   * Replaced words stand above those that replace them, in a stack of two: what is opened for the box at `start`, the stack
   * for the first of all, and the lines of both.
   */
  function stack(
    [first, middle]: Place,
    start: number,
    block: HTMLElement,
    gap: ChildNode[],
    before?: Item,
  ): HTMLElement[] {
    if (start !== first && start !== middle) return [];
    const side = Number(start === middle);
    const name = store.methodCalled(store.document.value?.beside[side])?.label ?? "";
    const line = h("span", { className: "sw-variant", role: "group", ariaLabel: name });
    if (side === 1) {
      before?.element.closest(".sw-replaced")?.append(line);
      return [line];
    }
    const root = h("span", { className: "sw-replaced" }, line);
    block.append(...gap, root);
    return [root, line];
  }

  /** Before the first box of a run that the reader unfolded: what folds it again. */
  function offerFolding(run: Span): void {
    const item = items.at(-1) as Item;
    const button = foldButton(run, nameOfRun(store, run.start));
    item.element.before(button);
    item.nodes.push(button);
  }

  /** Returns the line of a box: that of the box before it, or a new one. `opened`: the nodes that were added for it. */
  function lineFor(previous: Item | undefined, segment: number, piece: Piece) {
    const begun = segment === previous?.segment ? undefined : store.segments.value[segment];
    const label = begun === undefined ? null : labelAt(store.segments.value, segment);
    const breakDue = previous !== undefined && previous.newlines > 0 && !piece.newline;
    if (previous !== undefined && label === null && !breakDue) return { block: previous.block, opened: [] };
    const block = h("div", { className: "sw-line", dir: "auto" });
    if (previous !== undefined && label === null && previous.newlines > 1) block.classList.add("sw-paragraph");
    const opened = label === null ? [block] : [h("div", { className: "sw-turn sw-label" }, label), block];
    if (isRead(begun)) opened[0]?.append(eye(segment));
    if (begun?.kind === "source" || begun?.kind === "target") opened[0]?.classList.add("sw-side");
    root.append(...opened);
    return { block, opened };
  }

  /** Returns whether a segment has inputs other than the template's: the written turn may begin in the template. */
  function isRead(segment: WireSegment | undefined): boolean {
    if (segment === undefined || segmentLabel(segment) === null) return false;
    const { start, end } = segment;
    const { tokens, firstTarget } = store;
    if (segment.kind === "system") return true; // also the template's own system message
    return tokens.value.slice(start, Math.min(end, firstTarget.value)).some(({ role }) => role !== "special");
  }

  function joinUnits(isOne: (at: number) => boolean, { start, end }: Span = { start: 0, end: Infinity }): void {
    const first = Math.max(0, firstWhere(items.length, (k) => (items[k]?.end ?? 0) > start) - 1);
    for (let k = first; k < items.length && (items[k]?.start ?? end) < end; k++) {
      const [item, next] = [items[k] as Item, items[k + 1]];
      const goesOn = next !== undefined && !item.chip && !next.chip && isOne(next.start);
      if (goesOn !== item.goesOn) join(item, next, goesOn);
    }
  }

  /** Moves the space between two joined boxes into the first, so that the background has no gap and no line moves. */
  function join(item: Item, next: Item | undefined, goesOn: boolean): void {
    item.goesOn = goesOn;
    item.element.classList.toggle("sw-merges-next", goesOn);
    next?.element.classList.toggle("sw-merges-previous", goesOn);
    if (next?.gap && goesOn) item.element.append(next.gap);
    else if (next?.gap) next.element.before(next.gap);
  }

  /** Returns the space before a box, and the stroke between input and output before the first target. */
  function gapBefore(start: number, spaced: boolean): ChildNode[] {
    const gap: ChildNode[] = spaced ? [document.createTextNode(" ")] : [];
    if (start === store.firstTarget.value && hasPrompt(store))
      gap.push(
        h("span", { className: "sw-prompt-end", ariaHidden: "true" }),
        document.createTextNode(spaced ? " " : "\u200a"),
      );
    return gap;
  }

  function fold(start: number): void {
    if (!unfolded.delete(start)) unfolded.add(start);
  }

  function isSpecial(token: number): boolean {
    return store.tokens.value[token]?.role === "special";
  }

  return { items, itemAt, changed, rebuild, fold, joinUnits };
}

/** Returns whether the written text has given tokens before it, other than a start token. */
export function hasPrompt({ targetStart, firstTarget, tokens }: Store): boolean {
  const [begin, end] = [targetStart.value, firstTarget.value];
  return begin === null ? end > 0 : tokens.value.slice(begin, end).some(({ role }) => role !== "special");
}

function isStacked(item: Item | undefined): boolean {
  return item?.element.parentElement?.classList.contains("sw-variant") === true;
}

/** Two boxes that touch: parts of one word, or neighbours. */
function touch(before: HTMLElement, after: HTMLElement, { joint }: Piece): void {
  after.classList.add(joint === "word" ? "sw-joins-previous" : "sw-touches-previous");
  before.classList.add(joint === "word" ? "sw-joins-next" : "sw-touches-next");
  if (melts(before.textContent, after.textContent))
    for (const half of [before, after]) half.classList.add("sw-no-ligature");
}

/** Returns the drawn part of a segment: its start and its label. */
function headOf(segments: readonly WireSegment[], at: number): string {
  return segments[at] === undefined ? "" : `${segments[at].start} ${labelAt(segments, at)}`;
}

/** Returns the number of line breaks after a token. */
function breaksIn(piece: Piece, token: WireToken): number {
  return piece.breaks ? (/[\n\r\u2028\u2029]+$/u.exec(token.text.replaceAll("\r\n", "\n"))?.[0].length ?? 0) : 0;
}
