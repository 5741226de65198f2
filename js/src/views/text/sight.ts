/** The visible boxes of a text, found by bisection and cached until something moves, and scrolling to a box. */

import { firstWhere, type Span } from "../../layout";
import type { ViewContext } from "../context";
import { coalesced, observed, watch } from "../dom";
import { type Item, scrollTo } from "./boxes";
import type { Lines } from "./lines";

const FEW = 800; // boxes, at most, that all count as near
const NEAR = 60; // px from the end within which the reader follows the end

export type Sight = {
  /** Returns the boxes in the window and the text's own frame. */
  span(): Span;
  /** Returns the visible boxes and half a frame more on both sides, because scrolling is faster than painting. */
  near(): Span;
  /** Runs a `change` of the text from a token on; a view at the end stays at the end. */
  during(from: number, change: () => void): void;
};

/** Returns the sight of a text. `show` is called once a frame while other boxes become visible. */
export function createSight(
  { store, signal }: ViewContext,
  root: HTMLElement,
  { items, itemAt }: Lines,
  show: () => void,
): Sight {
  let arrived = false;
  let known: Span | null = null;

  function find(frames: number): Span {
    const frame = root.getBoundingClientRect();
    const top = Math.max(frame.top, 0);
    const bottom = Math.min(frame.bottom, innerHeight);
    const spare = frames * Math.max(0, bottom - top);
    return {
      start: firstWhere(items.length, (k) => edge(items[k] as Item, top - spare, "bottom") >= top - spare),
      end: firstWhere(items.length, (k) => edge(items[k] as Item, bottom + spare, "top") > bottom + spare),
    };
  }

  function span(): Span {
    known ??= find(0);
    return known;
  }

  function near(): Span {
    return items.length <= FEW ? { start: 0, end: items.length } : find(0.5);
  }

  /** Scrolls once to the output, which a long prompt would hide. */
  function arrive(): void {
    const box = itemAt(store.firstTarget.value)?.element;
    if (arrived || box === undefined || store.nTargets.value === 0 || root.clientHeight === 0) return;
    arrived = true;
    root.scrollTop += box.getBoundingClientRect().top - root.getBoundingClientRect().top - 0.6 * root.clientHeight;
  }

  const moved = coalesced(signal, () => {
    arrive();
    known = null;
    show();
  });

  /** Lets lines out of view skip layout once they have had one: the browser keeps their height. */
  const letGo = coalesced(signal, () =>
    requestAnimationFrame(() => {
      for (const line of root.querySelectorAll(".sw-line:not(.sw-far)")) line.classList.add("sw-far");
    }),
  );

  function during(from: number, change: () => void): void {
    if (from === 0) arrived = false;
    const following = arrived && root.scrollHeight - root.scrollTop - root.clientHeight < NEAR;
    change();
    if (following)
      root.scrollTop = root.scrollHeight; // follow the text while it is written
    else if (!arrived) moved();
    if (items.length > FEW) letGo();
    known = null;
  }

  /** The target that is pinned, or looked at before anything is. */
  const target = () =>
    itemAt(store.firstTarget.value + (store.pinned.value ?? store.atRest.value?.start ?? 0))?.element;
  let isHeld = true; // unless the reader scrolled away from it
  let width = 0;
  watch(signal, () => {
    isHeld = store.pinned.value !== null || isHeld;
  });
  root.addEventListener(
    "scroll",
    () => {
      if (root.clientWidth !== width) return; // a shorter text was cut off, or a longer one moved: it was not the reader
      const [at, frame] = [target()?.getBoundingClientRect(), root.getBoundingClientRect()];
      isHeld = at !== undefined && at.bottom > frame.top && at.top < frame.bottom;
    },
    { signal, passive: true },
  );
  // Lines break elsewhere in another width: a target that was in sight stays there.
  const keep = () => {
    const box = target();
    if (isHeld && arrived && box !== undefined) scrollTo(root, box);
    width = root.clientWidth;
    moved();
  };
  observed(signal, root, new ResizeObserver(keep));
  observed(signal, root, new IntersectionObserver(moved));
  root.addEventListener("scroll", moved, { signal, passive: true });
  document.addEventListener("scroll", moved, { signal, passive: true, capture: true });
  return { span, near, during };
}

/** Returns the position of a box's edge; that of its line if it has no layout because it is out of view. */
function edge(item: Item, y: number, side: "top" | "bottom"): number {
  const line = item.block.getBoundingClientRect();
  return line.bottom < y || line.top > y ? line[side] : item.element.getBoundingClientRect()[side];
}
