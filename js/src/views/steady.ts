import type { ViewContext } from "./context";
import { coalesced, observed, watch } from "./dom";

/**
 * Keeps the lines below the text from changing their height, because the drawers are below them. For one map and width
 * they never shrink; and while the mouse is on the drawers they do not grow, so that no other target moves under it.
 */
export function keepSteady({ store, signal }: ViewContext, box: HTMLElement, drawers: HTMLElement): void {
  const about = box.querySelectorAll<HTMLElement>(".sw-about > *");
  const lines = box.querySelectorAll<HTMLElement>(".sw-actions, .sw-about, .sw-about > *");
  const release = () => {
    for (const { style } of lines) style.height = style.overflow = "";
  };
  let [known, width] = ["", box.clientWidth];
  const grow = coalesced(signal, () => {
    if (width !== box.clientWidth) release(); // the lines break elsewhere
    width = box.clientWidth;
    const now = `${store.map.value?.info.map} ${width}`;
    for (const line of about) {
      if (now !== known) line.style.minHeight = "";
      if (!line.hidden) line.style.minHeight = heightOf(line);
    }
    known = now;
  });
  for (const line of about) observed(signal, line, new ResizeObserver(grow));
  watch(signal, () => {
    void store.map.value;
    grow();
  });

  const hold = () => {
    for (const line of lines)
      if (!line.style.height && !line.hidden) {
        line.style.height = heightOf(line);
        line.style.overflow = "clip";
      }
  };
  // In the capture phase, before a drawer previews something, and at each move, since a preview may add a line.
  drawers.addEventListener("pointerover", hold, { signal, capture: true });
  drawers.addEventListener("pointerleave", release, { signal });
}

/** Returns the height in the element's own pixels, which differ from the window's on a scaled page. */
const heightOf = (line: HTMLElement) => getComputedStyle(line).height;
