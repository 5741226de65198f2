/** Beside a text that is longer than its frame: where in it the weight lies. A press goes there. */

import { swatchOf } from "../../color";
import type { ViewContext } from "../context";
import { h, observed, rested, watch } from "../dom";
import { showSpan } from "./boxes";

const PARTS = 80;
const REST = 60; // ms: it goes over the whole text

export function stripView({ store, signal, ramp, layer }: ViewContext, root: HTMLElement): HTMLElement {
  const strip = h("div", { className: "sw-strip", hidden: true, title: "Where the weight lies: click to go there" });
  strip.setAttribute("aria-hidden", "true"); // the keys lead to the most important inputs
  const n = () => store.tokens.value.length;

  const draw = rested(signal, REST, () => {
    strip.hidden = root.scrollHeight <= root.clientHeight + 1;
    if (strip.hidden) return;
    const { step, signed } = store.look.value;
    const parts = Array.from({ length: PARTS }, (_, k) => {
      let most = 0;
      for (let i = Math.floor((k * n()) / PARTS); i < ((k + 1) * n()) / PARTS; i++) {
        const own = step(i) ?? 0;
        if (Math.abs(own) > Math.abs(most)) most = own;
      }
      return `${swatchOf(ramp.value, most, signed).background} ${(100 * k) / PARTS}% ${(100 * (k + 1)) / PARTS}%`;
    });
    strip.style.background = `linear-gradient(${parts})`;
  });

  watch(signal, () => {
    void [store.look.value, store.tokens.value, ramp.value];
    draw();
  });
  observed(signal, root, new ResizeObserver(draw));
  strip.addEventListener(
    "click",
    ({ clientY }) => {
      const { top, height } = strip.getBoundingClientRect();
      const start = Math.min(n() - 1, Math.floor(((clientY - top) / height) * n()));
      showSpan(layer.parentElement, { start, end: start + 1 });
    },
    { signal },
  );
  return strip;
}
