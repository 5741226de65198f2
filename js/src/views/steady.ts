import type { ViewContext } from "./context";
import { coalesced, observed, watch } from "./dom";

/**
 * The lines below the text describe the target under the mouse, and change their height; the drawers stand below them.
 * So these lines stay as tall as they came to be, for the map on show and this width. And while the mouse is on the drawers
 * they do not grow either, or it would come to lie on another target, and back.
 */
export function keepSteady({ store, signal }: ViewContext, box: HTMLElement, drawers: HTMLElement): void {
  const about = box.querySelectorAll<HTMLElement>(".sw-about > *");
  let known = "";
  const grow = coalesced(signal, () => {
    const now = `${store.map.value?.info.map} ${box.clientWidth}`;
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

  const lines = box.querySelectorAll<HTMLElement>(".sw-actions, .sw-about, .sw-about > *");
  const release = () => {
    for (const { style } of lines) style.height = style.overflow = "";
  };
  const hold = () => {
    for (const line of lines)
      if (!line.style.height && !line.hidden) {
        line.style.height = heightOf(line);
        line.style.overflow = "clip";
      }
  };
  // Before the drawers hear of it and preview something; at each place, since a line may come with a preview.
  drawers.addEventListener("pointerover", hold, { signal, capture: true });
  drawers.addEventListener("pointerleave", release, { signal });
}

/** In its own pixels: on a page that is scaled, as slides are, those of the window are others. */
const heightOf = (line: HTMLElement) => getComputedStyle(line).height;
