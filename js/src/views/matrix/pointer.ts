/** The mouse over a matrix: it previews, pins, sorts, drags and zooms. Touch scrolls. */

import type { Place } from "../../layout";
import type { ViewContext } from "../context";
import type { Acts } from "./acts";
import type { Model } from "./model";
import type { Sheet } from "./sheet";

const SLACK = 4; // px that the mouse may move during a click
const TURN = 400; // px of a wheel after which cells are e times as large

export function followPointer({ signal }: ViewContext, model: Model, sheet: Sheet, acts: Acts): void {
  const { scroller, room } = sheet;
  const listen = { signal };
  let held: { x: number; y: number; left: number; top: number } | null = null;
  let dragged = false;

  /** Returns the row and the column under the mouse; null if there is none, or if the column cannot see the row. */
  function under(event: MouseEvent): Place | null {
    const { row: place, col } = sheet.placeUnder(event);
    const row = place === null ? null : model.rowAt(place);
    const isBlind = row === null ? col === null : col !== null && row >= (model.depths.value[col] ?? 0);
    return isBlind ? null : { row, col };
  }

  function press({ button, pointerType, clientX: x, clientY: y }: PointerEvent): void {
    dragged = false;
    held = button > 0 || pointerType === "touch" ? null : { x, y, left: scroller.scrollLeft, top: scroller.scrollTop };
  }

  function move(event: PointerEvent): void {
    const place = under(event);
    if (event.buttons === 0) held = null;
    if (held !== null) {
      const [x, y] = [held.x - event.clientX, held.y - event.clientY];
      if (!dragged && Math.hypot(x, y) < SLACK) return;
      if (!dragged) room.setPointerCapture(event.pointerId);
      dragged = true;
      acts.letGo();
      [scroller.scrollLeft, scroller.scrollTop] = [held.left + x, held.top + y];
    } else if (place !== null) acts.look(place);
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
    event.preventDefault(); // otherwise the browser zooms the page
    acts.letGo();
    sheet.scale(Math.exp(-event.deltaY / TURN));
  }

  room.addEventListener("pointerdown", press, listen);
  room.addEventListener("click", click, listen);
  scroller.addEventListener("pointermove", move, listen);
  scroller.addEventListener("pointerleave", acts.letGo, listen);
  scroller.addEventListener("wheel", wheel, { signal, passive: false });
}
