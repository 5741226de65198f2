import { afterEach, expect, it, vi } from "vitest";
import { extentOf, gridOf, SUMS } from "../src/layout";
import { conversation, mounted, press } from "./help";

let life: AbortController | undefined;
afterEach(() => {
  life?.abort();
  vi.restoreAllMocks();
});

/** A letter is 7 px wide; a family of four, though 11 long as text, 16. */
const widthOf = (text: string) => (/\p{L}/u.test(text) ? 7 * text.length : 16);

/** The matrix in a window of this size. `drawn`: how often one canvas was drawn on another. */
function opened(of: readonly string[], side: { px: number }) {
  const drawImage = vi.fn();
  const pen = new Proxy({} as Record<string, unknown>, {
    get(own, name) {
      if (name in own) return own[String(name)];
      if (name === "createImageData")
        return (width: number, height: number) => ({ width, height, data: new Uint8ClampedArray(4 * width * height) });
      if (name === "measureText") return (text: string) => ({ width: widthOf(text) });
      return name === "drawImage" ? drawImage : () => {};
    },
  });
  vi.spyOn(HTMLCanvasElement.prototype, "getContext").mockReturnValue(pen as never);
  for (const name of ["clientWidth", "clientHeight"] as const)
    vi.spyOn(HTMLElement.prototype, name, "get").mockImplementation(() => side.px);
  const page = mounted(conversation(of));
  life = page.life;
  press(page.el.querySelector(".sw-token") as HTMLElement, "m");
  return { ...page, drawImage, room: page.el.querySelector(".sw-matrix-room") as HTMLElement };
}

it("has room for its widest name, however long others are as text", () => {
  const family = "👨‍👩‍👧‍👦";
  const { room } = opened(["Our", " family", family, family, " went", ".", family, "."], { px: 600 });
  expect(family.length).toBeGreaterThan(" family".length);
  const grid = gridOf(7, 3, widthOf("family"), widthOf(family));
  expect(grid.right).toBe(SUMS.width);
  expect(room.style.width).toBe(`${extentOf(grid).width}px`);
});

it("draws nothing while it is hidden, as a host hides it between two themes", async () => {
  const side = { px: 600 };
  const { drawImage, store } = opened(["a", "b", "c", "d", "e", "f", "g", "h"], side);
  const frame = () => new Promise((done) => requestAnimationFrame(done));
  await frame();
  const before = drawImage.mock.calls.length;
  expect(before).toBeGreaterThan(0);
  side.px = 0;
  store.preview(1, 1);
  await frame();
  expect(drawImage).toHaveBeenCalledTimes(before);
  side.px = 600;
  store.preview(2, 1);
  await frame();
  expect(drawImage.mock.calls.length).toBeGreaterThan(before);
});

it("tells the scale of the column on show, and of several that each has its own", () => {
  const { store, el } = opened(["a", "b", "c", "d", "e", "f", "g", "h"], { px: 600 });
  const scale = () => el.querySelector(".sw-matrix-hint .sw-scale")?.textContent;
  expect(scale()).toBe("0.400 for f");
  store.pin(0, 2);
  expect(scale()).toBe("0max");
  store.preview(1, 1);
  expect(scale()).toBe("0.167 for g");
});
