/** What the page makes of a map, in a file that the kernel's tests read too: a page to keep shows the same. */

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import type { WireToken, WireView } from "../src/protocol";
import type { ScaleName } from "../src/scale";
import type { Measure } from "../src/store";
import { shortest } from "../src/takeaway/table";
import type { Granularity, Pool } from "../src/units";
import { about, mounted } from "./help";

/** `steps`: of the ramp, a token of the rows; null where there is nothing to say, or it is hidden. */
type Seen = { cols: [number, number]; scores: (number | null)[]; hidden: number | null; steps: (number | null)[] };
/** The question turned round: what each target owes to the inputs `turned`, and the step of the ramp for its tokens. */
type Fed = { turned: [number, number]; values: (number | null)[]; steps: (number | null)[] };
type File = {
  tokens: WireToken[];
  first_target: number;
  columns: (number | null)[][];
  /** `opened`: the tokens at which a unit is shown by its parts. */
  views: { view: WireView; opened: number[]; targets: Seen[]; fed: Fed[] }[];
};
const FILE = join(process.cwd(), "tests/data/views.json");
const { tokens, first_target, columns, views } = JSON.parse(readFileSync(FILE, "utf8")) as File;

function looking({ view, opened }: File["views"][number]) {
  const scores = columns.map((column) => column.map((score) => score ?? Number.NaN));
  const world = mounted(about(tokens, first_target, scores));
  const { store } = world;
  store.readBy(view.by as Granularity);
  for (const token of opened) store.open(token);
  store.pool.value = view.pool as Pool;
  store.joint.value = view.joint as "sum" | "mean";
  for (const [start, end] of view.hidden) store.hide({ start, end });
  store.scale.value = view.scale as ScaleName;
  store.threshold.value = view.threshold;
  store.measure.value = view.measure as Measure;
  if (view.pinned !== null) store.pin(view.pinned[0], view.pinned[1] - view.pinned[0]);
  return world;
}

/** Every target, under the mouse or pinned. */
function seen({ store }: ReturnType<typeof looking>): Seen[] {
  const found: Seen[] = [];
  const number = (value: number) => (Number.isNaN(value) ? null : shortest(value));
  for (let col = 0; col < columns.length; ) {
    const isPinned = store.extent.value > 1 && store.pinnedCols.value?.start === col;
    store.hoverCol.value = isPinned ? null : col;
    const cols = store.targetCols.value ?? { start: col, end: col };
    found.push({
      cols: [cols.start, cols.end],
      scores: Array.from(store.shown.value?.scores ?? [], number),
      hidden: store.hiddenShare.value,
      steps: tokens.slice(0, -1).map((_, i) => (store.hiddenRows.value?.[i] === 1 ? null : store.look.value.step(i))),
    });
    col = cols.end;
  }
  store.hoverCol.value = null;
  return found;
}

function fedBy({ store }: ReturnType<typeof looking>, turned: [number, number]): Fed {
  store.turn({ start: turned[0], end: turned[1] });
  const rows = store.inputs.value ?? { start: 0, end: 0 };
  const values: (number | null)[] = [];
  for (let col = 0; col < columns.length; col = store.unitCols(col).end) {
    const value = store.fedBy(store.map.value, rows, store.unitCols(col));
    values.push(Number.isNaN(value) ? null : Number(value.toFixed(9)));
  }
  const steps = tokens.map((_, i) => store.look.value.step(i));
  expect(steps.slice(0, first_target).every((step) => step === null)).toBe(true);
  return { turned: [rows.start, rows.end], values, steps: steps.slice(first_target) };
}

describe.each(views)("by $view.by, $view.scale, $view.measure", (each) => {
  it("what is seen is what is written", () => {
    const world = looking(each);
    const found = seen(world);
    for (const [at, { hidden, ...rest }] of found.entries()) {
      const { hidden: written, ...others } = each.targets[at] as Seen;
      expect(rest).toEqual(others);
      if (written === null) expect(hidden).toBeNull();
      else expect(hidden).toBeCloseTo(written, 12);
    }
    expect(found).toHaveLength(each.targets.length);
    world.life.abort();
  });
  it.each(each.fed)("turned round to $turned, what is seen is what is written", (fed) => {
    const world = looking(each);
    expect(fedBy(world, fed.turned)).toEqual(fed);
    world.life.abort();
  });
  it.each([null, ...each.fed.map(({ turned }) => turned)])("the kernel is told of the view, turned to %j", (turned) => {
    const { el, model, store, life } = looking(each);
    if (turned !== null) store.turn({ start: turned[0], end: turned[1] });
    const button = (name: string) =>
      [...el.querySelectorAll<HTMLElement>("button")].find(({ textContent }) => textContent?.trim() === name)?.click();
    button("Take away");
    button("HTML");
    expect(model.sent.at(-1)).toMatchObject({ type: "export", view: { ...each.view, turned } });
    life.abort();
  });
});
