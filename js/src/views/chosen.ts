/** The reader's selection in the text, and its actions: by mouse, by key, and in the line below the text. */

import { share, significant } from "../format";
import type { Span } from "../layout";
import type { Change } from "../protocol";
import type { Store } from "../store";
import { unitAt, wholeUnits } from "../units";
import type { ViewContext } from "./context";
import { nameOfTargets } from "./words";

const FEW = 3; // targets that are named
/** What is done with inputs, in the words of the buttons. To leave out is not to strike out: the model reads the same text. */
export const LEAVE_OUT = "Leave out of the shares";
export const COUNT = "Count again";

/** The whole units from one token to another, in either order; units of targets where both tokens are targets. */
function between({ units, targetUnits, firstTarget }: Store, a: number, b: number): Span {
  const [start, last] = [Math.min(a, b), Math.max(a, b)];
  return wholeUnits(start < firstTarget.value ? units.value : targetUnits.value, { start, end: last + 1 });
}

/** The columns from one target to another. */
export function colsBetween(store: Store, a: number, b: number): Span {
  const { start, end } = between(store, a, b);
  return { start: start - store.firstTarget.value, end: end - store.firstTarget.value };
}

/** Pins columns, and never lets go of them. */
export function pinCols({ selection, extent, pin }: Store, { start, end }: Span): void {
  if (selection.value !== start || extent.value !== end - start) pin(start, end - start);
}

/** Turns the question round for the inputs from one to another. */
export function chooseInputs(store: Store, a: number, b: number): void {
  store.hoverCol.value = null; // no preview over the answer
  store.inputs.value = between(store, a, b);
}

/** Turns the question round for the unit of a token, or back; with `more` for all from there to what is chosen already. */
export function chooseInput(store: Store, token: number, more: boolean): void {
  const { value: chosen } = store.inputs;
  store.hoverCol.value = null;
  if (more && chosen !== null) chooseInputs(store, Math.min(token, chosen.start), Math.max(token, chosen.end - 1));
  else store.turn({ start: token, end: token + 1 });
}

/** The chosen inputs, or else the unit of a token. */
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
 * Asks for the probabilities after this change; without a change, undoes the last. The kernel says itself why it
 * cannot.
 */
export function tryOut({ store, request }: Pick<ViewContext, "store" | "request">, change: Change): void {
  request({ type: "try", ...change }).then(store.tried, () => {});
}

export function strikeOut(context: Pick<ViewContext, "store" | "request">, { start, end }: Span): void {
  tryOut(context, { rows: Array.from({ length: end - start }, (_, k) => start + k) });
}

/** Strikes out the unit under the mouse, if the model read it before it wrote. */
export function strikeHovered(context: ViewContext): void {
  const { hoverRow, firstTarget, units, canTry } = context.store;
  const rows =
    hoverRow.value === null || hoverRow.value >= firstTarget.value ? null : unitAt(units.value, hoverRow.value);
  if (rows !== null && canTry.value) strikeOut(context, rows);
}

/** Whether the unit of a token has finer parts that are not shown. */
export function canOpen({ units }: Store, token: number): boolean {
  const span = unitAt(units.value, token);
  return span !== null && span.end - span.start > 1;
}

/** The targets that owe most to these inputs, as "Washington .342"; none where nothing is known. */
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
