/** The mouse over a matrix: it looks, pins, sorts, drags and zooms. Fingers scroll, as anywhere. */

import type { Place } from "../../layout";
import type { ViewContext } from "../context";
import type { Acts } from "./acts";
import type { Model } from "./model";
import type { Sheet } from "./sheet";

const SLACK = 4; // px that a click may move
const LINE = 30; // px of a wheel that turns by lines
const DOUBLE = 400; // px of a wheel after which cells are e times as large

export function followPointer({ signal }: ViewContext, model: Model, sheet: Sheet, acts: Acts): void {
  const { scroller, room } = sheet;
  const listen = { signal };
  let held: { x: number; y: number; left: number; top: number } | null = null;
  let dragged = false;

  /** The row and the column under the mouse; null where there is neither, or the column cannot see the row. */
  function under(event: MouseEvent): Place | null {
    const { row: place, col } = sheet.placeUnder(event);
    const row = place === null ? null : model.rowAt(place);
    if (row === null) return col === null ? null : { row, col };
    return col !== null && row >= (model.depths.value[col] ?? 0) ? null : { row, col };
  }

  function press({ button, pointerType, clientX: x, clientY: y }: PointerEvent): void {
    dragged = false;
    if (button === 0 && pointerType !== "touch") held = { x, y, left: scroller.scrollLeft, top: scroller.scrollTop };
  }

  function drag({ clientX, clientY, pointerId }: PointerEvent, from: NonNullable<typeof held>): void {
    const [x, y] = [clientX - from.x, clientY - from.y];
    if (!dragged && Math.hypot(x, y) < SLACK) return;
    if (!dragged) room.setPointerCapture(pointerId);
    dragged = true;
    room.classList.add("sw-dragged");
    acts.letGo();
    [scroller.scrollLeft, scroller.scrollTop] = [from.left - x, from.top - y];
  }

  function release(): void {
    held = null;
    room.classList.remove("sw-dragged");
  }

  function move(event: PointerEvent): void {
    if (held !== null && event.buttons === 0) release(); // it went up outside
    const place = under(event);
    if (held !== null) drag(event, held);
    else if (place !== null) acts.look(place);
    else if (acts.looked() !== null) acts.letGo();
  }

  function click(event: MouseEvent): void {
    const place = dragged ? null : under(event);
    if (place === null || place.col === null) return;
    if (place.row === null) acts.sort(place.col);
    else acts.pin(place.col, event.shiftKey);
  }

  function wheel(event: WheelEvent): void {
    if (!event.ctrlKey && !event.metaKey) return;
    event.preventDefault(); // the browser would zoom the whole page
    acts.letGo();
    const turned = event.deltaY * (event.deltaMode === WheelEvent.DOM_DELTA_PIXEL ? 1 : LINE);
    sheet.scale(Math.exp(-turned / DOUBLE), sheet.pointOf(event));
  }

  room.addEventListener("pointerdown", press, listen);
  room.addEventListener("pointerup", release, listen);
  room.addEventListener("pointercancel", release, listen);
  room.addEventListener("click", click, listen);
  scroller.addEventListener("pointermove", move, listen);
  scroller.addEventListener("pointerleave", () => held === null && acts.letGo(), listen);
  scroller.addEventListener("wheel", wheel, { signal, passive: false });
}
