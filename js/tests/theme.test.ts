/** In which colours a view is drawn: by what lies under it or, where nothing does, by the ink around it. */

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { watchTheme } from "../src/views/theme";

const [WHITE, BLACK] = ["rgb(255, 255, 255)", "rgb(0, 0, 0)"];
let life: AbortController;

beforeEach(() => {
  life = new AbortController();
  vi.useFakeTimers();
});
afterEach(() => {
  life.abort();
  document.body.replaceChildren();
  for (const { style } of [document.documentElement, document.body]) style.cssText = "";
  vi.useRealTimers();
});

/** A view whose own ink is `own`, in the shadow of an element on a page. */
function shown(page: string, around = "", own = "") {
  document.body.style.cssText = page;
  const host = document.createElement("div");
  host.style.cssText = around;
  const root = document.createElement("div");
  root.style.cssText = own;
  host.attachShadow({ mode: "open" }).append(root);
  document.body.append(host);
  return { root, ramp: watchTheme(root, life.signal) };
}

it.each([
  [`background-color: rgb(17, 34, 51); color: ${BLACK}`, "", "dark"],
  [`background-color: ${WHITE}; color: ${WHITE}`, "", "light"],
  [`background-color: ${WHITE}`, `background-color: ${BLACK}`, "dark"],
  [`background-color: ${BLACK}`, `color: ${WHITE}; background-color: ${WHITE}`, "light"],
])("on a page %s, around the view %j, it is what lies under it that counts", (page, around, theme) => {
  expect(shown(page, around).root.dataset.swTheme).toBe(theme);
});

it.each([
  ["no ink", "", "", "", "light"],
  ["white ink", `color: ${WHITE}`, "", "", "dark"],
  ["black ink", `color: ${BLACK}`, "", "", "light"],
  ["the nearest ink", `color: ${BLACK}`, `color: ${WHITE}`, "", "dark"],
  ["not the view's own ink", `color: ${BLACK}`, "", `color: ${WHITE}`, "light"],
])("where nothing lies under it, %s tells", (_, page, around, own, theme) => {
  expect(shown(page, around, own).root.dataset.swTheme).toBe(theme);
});

it.each(["class", "style", "theme", "data-theme", "data-jp-theme-light", "data-jp-theme-name"])(
  "another %s of the page may be another theme, also where its style sheet is late",
  async (name) => {
    const { root, ramp } = shown(`background-color: ${WHITE}`);
    const before = ramp.value;
    vi.advanceTimersByTime(1000); // it looks of itself once the page is there
    document.documentElement.setAttribute(name, "other");
    await Promise.resolve();
    vi.advanceTimersByTime(100);
    vi.spyOn(window, "getComputedStyle").mockReturnValue({ backgroundColor: BLACK, color: WHITE } as never);
    vi.advanceTimersByTime(300);
    vi.restoreAllMocks();
    expect([root.dataset.swTheme, ramp.value.dark, before.dark]).toEqual(["dark", true, false]);
  },
);
