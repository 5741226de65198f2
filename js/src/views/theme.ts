/** The colour ramp of the view: it starts at the actual background. */

import { type ReadonlySignal, signal as signalOf } from "@preact/signals-core";
import { css, isDark, makeRamp, parseColor, type Ramp, type Rgb } from "../color";

const SETTLE = 400; // ms: a host sets its theme's name before the style sheet has loaded

/**
 * Returns the first opaque background from the element outwards, through shadow roots. If there is none, as in a
 * transparent frame, the text colour decides between white and dark.
 */
function backgroundUnder(element: Element): Rgb {
  let ink: Rgb | null = null;
  for (let at: Node | null = element; at !== null; at = at instanceof ShadowRoot ? at.host : at.parentNode) {
    if (!(at instanceof Element)) continue;
    const { backgroundColor, color } = getComputedStyle(at);
    const found = parseColor(backgroundColor);
    if (found !== null) return found;
    if (at !== element) ink ??= parseColor(color);
  }
  return ink === null || isDark(ink) ? [255, 255, 255] : [17, 17, 17];
}

export function watchTheme(root: HTMLElement, signal: AbortSignal): ReadonlySignal<Ramp> {
  let background = backgroundUnder(root);
  const ramp = signalOf(makeRamp(background));
  const apply = () => {
    root.dataset.swTheme = isDark(background) ? "dark" : "light";
  };
  apply();

  function look(): void {
    if (signal.aborted || !root.isConnected) return;
    const now = backgroundUnder(root);
    if (css(now) === css(background)) return;
    background = now;
    apply();
    ramp.value = makeRamp(now);
  }
  const lookTwice = () => {
    requestAnimationFrame(look);
    setTimeout(look, SETTLE);
  };

  const observer = new MutationObserver(lookTwice);
  for (const element of [document.documentElement, document.body])
    observer.observe(element, {
      attributes: true,
      attributeFilter: ["class", "style", "theme", "data-theme", "data-jp-theme-light", "data-jp-theme-name"],
    });
  const visible = new IntersectionObserver(look); // hosts attach the view after render, and may move it
  visible.observe(root);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", lookTwice, { signal });
  signal.addEventListener("abort", () => {
    observer.disconnect();
    visible.disconnect();
  });
  lookTwice();
  return ramp;
}
