/** Menus and cards that open from a button: one at a time, gone with Escape or a press elsewhere. */

import type { Placement } from "@floating-ui/core";
import { coalesced, observed } from "./dom";
import { place } from "./place";
import { raise } from "./tooltip";

export type Popover = { toggle(): void; close(): void };

const EDGE = 8; // px between a panel and the edge of the window

export function createPopover(options: {
  button: HTMLElement;
  panel: HTMLElement;
  layer: HTMLElement;
  signal: AbortSignal;
  placement: Placement;
  /** Fills the panel; called each time before it opens. */
  fill: () => void;
}): Popover {
  const { button, panel, layer, signal, placement, fill } = options;
  let open: AbortController | null = null;
  panel.hidden = true;
  panel.setAttribute("popover", "manual");
  panel.classList.add("sw-panel");
  button.setAttribute("aria-expanded", "false");

  function close(): void {
    if (open === null) return;
    open.abort();
    open = null;
    const hadFocus = panel.contains((panel.getRootNode() as Document | ShadowRoot).activeElement);
    if ("hidePopover" in panel && panel.matches(":popover-open")) panel.hidePopover();
    panel.hidden = true;
    panel.remove();
    button.setAttribute("aria-expanded", "false");
    if (hadFocus) button.focus();
  }

  function show(): void {
    open = new AbortController();
    const listen = { signal: open.signal, capture: true };
    fill();
    layer.append(panel);
    raise(panel);
    button.setAttribute("aria-expanded", "true");
    const follow = () =>
      place(button, panel, { placement, gap: 6, edge: EDGE, fits: true }).then((at) => Object.assign(panel.style, at));
    void follow();
    // What it shows may come later, or change: then it is fitted anew, with all the room there is.
    const refit = coalesced(open.signal, () => {
      panel.style.maxHeight = "";
      void follow();
    });
    observed(open.signal, panel, new ResizeObserver(refit));
    const outside = (event: Event) => {
      const path = event.composedPath();
      if (!path.includes(panel) && !path.includes(button)) close();
    };
    document.addEventListener("pointerdown", outside, listen);
    document.addEventListener("scroll", (event) => !event.composedPath().includes(panel) && void follow(), listen);
    panel.addEventListener("focusout", (event) => event.relatedTarget instanceof Node && outside(event), listen);
    for (const element of [panel, button])
      element.addEventListener(
        "keydown",
        (event) => {
          if (event.key !== "Escape" || open === null) return;
          event.stopPropagation();
          close();
          button.focus();
        },
        { signal: open.signal },
      );
    (panel.querySelector<HTMLElement>("button") ?? panel).focus();
  }

  signal.addEventListener("abort", close, { once: true });
  return { toggle: () => (open === null ? show() : close()), close };
}
