/**
 * Maps a share to a colour. The ramp starts at the page's background, so dark mode needs no second table, and is a
 * straight line in OKLab to one hue (two for signed scores), so that equal steps look equal. Imports nothing.
 */

export type Rgb = readonly [number, number, number]; // 0 … 255
export type Swatch = { background: string; color: string };

/**
 * OKLCH of the far ends: [lightness, chroma, hue in degrees]. Colour-blind readers can tell purple from orange, and
 * both differ from the blue of unsigned scores.
 */
const BLUE = { light: [0.54, 0.16, 257], dark: [0.56, 0.155, 257] } as const;
const PURPLE = { light: [0.54, 0.17, 305], dark: [0.58, 0.165, 305] } as const;
const ORANGE = { light: [0.54, 0.13, 45], dark: [0.56, 0.13, 48] } as const;
const INK: Rgb = [27, 29, 34];
const PAPER: Rgb = [240, 242, 246];
const BLACK: Rgb = [0, 0, 0];
const WHITE: Rgb = [255, 255, 255];

/** Steps on each side of 0: more than the eye can tell apart, and few enough to compute for each theme. */
export const STEPS = 64;

type Lab = [number, number, number];

function toLinear(channel: number): number {
  const c = channel / 255;
  return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
}

function fromLinear(value: number): number {
  const c = value <= 0.0031308 ? 12.92 * value : 1.055 * value ** (1 / 2.4) - 0.055;
  return Math.round(255 * Math.min(1, Math.max(0, c)));
}

/** Converts to OKLab. Source: Ottosson 2020, A perceptual color space for image processing. */
export function toOklab([red, green, blue]: Rgb): Lab {
  const [r, g, b] = [toLinear(red), toLinear(green), toLinear(blue)];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

function fromOklab([lightness, a, b]: Lab): Rgb {
  const l = (lightness + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (lightness - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (lightness - 0.0894841775 * a - 1.291485548 * b) ** 3;
  return [
    fromLinear(4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s),
    fromLinear(-1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s),
    fromLinear(-0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s),
  ];
}

/** Returns the WCAG 2 contrast ratio, 1 … 21. */
export function contrast(a: Rgb, b: Rgb): number {
  const luminance = ([r, g, blue]: Rgb) => 0.2126 * toLinear(r) + 0.7152 * toLinear(g) + 0.0722 * toLinear(blue);
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** Returns the theme's soft text colour if it is easy to read, else white if its contrast is 4.5, else black. */
function inkOn(background: Rgb): Rgb {
  for (const ink of [INK, PAPER]) if (contrast(ink, background) >= 5) return ink;
  return contrast(WHITE, background) >= 4.5 ? WHITE : BLACK;
}

/** Returns the RGB of a computed CSS colour; null if it is transparent or in an unknown form. */
export function parseColor(css: string): Rgb | null {
  const inner = /^(rgba?|color)\(([^)]*)\)$/.exec(css.trim());
  if (inner === null) return null;
  const scale = inner[1] === "color" ? 255 : 1; // color(srgb 0.1 0.2 0.3)
  const numbers = (inner[2] ?? "")
    .split(/[\s,/]+/)
    .map(Number.parseFloat)
    .filter(Number.isFinite);
  const [r, g, b, alpha = 1] = numbers;
  if (r === undefined || g === undefined || b === undefined || alpha < 0.5) return null;
  return [r * scale, g * scale, b * scale];
}

export function isDark(background: Rgb): boolean {
  return toOklab(background)[0] < 0.55;
}

export const css = ([r, g, b]: Rgb): string => `rgb(${r}, ${g}, ${b})`;

/** The colours of a ramp: entry k of each list is that of k / STEPS of the domain, k = 0 … STEPS. */
export type Ramp = {
  dark: boolean;
  plain: readonly Swatch[];
  positive: readonly Swatch[];
  negative: readonly Swatch[];
};

export function makeRamp(background: Rgb): Ramp {
  const dark = isDark(background);
  const from = toOklab(background);
  const to = (ends: typeof BLUE | typeof PURPLE | typeof ORANGE) => {
    const [lightness, chroma, hue] = ends[dark ? "dark" : "light"];
    const angle = (hue * Math.PI) / 180;
    const end = [lightness, chroma * Math.cos(angle), chroma * Math.sin(angle)] as const;
    return Array.from({ length: STEPS + 1 }, (_, i) => {
      const t = i / STEPS;
      const rgb = fromOklab([0, 1, 2].map((k) => (from[k] ?? 0) * (1 - t) + (end[k] ?? 0) * t) as Lab);
      return { background: css(rgb), color: css(inkOn(rgb)) };
    });
  };
  return { dark, plain: to(BLUE), positive: to(PURPLE), negative: to(ORANGE) };
}

/** Returns the step of `value` in the domain ±max; 0 for an empty domain. */
export function stepOf(value: number, max: number): number {
  if (!(max > 0) || Number.isNaN(value)) return 0;
  return Math.round(STEPS * Math.min(1, Math.max(-1, value / max)));
}

/** Returns the colours of a step, -STEPS … STEPS. Unsigned scores have no negative steps. */
export function swatchOf(ramp: Ramp, step: number, signed: boolean): Swatch {
  const side = step < 0 ? ramp.negative : signed ? ramp.positive : ramp.plain;
  return side[Math.abs(step)] as Swatch;
}

/** Returns the ramp as a CSS gradient for the legend, without colour below the fraction `least` of its length. */
export function gradient(ramp: Ramp, signed: boolean, least = 0): string {
  const n = signed ? 2 * STEPS : STEPS;
  const stops = Array.from({ length: n + 1 }, (_, i) => i - n + STEPS).map((k) =>
    Math.abs(k) < least * STEPS ? 0 : k,
  );
  return `linear-gradient(to right, ${stops.map((k) => swatchOf(ramp, k, signed).background).join(", ")})`;
}
