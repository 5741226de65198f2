/** The curves of maps under one operator, over the band of what random orders reach. */

import { nothing, svg, type TemplateResult } from "lit-html";
import { share, significant } from "../../format";
import type { Evaluation, WireFloor, WireJudgement } from "../../protocol";

/** Tells which curves are drawn: without the first words, or with nothing but them. */
export type Way = "without" | "only";

const [WIDTH, HEIGHT] = [380, 210];
const [LEFT, RIGHT, TOP, BOTTOM] = [40, 10, 10, 30];
const SHORT = 12; // points of a curve that are marked

/** The class of a map's line: so many can be told apart. */
export const lineClass = (at: number) => `sw-curve sw-curve-${at % 8}`;

type Scale = { x: (count: number) => number; y: (value: number) => number; low: number; high: number };

type Point = readonly [count: number, value: number];

/** The points of a curve: from the text that nothing was taken from (or that has nothing), to the last step. */
function points(start: number, counts: readonly number[], values: readonly number[]): Point[] {
  const after = values.map((value, k): Point => [counts[k] ?? 0, value]);
  return [[0, start] as Point, ...after].sort((one, other) => one[0] - other[0]);
}

function scaleOf(all: readonly number[], most: number, raw: boolean): Scale {
  const low = raw ? Math.min(...all) : 0;
  const top = Math.max(...all);
  const high = raw ? top : Math.min(1, niceAbove(top));
  const room = high - low || 1;
  return {
    x: (count) => LEFT + (count / Math.max(1, most)) * (WIDTH - LEFT - RIGHT),
    y: (value) => TOP + (1 - (value - low) / room) * (HEIGHT - TOP - BOTTOM),
    low,
    high,
  };
}

/** The least of 1, 2 or 5 times a power of ten that is not below a number; 1 at most is asked for. */
function niceAbove(value: number): number {
  if (value <= 0) return 1;
  const power = 10 ** Math.floor(Math.log10(value));
  return (([1, 2, 5, 10] as const).find((times) => times * power >= value * 0.999) ?? 10) * power;
}

const path = (line: readonly Point[], { x, y }: Scale) =>
  line.map(([count, value], k) => `${k === 0 ? "M" : "L"}${x(count).toFixed(1)} ${y(value).toFixed(1)}`).join("");

export function curvesOf(
  found: Evaluation,
  floor: WireFloor,
  way: Way,
  raw: boolean,
  hot: number | null,
): TemplateResult {
  const counts = way === "without" ? found.steps : found.kept;
  const start = way === "without" ? floor.whole : floor.empty;
  const { middle, low, high } = floor[way];
  const lines = found.maps.map(({ judgements }) => judgements.find(({ operator }) => operator === floor.operator));
  const drawn = lines.map((line) => (line === undefined ? [] : points(start, counts, line[way])));
  const values = [start, ...low, ...high, ...drawn.flat().map(([, value]) => value)];
  const scale = scaleOf(values, Math.max(...counts), raw);
  const [lower, upper] = [points(start, counts, low), points(start, counts, high)];
  const band = `${path(upper, scale)}${path([...lower].reverse(), scale).replace("M", "L")}Z`;
  const number = (value: number) => (raw ? significant(value) : share(value));
  const ticks = [...new Set([0, ...counts])].filter((_, k, all) => k === 0 || k === all.length - 1 || all.length < 8);
  const levels = [scale.low, (scale.low + scale.high) / 2, scale.high];
  return svg`<svg class="sw-curves" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label=${spoken(found, floor, way, lines, number)}>
    ${levels.map(
      (
        level,
      ) => svg`<line class="sw-grid" x1=${LEFT} x2=${WIDTH - RIGHT} y1=${scale.y(level)} y2=${scale.y(level)}></line>
      <text class="sw-axis" x=${LEFT - 6} y=${scale.y(level) + 4} text-anchor="end">${axisNumber(level)}</text>`,
    )}
    ${ticks.map((count) => svg`<text class="sw-axis" x=${scale.x(count)} y=${HEIGHT - 14} text-anchor="middle">${count}</text>`)}
    <text class="sw-axis" x=${(LEFT + WIDTH - RIGHT) / 2} y=${HEIGHT - 1} text-anchor="middle">${
      way === "without" ? `${found.unit}s taken away` : `${found.unit}s that are left`
    }</text>
    <path class="sw-band" d=${band}></path>
    <path class="sw-median" d=${path(points(start, counts, middle), scale)}></path>
    ${drawn.map((line, at) => {
      const dim = hot !== null && hot !== at ? " sw-dim" : "";
      return line.length === 0
        ? nothing
        : svg`<g class=${lineClass(at) + dim}><path d=${path(line, scale)}></path>${
            line.length > SHORT
              ? nothing
              : line.map(([count, value]) => svg`<circle cx=${scale.x(count)} cy=${scale.y(value)} r="2.6"></circle>`)
          }</g>`;
    })}
  </svg>`;
}

/** A number of the axis, as short as it can be said: 1, .5, .025, −3. */
function axisNumber(value: number): string {
  return String(Number(value.toPrecision(2)))
    .replace(/^(-?)0\./, "$1.")
    .replace("-", "−");
}

/** The curves in words: where each begins, and where it ends. */
function spoken(
  { maps, unit, steps }: Evaluation,
  floor: WireFloor,
  way: Way,
  lines: readonly (WireJudgement | undefined)[],
  number: (value: number) => string,
): string {
  const last = (values: readonly number[]) => number(values.at(-1) ?? Number.NaN);
  const ends = maps.map(({ label }, k) => `${label} ${last(lines[k]?.[way] ?? [])}`);
  const what = way === "without" ? `${unit}s taken away` : `nothing but ${unit}s kept`;
  const start = number(way === "without" ? floor.whole : floor.empty);
  return `${floor.operator}, ${what}: from ${start}; after ${steps.length} steps ${ends.join(", ")}; random orders ${last(floor[way].middle)}`;
}
