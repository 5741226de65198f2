/**
 * Puts a panel or a tooltip beside its anchor. Both are drawn in the top layer at fixed places, so nothing clips them but
 * the window.
 */

import { beside, type Stand } from "../layout";

/** An element, or anything that knows where it is. */
export type Anchor = { getBoundingClientRect(): DOMRect };

/** It gets no higher than the room there is: the rest is scrolled to, where it scrolls. */
export function place(anchor: Anchor, element: HTMLElement, stand: Stand): void {
  const size = { width: element.offsetWidth, height: element.offsetHeight };
  const room = { width: document.documentElement.clientWidth, height: innerHeight };
  const at = Object.entries(beside(anchor.getBoundingClientRect(), size, room, stand));
  Object.assign(element.style, Object.fromEntries(at.map(([name, length]) => [name, `${length}px`])));
}

/** Shows an element above everything, where the host has a top layer; elsewhere `position: fixed` has to do. */
export function raise(element: HTMLElement): void {
  element.hidden = false;
  if (element.isConnected && "showPopover" in element && !element.matches(":popover-open")) element.showPopover();
}

export function lower(element: HTMLElement): void {
  if (!element.hidden && "hidePopover" in element && element.matches(":popover-open")) element.hidePopover();
  element.hidden = true;
}
