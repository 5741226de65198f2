import { describe, expect, it } from "vitest";
import { contrast, gradient, makeRamp, parseColor, type Rgb, STEPS, stepOf, swatchOf, toOklab } from "../src/color";

const BACKGROUNDS: Record<string, Rgb> = {
  "JupyterLab Light": [255, 255, 255],
  "JupyterLab Dark": [17, 17, 17],
  marimo: [24, 28, 26],
  sepia: [250, 244, 230],
  "solarized dark": [0, 43, 54],
  black: [0, 0, 0],
};
const rgb = (css: string): Rgb => parseColor(css) ?? [Number.NaN, 0, 0];
const steps = Array.from({ length: 2 * STEPS + 1 }, (_, i) => i - STEPS);

describe.each(Object.entries(BACKGROUNDS))("the ramp on %s", (_, background) => {
  const ramp = makeRamp(background);
  it("keeps text readable (AA, 4.5) on every colour it has", () => {
    for (const step of steps) {
      for (const signed of [true, false]) {
        const swatch = swatchOf(ramp, step, signed);
        expect(contrast(rgb(swatch.background), rgb(swatch.color)), `step ${step}`).toBeGreaterThanOrEqual(4.5);
      }
    }
  });
  it("starts at the background itself", () => {
    for (const signed of [true, false]) expect(rgb(swatchOf(ramp, 0, signed).background)).toEqual(background);
  });
  it.each([true, false])("is even in lightness, and the same on both sides of 0 (signed: %s)", (signed) => {
    const lightness = (step: number) => toOklab(rgb(swatchOf(ramp, step, signed).background))[0];
    const whole = lightness(STEPS) - lightness(0);
    for (let step = 1; step <= STEPS; step++) {
      // 0.07: near black, eight bits a channel know few steps
      expect(Math.abs((lightness(step) - lightness(0)) / whole - step / STEPS)).toBeLessThan(0.07);
      expect(Math.abs(lightness(-step) - lightness(step))).toBeLessThan(0.04);
    }
  });
  it("ends far enough from its beginning to be seen (3:1)", () => {
    for (const [step, signed] of [
      [STEPS, false],
      [STEPS, true],
      [-STEPS, true],
    ] as const)
      expect(contrast(rgb(swatchOf(ramp, step, signed).background), background)).toBeGreaterThan(3);
  });
});

describe("stepOf", () => {
  it("is 0 in a domain of nothing, and for what is no number", () => {
    expect([stepOf(1, 0), stepOf(Number.NaN, 1), stepOf(1, Number.NaN), stepOf(0, 0)]).toEqual([0, 0, 0, 0]);
  });
  it("is centred on 0 and stays within the ramp", () => {
    expect([stepOf(0.5, 0.5), stepOf(-0.5, 0.5), stepOf(9, 0.5), stepOf(-9, 0.5)]).toEqual([
      STEPS,
      -STEPS,
      STEPS,
      -STEPS,
    ]);
    expect(Math.abs(stepOf(-0, 1))).toBe(0);
  });
});

it("purple and orange are told apart by their blue-yellow axis, which colour-blind readers keep", () => {
  const ramp = makeRamp([255, 255, 255]);
  const b = (step: number) => toOklab(rgb(swatchOf(ramp, step, true).background))[2];
  expect(b(-STEPS) - b(STEPS)).toBeGreaterThan(0.15);
});

it("scores without a sign have a hue that signed ones have on neither side", () => {
  const ramp = makeRamp([255, 255, 255]);
  const hue = (step: number, signed: boolean) => {
    const [, a, b] = toOklab(rgb(swatchOf(ramp, step, signed).background));
    return (Math.atan2(b, a) * 180) / Math.PI;
  };
  const apart = (x: number, y: number) => 180 - Math.abs(180 - (Math.abs(x - y) % 360));
  for (const step of [-STEPS, STEPS]) expect(apart(hue(STEPS, false), hue(step, true))).toBeGreaterThan(35);
});

it("reads the colours browsers compute, and nothing in what is transparent", () => {
  expect(parseColor("rgb(1, 2, 3)")).toEqual([1, 2, 3]);
  expect(parseColor("rgba(1, 2, 3, 0.9)")).toEqual([1, 2, 3]);
  expect(parseColor("rgb(1 2 3 / 0.2)")).toBeNull();
  expect(parseColor("color(srgb 1 0 0.5)")).toEqual([255, 0, 127.5]);
  expect([parseColor("rgba(0, 0, 0, 0)"), parseColor("transparent"), parseColor("")]).toEqual([null, null, null]);
});

it("the legend shows 0 in the middle where scores are signed, at the left where not", () => {
  const ramp = makeRamp([255, 255, 255]);
  expect(gradient(ramp, false)).toMatch(/^linear-gradient\(to right, rgb\(255, 255, 255\)/);
  expect(gradient(ramp, true).match(/rgb\([^)]*\)/g)?.[STEPS]).toBe("rgb(255, 255, 255)");
});

it("the legend has no colour below a threshold, on either side", () => {
  const ramp = makeRamp([255, 255, 255]);
  for (const signed of [false, true]) {
    const [all = [], some = []] = [0, 0.5].map((least) => gradient(ramp, signed, least).match(/rgb\([^)]*\)/g) ?? []);
    const middle = signed ? STEPS : 0;
    expect(some).toEqual(all.map((stop, i) => (Math.abs(i - middle) < STEPS / 2 ? "rgb(255, 255, 255)" : stop)));
    expect(some).not.toEqual(all);
  }
});
