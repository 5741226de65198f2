/**
 * All columns at once: a heat map on a canvas of the size of its viewport. It draws only visible cells and names, once
 * a frame, so that 10,000 × 400 is as quick as 10 × 4.
 */

import { render } from "lit-html";
import type { ViewContext } from "./context";
import { h, liveRegion, watch } from "./dom";
import { createActs } from "./matrix/acts";
import { axesOf, hintView } from "./matrix/hint";
import { followKeys } from "./matrix/keys";
import { matrixModel } from "./matrix/model";
import { followPointer } from "./matrix/pointer";
import { createSheet } from "./matrix/sheet";

export function matrixView(context: ViewContext): HTMLElement {
  const { store, signal, ramp, layer } = context;
  const root = h("div", { className: "sw-matrix" });
  const model = matrixModel(store, ramp);
  const sheet = createSheet(context, root, model);
  const said = liveRegion();
  layer.append(said);
  signal.addEventListener("abort", () => said.remove(), { once: true });
  const acts = createActs(context, model, sheet, (what) => render(what, said));
  root.append(sheet.scroller, hintView(context, model, acts));
  followPointer(context, model, sheet, acts);
  followKeys(context, model, sheet, acts);

  sheet.scroller.setAttribute("aria-roledescription", "heat map");
  watch(signal, () => {
    const [rows, columns] = axesOf(store);
    sheet.scroller.setAttribute(
      "aria-label",
      `Matrix: rows are ${rows}, columns ${columns}. Arrow keys move, Enter pins a column, R sorts by it.`,
    );
  });
  return root;
}
