/** The keyboard in a matrix: moves from cell to cell, and all actions of the mouse. */

import { CELL } from "../../layout";
import type { ViewContext } from "../context";
import { endPreview, nearest, onKeys, targetSteps } from "../input";
import type { Acts } from "./acts";
import type { Model } from "./model";
import type { Sheet } from "./sheet";

const STEP = 1.25;

export function followKeys(context: ViewContext, model: Model, sheet: Sheet, acts: Acts): void {
  const { store, signal } = context;
  const { scroller } = sheet;

  function moveTo(place: number, toCol: number): void {
    const { length: nCols } = model.cols.value;
    if (nCols === 0) return;
    const col = nearest(toCol, nCols);
    const last = model.order.value === null ? (model.depths.value[col] ?? 0) : model.nRows.value;
    const to = nearest(place, last);
    sheet.show({ row: to, col });
    acts.look({ row: model.rowAt(to), col });
    acts.tell();
  }

  scroller.addEventListener("blur", () => endPreview(context), { signal });
  scroller.addEventListener(
    "keydown",
    (event) => {
      const copies = (event.ctrlKey || event.metaKey) && event.key === "c" && getSelection()?.isCollapsed !== false;
      if (!copies || acts.looked() === null) return;
      event.preventDefault();
      void acts.copy();
    },
    { signal },
  );
  onKeys(scroller, signal, (event) => {
    const at = acts.looked();
    const stride = at === null ? 0 : 1; // the first arrow only shows the current cell
    const place = at === null || at.row === null ? 0 : model.placeOf(at.row);
    const col = at?.col ?? model.colAt(store.target.value) ?? 0;
    const following = (zoom: () => void) => () => {
      zoom();
      acts.follow();
    };
    const larger = following(() => sheet.scale(STEP));
    return {
      ...targetSteps(
        col,
        stride,
        (to) => moveTo(place, to),
        () => acts.pin(col, event.shiftKey),
      ),
      ArrowUp: () => moveTo(place - stride, col),
      ArrowDown: () => moveTo(place + stride, col),
      Escape: acts.letGo,
      "+": larger,
      "=": larger,
      "-": following(() => sheet.scale(1 / STEP)),
      0: following(() => sheet.zoom(CELL)),
      f: following(sheet.fit),
      r: () => acts.sort(col),
      y: () => void acts.copy(),
    };
  });
}
