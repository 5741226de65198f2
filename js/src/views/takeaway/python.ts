/** The Python that shows exactly this view: the text, the map, what is pinned, and how it is looked at. */

import type { Span } from "../../layout";
import type { Store } from "../../store";

const ends = ({ start, end }: Span): [number, number] => [start, end];

/** The reason why there is none, or null. */
export function noPython({ document, map, method }: Store): string | null {
  if (document.value?.code == null) return "there is no model behind it";
  if (map.value === null) return "no map is on show";
  return method.value?.family === "explanation" ? "no call computes what a language model says" : null;
}

export function pythonOf(store: Store): string {
  const { document, map, questionOf, tokens, firstTarget, kind, pinned, extent, usesObjective } = store;
  if (map.value === null) return "";
  const { info } = map.value;
  const foil = questionOf(map.value).foil ?? info.foil;
  const written = tokens.value.slice(firstTarget.value).map(({ id }) => id);
  const named: [string, unknown][] = [
    ...(kind.value === "classes" ? [] : [["target_ids", written] as [string, unknown]]),
    ["method", info.method],
    ...(usesObjective(info.method) ? [["objective", info.objective] as [string, unknown]] : []),
    ...(foil === null ? [] : [["foil", foil] as [string, unknown]]),
    ...info.settings.filter(([name]) => name !== "instead of").map(([name, said]) => [name, settingOf(said)] as const),
  ].map(([name, value]) => [name as string, value]);
  const how = viewOf(store);
  return [
    "import saliency_widget as sw",
    "",
    `w = sw.show(${[document.value?.code, ...named.map(([name, value]) => `${name}=${literal(value)}`)].join(", ")})`,
    ...(pinned.value === null ? [] : [`w.extent, w.selection = ${extent.value}, ${pinned.value}`]),
    ...(Object.keys(how).length === 0 ? [] : [`w.view = ${literal(how)}`]),
    "",
  ].join("\n");
}

/** A setting as the kernel told it in words. */
export function settingOf(said: string): unknown {
  if (said === "True" || said === "False") return said === "True";
  return said.trim() !== "" && Number.isFinite(Number(said)) ? Number(said) : said;
}

/** A value as Python writes it. */
function literal(value: unknown): string {
  if (value === null || value === undefined) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (Array.isArray(value)) return `[${value.map(literal).join(", ")}]`;
  if (typeof value !== "object") return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, own]) => `${literal(name)}: ${literal(own)}`)
    .join(", ")}}`;
}

/** Returns how the reader looks at a map, in words that Python knows: what is not as at first. */
function viewOf(store: Store): Record<string, unknown> {
  const { granularity, pool, joint, hidden, scale, threshold, measure, inputs } = store;
  const all: [name: string, now: unknown, first: unknown][] = [
    ["by", granularity.value, store.suited()],
    ["pool", pool.value, "sum"],
    ["joint", joint.value, "mean"],
    ["scale", scale.value, "linear"],
    ["threshold", threshold.value, 0.5],
    ["measure", measure.value, "share"],
    ["left_out", hidden.value.map(ends), []],
    ["turned", inputs.value && ends(inputs.value), null],
  ];
  return Object.fromEntries(all.filter(([, now, first]) => JSON.stringify(now) !== JSON.stringify(first)));
}
