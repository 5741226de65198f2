/** Menus and cards that a button opens: one at a time, closed by Escape or a press elsewhere. */

import type { Stand } from "../layout";
import type { ViewContext } from "./context";
import { coalesced, hasFocus, observed } from "./dom";
import { menuKeys } from "./input";
import { lower, place, raise } from "./place";

export type Popover = { toggle(): void; close(): void };

const EDGE = 8; // px between a panel and the edge of the window

/** The panel is a menu or a dialog, as its role says. `fill` is called each time before it opens, `left` once it is closed. */
export function createPopover(
  { layer, signal }: ViewContext,
  button: HTMLElement,
  panel: HTMLElement,
  align: Stand["align"],
  fill: () => void = () => {},
  left: () => void = () => {},
): Popover {
  let open: AbortController | null = null;
  const isMenu = panel.role === "menu";
  panel.hidden = true;
  panel.setAttribute("popover", "manual");
  panel.classList.add("sw-panel");
  button.setAttribute("aria-haspopup", isMenu ? "menu" : "dialog");
  button.setAttribute("aria-expanded", "false");
  button.addEventListener("click", toggle, { signal });
  if (isMenu) menuKeys(panel, signal);
  else panel.tabIndex = -1;

  function close(): void {
    if (open === null) return;
    open.abort();
    open = null;
    const hadFocus = hasFocus(panel);
    lower(panel);
    panel.remove();
    button.setAttribute("aria-expanded", "false");
    if (hadFocus) button.focus();
    left();
  }

  function show(): void {
    open = new AbortController();
    const listen = { signal: open.signal, capture: true };
    fill();
    layer.append(panel);
    raise(panel);
    button.setAttribute("aria-expanded", "true");
    const follow = () => place(button, panel, { side: "bottom", align, gap: 6, edge: EDGE });
    const refit = () => {
      panel.style.maxHeight = ""; // its natural height decides on which side it has room
      follow();
    };
    refit();
    // Its content may arrive later, or change.
    observed(open.signal, panel, new ResizeObserver(coalesced(open.signal, refit)));
    const outside = (event: Event) => {
      const path = event.composedPath();
      if (!path.includes(panel) && !path.includes(button)) close();
    };
    document.addEventListener("pointerdown", outside, listen);
    document.addEventListener("scroll", (event) => !event.composedPath().includes(panel) && follow(), listen);
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

  function toggle(): void {
    if (open === null) show();
    else close();
  }

  signal.addEventListener("abort", close, { once: true });
  return { toggle, close };
}
