/**
 * Places a panel or a tooltip beside its anchor. Both are fixed in the top layer, so only the window clips them.
 */

import { beside, type Stand } from "../layout";

/** An element, or anything with a rectangle. */
export type Anchor = { getBoundingClientRect(): DOMRect };

/** Places an element, and limits its height to the available room. */
export function place(anchor: Anchor, element: HTMLElement, stand: Stand): void {
  const size = { width: element.offsetWidth, height: element.offsetHeight };
  const room = { width: document.documentElement.clientWidth, height: innerHeight };
  const at = Object.entries(beside(anchor.getBoundingClientRect(), size, room, stand));
  Object.assign(element.style, Object.fromEntries(at.map(([name, length]) => [name, `${length}px`])));
}

/** Shows an element in the top layer; in browsers without one `position: fixed` must do. */
export function raise(element: HTMLElement): void {
  element.hidden = false;
  if (element.isConnected && "showPopover" in element && !element.matches(":popover-open")) element.showPopover();
}

export function lower(element: HTMLElement): void {
  if (!element.hidden && "hidePopover" in element && element.matches(":popover-open")) element.hidePopover();
  element.hidden = true;
}
