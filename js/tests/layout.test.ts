import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  beside,
  CELL,
  cellsInSight,
  extentOf,
  firstWhere,
  fitting,
  gridOf,
  LABEL_MAX,
  LEAN,
  placeAt,
  rescaled,
  reveal,
  SUMS,
  shorten,
  sizeWithin,
  windowOf,
} from "../src/layout";

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
    expect(gridOf(9, 8, 9999, 9999).left).toBeLessThan(LABEL_MAX + 20);
  });
});

const seen = (left: number, top: number, width = 9999, height = 9999) => ({ left, top, width, height });

describe("placeAt", () => {
  const grid = gridOf(10, 5, 50, 50);
  const at = (row: number, col: number) => ({ x: grid.left + col * CELL + 3, y: grid.top + row * CELL + 3 });
  it("finds the cell under the mouse, scrolled or not", () => {
    expect(placeAt(grid, at(3, 2), seen(0, 0))).toEqual({ row: 3, col: 2 });
    expect(placeAt(grid, at(3, 2), seen(CELL, 4 * CELL))).toEqual({ row: 7, col: 3 });
  });
  it("finds a row beside the cells, a column above and below them, and neither in the corners", () => {
    expect(placeAt(grid, { x: 5, y: at(3, 0).y }, seen(0, 0))).toEqual({ row: 3, col: null });
    expect(placeAt(grid, at(3, 5), seen(0, 0))).toEqual({ row: 3, col: null });
    expect(placeAt(grid, at(10, 1), seen(0, 0))).toEqual({ row: null, col: 1 });
    expect(placeAt(grid, { x: 5, y: 5 }, seen(0, 90))).toEqual({ row: null, col: null });
    expect(placeAt(grid, at(10, 5), seen(0, 0))).toEqual({ row: null, col: null });
  });
  it("follows a leaning name up to its end", () => {
    const [x, up] = [grid.left + 1.5 * CELL, 30];
    const end = { x: x + up / Math.tan(LEAN), y: grid.top - 8 - up };
    expect(placeAt(grid, end, seen(0, 0))).toEqual({ row: null, col: 1 });
  });
  it("takes the sums at the edge of a small window for what they are, not for the cells behind them", () => {
    const small = seen(0, 0, grid.left + 2 * CELL + SUMS.width, grid.top + 4 * CELL + SUMS.height);
    expect(placeAt(grid, at(3, 1), small)).toEqual({ row: 3, col: 1 });
    expect(placeAt(grid, at(3, 2), small)).toEqual({ row: 3, col: null });
    expect(placeAt(grid, at(4, 1), small)).toEqual({ row: null, col: 1 });
    expect(cellsInSight(grid, small)).toEqual({ rows: { start: 0, end: 4 }, cols: { start: 0, end: 2 } });
  });
});

describe("zoom", () => {
  const gridWith = (cell: number) => gridOf(500, 80, 60, 40, cell);
  it("keeps what is under the mouse where it is, names or not", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 3, max: 40 }),
        fc.integer({ min: 3, max: 40 }),
        fc.integer({ min: 90, max: 500 }),
        fc.integer({ min: 0, max: 400 }),
        (before, after, at, scroll) => {
          const [from, to] = [gridWith(before), gridWith(after)];
          const moved = rescaled(from, to, { x: at, y: at }, seen(scroll, scroll));
          const cell = (grid: typeof from, offset: number) => (at - grid.left + offset) / grid.cell;
          expect(cell(to, moved.left)).toBeCloseTo(cell(from, scroll), 8);
        },
      ),
    );
  });
  it("stays between 3 and 40 pixels a cell", () => {
    expect([0.1, 3.3, 40.2].map(sizeWithin)).toEqual([3, 3.3, 40]);
  });
  it("fits the whole matrix into a room with the largest cells that do", () => {
    fc.assert(
      fc.property(fc.integer({ min: 100, max: 3000 }), fc.integer({ min: 100, max: 3000 }), (width, height) => {
        const fits = (cell: number) => {
          const extent = extentOf(gridWith(cell));
          return extent.width <= width && extent.height <= height;
        };
        const best = fitting(gridWith, { width, height });
        expect(best === 3 || fits(best)).toBe(true);
        expect(best === 40 || !fits(best + 1)).toBe(true);
      }),
    );
  });
  it("has no room for names where cells are small", () => {
    expect([gridWith(9).legible, gridWith(10).legible]).toEqual([false, true]);
    expect(gridWith(9).left).toBeLessThan(10);
  });
});

describe("beside", () => {
  const WINDOW = { width: 1000, height: 700 };
  const anchorAt = (left: number, top: number) => ({ left, right: left + 60, top, bottom: top + 20 });
  const stand = { side: "bottom", align: "start", gap: 6, edge: 8 } as const;
  const sizes = fc.record({ width: fc.integer({ min: 1, max: 900 }), height: fc.integer({ min: 1, max: 900 }) });
  const anchors = fc.tuple(fc.nat(940), fc.nat(680)).map(([left, top]) => anchorAt(left, top));
  const stands = fc.record({
    side: fc.constantFrom("top" as const, "bottom" as const),
    align: fc.constantFrom("start" as const, "center" as const, "end" as const),
    gap: fc.nat(10),
    edge: fc.nat(10),
  });

  it("covers nothing of the anchor, and stays in the window where that has the room", () => {
    fc.assert(
      fc.property(anchors, sizes, stands, (anchor, size, how) => {
        const { left, top, maxHeight } = beside(anchor, size, WINDOW, how);
        const bottom = top + Math.min(size.height, maxHeight);
        expect(bottom <= anchor.top - how.gap || top >= anchor.bottom + how.gap).toBe(true);
        expect(left >= how.edge && left + size.width <= WINDOW.width - how.edge).toBe(true);
        if (maxHeight > 0) expect(top >= how.edge && bottom <= WINDOW.height - how.edge).toBe(true);
      }),
    );
  });
  it("stands on the wanted side, or where only the other has room for all of it, or more", () => {
    const topOf = (top: number, height: number) => beside(anchorAt(0, top), { width: 50, height }, WINDOW, stand).top;
    expect(topOf(300, 366)).toBe(326);
    expect(topOf(400, 366)).toBe(400 - 6 - 366);
    expect(topOf(300, 680)).toBe(326);
    expect(topOf(400, 680)).toBe(8);
  });
  it("is flush with an edge of the anchor, or centred on it, while the window lets it", () => {
    const leftOf = (left: number, align: "start" | "center" | "end") =>
      beside(anchorAt(left, 0), { width: 100, height: 50 }, WINDOW, { ...stand, align }).left;
    expect([leftOf(400, "start"), leftOf(400, "center"), leftOf(400, "end")]).toEqual([400, 380, 360]);
    expect([leftOf(930, "start"), leftOf(10, "end")]).toEqual([892, 8]);
    expect(beside(anchorAt(0, 0), { width: 2000, height: 50 }, WINDOW, stand).left).toBe(8);
  });
});
