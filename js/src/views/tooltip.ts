/** The tooltip of a view. It is out of the flow and ignores the mouse, so it does not move or block its anchor. */

import { signal as signalOf, untracked } from "@preact/signals-core";
import { render, type TemplateResult } from "lit-html";
import type { Stand } from "../layout";
import { h, watch } from "./dom";
import { type Anchor, lower, place, raise } from "./place";

export type Side = Stand["side"];
export type Tooltip = {
  /** Only what can be pressed in it feels the mouse. */
  element: HTMLElement;
  /** Its text is drawn again when its sources change: another map under a mouse that stands still. */
  show(anchor: Anchor, content: () => TemplateResult, side?: Side): void;
  hide(): void;
};

/** Returns the tooltip. `live` reads the signals that redraw it, but not the hovered box, which shows another one. */
export function createTooltip(live: () => void, layer: HTMLElement, signal: AbortSignal): Tooltip {
  const tip = h("div", {
    className: "sw-tooltip",
    role: "tooltip",
    hidden: true,
    id: `sw-tooltip-${crypto.randomUUID()}`,
  });
  tip.setAttribute("popover", "manual");
  layer.append(tip);
  let described: Element | null = null;
  const said = signalOf<(() => TemplateResult) | null>(null);
  watch(signal, () => {
    live();
    const { value: content } = said;
    if (content !== null) untracked(() => render(content(), tip));
  });

  function hide(): void {
    said.value = null;
    lower(tip);
    described?.removeAttribute("aria-describedby");
    described = null;
  }

  function show(anchor: Anchor, content: () => TemplateResult, side: Side = "top"): void {
    said.value = content;
    tip.style.maxHeight = "";
    raise(tip);
    described?.removeAttribute("aria-describedby");
    described = anchor instanceof Element ? anchor : null;
    described?.setAttribute("aria-describedby", tip.id);
    place(anchor, tip, { side, align: "center", gap: 8, edge: 6 });
  }

  signal.addEventListener("abort", hide, { once: true });
  return { element: tip, show, hide };
}
