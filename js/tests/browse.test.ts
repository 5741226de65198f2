import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import browse from "../src/browse";

type Message = { type: string; request: number; start: number; search: string; sort?: string; descending?: boolean };

/** A kernel with 1,000 texts, of which it says each row's place, id and probability. */
class Kernel {
  readonly sent: Message[] = [];
  gone = false;
  readonly traits: Record<string, unknown> = {
    columns: [
      { name: "id", label: "id", number: false },
      { name: "probability", label: "p", number: true },
    ],
    n: 1000,
    name: "saliency of tiny",
    chosen: null,
  };
  private readonly heard = new Map<string, (content?: unknown) => void>();

  get = (name: string) => this.traits[name];
  set = (name: string, value: unknown) => {
    this.traits[name] = value;
    this.heard.get(`change:${name}`)?.();
  };
  save_changes = () => {
    if (this.gone) throw new Error("no kernel");
  };
  send = (message: Message) => {
    if (this.gone) throw new Error("no kernel");
    this.sent.push(message);
  };
  on = (name: string, callback: (content?: unknown) => void) => void this.heard.set(name, callback);
  off = (name: string) => void this.heard.delete(name);

  /** Answers a question, by default the last one. */
  answer(asked = this.sent.at(-1) as Message, total = 1000): void {
    const rows = Array.from({ length: Math.min(50, total - asked.start) }, (_, i) => {
      const at = asked.descending ? 999 - asked.start - i : asked.start + i;
      return [at, `text ${at}`, at / 1000];
    });
    this.heard.get("msg:custom")?.({ type: "rows", request: asked.request, start: asked.start, total, rows });
  }
}

let kernel: Kernel;
let el: HTMLElement;
let end: AbortController;
const lines = () => [...el.querySelectorAll<HTMLElement>(".sw-run-rows [role=row]")];
const words = () => lines().map((line) => [...line.children].map((cell) => cell.textContent).join(" "));
const grid = () => el.querySelector("[role=grid]") as HTMLElement;
const press = (key: string) => grid().dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));

beforeEach(() => {
  vi.useFakeTimers();
  kernel = new Kernel();
  el = document.createElement("div");
  document.body.append(el);
  end = new AbortController();
  browse.render({ model: kernel, el, signal: end.signal } as unknown as Parameters<typeof browse.render>[0]);
});
afterEach(() => {
  end.abort();
  el.remove();
  vi.useRealTimers();
});

describe("the table of a run", () => {
  it("asks for the rows in sight alone, and shows them", () => {
    expect(kernel.sent).toEqual([{ type: "rows", request: 1, start: 0, count: 50, search: "" }]);
    kernel.answer();
    expect(words().slice(0, 2)).toEqual(["text 0 0", "text 1 0.00100"]);
    expect(lines().length).toBeLessThan(30);
    expect(el.querySelector("[role=status]")?.textContent?.trim()).toBe("1,000 texts");
  });

  it("asks for the next rows when they come into sight, once", () => {
    kernel.answer();
    Object.defineProperty(grid(), "scrollTop", { value: 60 * 28, writable: true });
    grid().dispatchEvent(new Event("scroll"));
    grid().dispatchEvent(new Event("scroll"));
    expect(kernel.sent.map(({ start }) => start)).toEqual([0, 50]);
    kernel.answer();
    expect(words()).toContain("text 60 0.0600");
  });

  it("has the kernel sort: numbers from the largest on, again from the smallest", () => {
    kernel.answer();
    const button = el.querySelectorAll<HTMLElement>("[role=columnheader] button")[1];
    button?.click();
    expect(kernel.sent.at(-1)).toMatchObject({ sort: "probability", descending: true, start: 0 });
    kernel.answer();
    expect(words()[0]).toBe("text 999 0.999");
    expect(el.querySelector("[aria-sort=descending]")?.textContent).toContain("p");
    button?.click();
    expect(kernel.sent.at(-1)).toMatchObject({ sort: "probability", descending: false });
  });

  it("searches after a rest, and does not look at what comes for an older question", () => {
    const first = kernel.sent[0] as Message;
    const box = el.querySelector("input") as HTMLInputElement;
    for (const typed of ["1", "12"]) {
      box.value = typed;
      box.dispatchEvent(new InputEvent("input", { bubbles: true }));
    }
    vi.runAllTimers();
    expect(kernel.sent.map(({ search }) => search)).toEqual(["", "12"]);
    kernel.answer(first);
    expect(words()[0]).toBe("… …");
    kernel.answer(kernel.sent.at(-1), 3);
    expect(words()).toHaveLength(3);
    expect(el.querySelector("[role=status]")?.textContent?.trim()).toBe("3 of 1,000 texts");
  });

  it("says which text is clicked, by its place in the run, and marks it", () => {
    kernel.answer();
    lines()[3]?.click();
    expect(kernel.traits.chosen).toBe(3);
    expect(
      lines().filter((line) => line.ariaSelected === "true" || line.getAttribute("aria-selected") === "true"),
    ).toHaveLength(1);
  });

  it("can be walked through by the keyboard, which the host does not hear", () => {
    kernel.answer();
    const heard = vi.fn();
    document.body.addEventListener("keydown", heard);
    press("ArrowDown");
    press("ArrowDown");
    press("ArrowUp");
    press("Enter");
    document.body.removeEventListener("keydown", heard);
    expect(kernel.traits.chosen).toBe(1);
    expect(heard).not.toHaveBeenCalled();
    expect(grid().getAttribute("aria-activedescendant")).toBe(lines()[1]?.id);
  });

  it("keeps what it has when the kernel is gone", () => {
    kernel.answer();
    kernel.gone = true;
    const before = words();
    lines()[2]?.click();
    Object.defineProperty(grid(), "scrollTop", { value: 60 * 28, writable: true });
    grid().dispatchEvent(new Event("scroll"));
    Object.defineProperty(grid(), "scrollTop", { value: 0, writable: true });
    grid().dispatchEvent(new Event("scroll"));
    expect(words()).toEqual(before);
  });
});
