import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { CELL, cellAt, firstWhere, gridOf, LEAN, labelRoom, reveal, shorten, windowOf } from "../src/layout";

describe("windowOf", () => {
  it("holds every item of which a sliver is in sight, and no other", () => {
    fc.assert(
      fc.property(
        fc.nat(5000),
        fc.nat(800),
        fc.integer({ min: 1, max: 40 }),
        fc.nat(300),
        (scroll, viewport, size, count) => {
          const { start, end } = windowOf(scroll, viewport, size, count);
          for (let i = 0; i < count; i++) {
            const seen = (i + 1) * size > scroll && i * size < scroll + viewport;
            expect(i >= start && i < end).toBe(seen);
          }
        },
      ),
    );
  });
  it("stays small in a matrix of 10,000 rows", () => {
    expect(windowOf(100_000, 480, CELL, 10_000)).toEqual({ start: 5000, end: 5024 });
  });
  it("is empty where there is nothing, or no room", () => {
    for (const { start, end } of [windowOf(0, 400, 20, 0), windowOf(50, -10, 20, 9), windowOf(9999, 400, 20, 9)])
      expect(end).toBe(start);
  });
});

it("firstWhere finds where a run of false ends", () => {
  fc.assert(
    fc.property(fc.nat(50), fc.nat(50), (n, at) => {
      expect(firstWhere(n, (i) => i >= at)).toBe(Math.min(n, at));
    }),
  );
});

it("reveal scrolls no further than it must", () => {
  expect(reveal(5, 20, 0, 200)).toBe(0);
  expect(reveal(10, 20, 0, 200)).toBe(20);
  expect(reveal(2, 20, 100, 200)).toBe(40);
});

describe("labels", () => {
  const measure = (text: string) => Array.from(text).length;
  it("are cut to the room they have, never inside a character", () => {
    fc.assert(
      fc.property(fc.string({ unit: "grapheme" }), fc.integer({ min: 1, max: 20 }), (text, width) => {
        const cut = shorten(text, width, measure);
        expect(measure(cut)).toBeLessThanOrEqual(Math.max(width, 1));
        expect(text.startsWith(cut.replace(/…$/, "")) || cut === text).toBe(true);
        expect(cut.isWellFormed()).toBe(text.isWellFormed());
      }),
    );
  });
  it("above the columns have the height and the overhang of a leaning text", () => {
    const grid = gridOf(9, 8, 60, 80);
    expect(grid.top).toBeGreaterThanOrEqual(80 * Math.sin(LEAN));
    expect(grid.right).toBeGreaterThanOrEqual(80 * Math.cos(LEAN));
    expect(grid.left).toBeGreaterThanOrEqual(60);
  });
  it("take no more than their limit", () => {
    expect(gridOf(9, 8, 9999, 9999).left).toBeLessThan(labelRoom + 20);
  });
});

describe("cellAt", () => {
  const grid = gridOf(10, 5, 50, 50);
  const at = (row: number, col: number) => ({ x: grid.left + col * CELL + 3, y: grid.top + row * CELL + 3 });
  it("finds the cell under the mouse, scrolled or not", () => {
    expect(cellAt(grid, at(3, 2), { left: 0, top: 0 })).toEqual({ row: 3, col: 2 });
    expect(cellAt(grid, at(3, 2), { left: CELL, top: 4 * CELL })).toEqual({ row: 7, col: 3 });
  });
  it("finds none over the labels and beyond the last row and column", () => {
    expect(cellAt(grid, { x: 5, y: grid.top + 5 }, { left: 0, top: 0 })).toBeNull();
    expect(cellAt(grid, { x: grid.left + 5, y: 5 }, { left: 0, top: 90 })).toBeNull();
    expect(cellAt(grid, at(10, 0), { left: 0, top: 0 })).toBeNull();
    expect(cellAt(grid, at(0, 5), { left: 0, top: 0 })).toBeNull();
  });
});
