import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { rested } from "../src/views/dom";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("what waits for a rest is done once, and not after the view has ended", () => {
  const life = new AbortController();
  const act = vi.fn();
  const soon = rested(life.signal, 100, act);
  soon();
  vi.advanceTimersByTime(99);
  soon();
  vi.advanceTimersByTime(99);
  expect(act).not.toHaveBeenCalled();
  vi.advanceTimersByTime(200);
  expect(act).toHaveBeenCalledTimes(1);
  soon();
  life.abort();
  soon();
  vi.advanceTimersByTime(200);
  expect(act).toHaveBeenCalledTimes(1);
});
