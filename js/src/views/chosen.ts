/** The reader's selection in the text, and its actions: by mouse, by key, and in the line below the text. */

import { share, significant } from "../format";
import type { Span } from "../layout";
import type { Change } from "../protocol";
import type { Store } from "../store";
import { unitAt, wholeUnits } from "../units";
import type { ViewContext } from "./context";
import { nameOfTargets } from "./words";

const FEW = 3; // targets that are named
/** The labels of buttons. An input that is left out of the shares is still read by the model; a struck one is not. */
export const LEAVE_OUT = "Leave out of the shares";
export const COUNT = "Count again";

/** Returns the whole units from one token to another, in either order; units of targets if both are targets. */
function between({ units, targetUnits, firstTarget }: Store, a: number, b: number): Span {
  const [start, last] = [Math.min(a, b), Math.max(a, b)];
  return wholeUnits(start < firstTarget.value ? units.value : targetUnits.value, { start, end: last + 1 });
}

/** Returns the columns from one target to another. */
export function colsBetween(store: Store, a: number, b: number): Span {
  const { start, end } = between(store, a, b);
  return { start: start - store.firstTarget.value, end: end - store.firstTarget.value };
}

/** Pins columns; unlike `pin`, never unpins them. */
export function pinCols({ selection, extent, pin }: Store, { start, end }: Span): void {
  if (selection.value !== start || extent.value !== end - start) pin(start, end - start);
}

/** Chooses the inputs from one to another. */
export function chooseInputs(store: Store, a: number, b: number): void {
  store.hoverCol.value = null; // a preview would hide the answer
  store.inputs.value = between(store, a, b);
}

/** Chooses the unit of a token, or ends the choice; with `more` all inputs from there to the chosen ones. */
export function chooseInput(store: Store, token: number, more: boolean): void {
  const { value: chosen } = store.inputs;
  store.hoverCol.value = null;
  if (more && chosen !== null) chooseInputs(store, Math.min(token, chosen.start), Math.max(token, chosen.end - 1));
  else store.turn({ start: token, end: token + 1 });
}

/** Returns the chosen inputs, or else the unit of a token. */
export function chosenOr({ inputs, units }: Store, token: number): Span {
  return inputs.value ?? unitAt(units.value, token) ?? { start: token, end: token + 1 };
}

export function isHidden({ hiddenRows }: Store, { start, end }: Span): boolean {
  return hiddenRows.value?.subarray(start, end).every((row) => row === 1) === true;
}

export function toggleHidden(store: Store, rows: Span): void {
  if (isHidden(store, rows)) store.unhide(rows);
  else store.hide(rows);
}

/**
 * Asks for the probabilities after this change; without a change, undoes the last one. The kernel sends its own errors.
 */
export function tryOut({ store, request }: Pick<ViewContext, "store" | "request">, change: Change): void {
  request({ type: "try", ...change }).then(store.tried, () => {});
}

export function strikeOut(context: Pick<ViewContext, "store" | "request">, { start, end }: Span): void {
  tryOut(context, { rows: Array.from({ length: end - start }, (_, k) => start + k) });
}

/** Strikes out the unit under the mouse, if the model read it before it wrote. */
export function strikeHovered(context: ViewContext): void {
  const { hoverRow, firstTarget, units, alive } = context.store;
  const rows =
    hoverRow.value === null || hoverRow.value >= firstTarget.value ? null : unitAt(units.value, hoverRow.value);
  if (rows !== null && alive.value) strikeOut(context, rows);
}

/** Tells whether the unit of a token has finer parts that are not shown. */
export function canOpen({ units }: Store, token: number): boolean {
  const [span, level] = [unitAt(units.value, token), units.value.levels[units.value.of[token] ?? -1] ?? 0];
  return span !== null && level > 0 && span.end - span.start > 1;
}

/** Returns the targets with the largest scores for these inputs, as "Washington .342"; none if nothing is computed. */
export function feeds(store: Store, rows: Span): { name: string; value: string }[] {
  const owed: { cols: Span; value: number }[] = [];
  for (let col = 0; col < store.nTargets.value; ) {
    const cols = store.unitCols(col);
    const value = store.fedBy(store.map.value, rows, cols);
    if (Math.abs(value) > 0) owed.push({ cols, value });
    col = cols.end;
  }
  const said = store.measure.value === "raw" ? significant : share;
  return owed
    .sort((a, b) => Math.abs(b.value) - Math.abs(a.value))
    .slice(0, FEW)
    .map(({ cols, value }) => ({ name: nameOfTargets(store, cols), value: said(value) }));
}
