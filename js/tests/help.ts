/** A kernel of two spies, and the messages of a small text. */

import { afterEach, beforeEach, vi } from "vitest";
import { PLAIN_MAP } from "../dev/plain-map";
import {
  type DocumentBegins,
  type MapBegins,
  PROTOCOL,
  type Role,
  type ToKernel,
  type WireSegment,
  type WireToken,
} from "../src/protocol";
import { createStore } from "../src/store";
import { connect, type Host } from "../src/transport";
import { mount } from "../src/views/widget";

export type Wire = Record<string, unknown>;
/** A message and, for a column, its scores. */
export type Said = [message: Wire, scores?: readonly number[] | undefined];

export class FakeModel implements Host {
  sent: ToKernel[] = [];
  saved = 0;
  connected = true;
  trait: unknown = null;
  extent = 1;
  private listeners = new Map<string, Set<(content: unknown, buffers?: readonly DataView[]) => void>>();

  view: unknown = null;

  get(name: "selection" | "extent" | "view"): unknown {
    return name === "selection" ? this.trait : name === "extent" ? this.extent : this.view;
  }
  set(name: "selection" | "extent", value: number | null): void {
    const old = this.get(name);
    if (name === "selection") this.trait = value;
    else this.extent = value ?? 1;
    if (old !== value) this.emit(`change:${name}`);
  }
  save_changes(): void {
    if (!this.connected) throw new Error("no comm");
    this.saved++;
  }
  send(content: ToKernel): void {
    if (!this.connected) throw new Error("no comm");
    this.sent.push(content);
  }
  on(name: string, callback: (content: unknown, buffers?: readonly DataView[]) => void): void {
    this.listeners.set(name, (this.listeners.get(name) ?? new Set()).add(callback));
  }
  off(name: string, callback: (content: unknown, buffers?: readonly DataView[]) => void): void {
    this.listeners.get(name)?.delete(callback);
  }
  emit(name: string, content?: unknown, buffers: DataView[] = []): void {
    for (const listener of [...(this.listeners.get(name) ?? [])]) listener(content, buffers);
  }
  /** A message from the kernel. */
  hear(message: Wire, ...buffers: (readonly number[] | undefined)[]): void {
    const given = buffers.filter((numbers) => numbers !== undefined);
    const views = given.map((numbers) => new DataView(Float32Array.from(numbers).buffer));
    this.emit("msg:custom", message, views);
  }
  /** The reply to what was asked last. */
  async reply(message: Wire, ...buffers: readonly number[][]): Promise<void> {
    const { request } = this.sent.findLast((one) => "request" in one) as { request: number };
    this.hear({ ...message, request }, ...buffers);
    await Promise.resolve();
  }
  listening(): number {
    return [...this.listeners.values()].reduce((n, set) => n + set.size, 0);
  }
}

export function token(text: string, more: Partial<WireToken> = {}): WireToken {
  return { id: 1, text, role: "prompt", span: null, word: 0, sentence: 0, segment: 0, part: null, ...more };
}

export function tokens(texts: readonly string[], firstTarget: number, roles: Record<number, Role> = {}): WireToken[] {
  return texts.map((text, i) =>
    token(text, { id: 10 + i, word: i, role: roles[i] ?? (i < firstTarget ? "prompt" : "generated") }),
  );
}

export const METHOD = {
  id: "saliency",
  label: "Gradient",
  family: "gradient",
  signed: false,
  uses_objective: true,
  objective: null,
  unit: "gradient norm",
  cost: "one backward pass per target",
  says: "Darker: changing this {word} would change {target} more.",
  reads: "How much the objective moves.",
  caveats: [],
  reference: "",
  reason: null,
  seconds: null,
};

export const TEXT = ["The", " first", " president", " was", " George", " Washington", ".", " He"];
export const FIRST = 5;
const NAN = Number.NaN;
/** Columns of TEXT: what " Washington", "." and " He" can see. */
export const COLUMNS = [
  [0.1, 0.2, 0.3, 0.0, 0.4, NAN, NAN],
  [1, 1, 1, 1, 1, 1, NAN],
  [0, 0, 0, 0, 0, 0, 4],
];

export function conversation(
  texts: readonly string[] = TEXT,
  first = FIRST,
  columns: readonly number[][] = COLUMNS,
): Said[] {
  return about(tokens(texts, first), first, columns);
}

/** A text begins. */
export function documentOf(doc: number, first_target: number, more: Partial<DocumentBegins> = {}): DocumentBegins {
  const about = {
    model: "tiny",
    device: "cpu",
    dtype: "float32",
    editable: null,
    code: null,
    raw: false,
    alive: true,
    beside: [],
  };
  return { type: "document", doc, first_target, ...about, ...more };
}

/** A map begins: of TEXT, if nothing else is said. */
export function mapOf(map: string, more: Partial<MapBegins> = {}): MapBegins {
  return { ...PLAIN_MAP, map, n_rows: TEXT.length - 1, n_cols: TEXT.length - FIRST, ...more };
}

/** All there is to say of a list of tokens. */
export function about(
  list: readonly WireToken[],
  first: number,
  columns: readonly number[][],
  { segments = [], probabilities = [] }: { segments?: WireSegment[]; probabilities?: number[] } = {},
): Said[] {
  const nCols = list.length - first;
  const classes = list[first]?.role === "class";
  const nRows = classes ? first : list.length - 1;
  return [
    [{ type: "hello", protocol: PROTOCOL, session: "s", hover: 'say("</script><!-- the end? -->");' }],
    [documentOf(1, first)],
    [{ type: "tokens", doc: 1, start: 0, tokens: list, segments }],
    [
      {
        type: "menu",
        methods: [
          METHOD,
          { ...METHOD, id: "attention", label: "Attention", uses_objective: false },
          { ...METHOD, id: "occlusion", label: "Occlusion", signed: true },
          { ...METHOD, id: "attnlrp", label: "AttnLRP", reason: "No rule for this model." },
          { ...METHOD, id: "random", label: "Random" },
        ],
        objectives: [
          { id: "probability", label: "probability", means: "how likely it was" },
          { id: "logit", label: "logit", means: "its score" },
        ],
      },
    ],
    [
      {
        type: "steps",
        doc: 1,
        start: 0,
        steps: Array.from({ length: nCols }, (_, col) => ({
          probability: probabilities[col] ?? 0.796 / (col + 1),
          value: null,
          alternatives: classes
            ? []
            : [
                { id: 10 + first + col, text: list[first + col]?.text, probability: 0.796 },
                { id: 3, text: " W", probability: 0.088 },
              ],
        })),
      },
    ],
    [mapOf("m1", { n_rows: nRows, n_cols: nCols })],
    ...columns.map(
      (scores, col): Said => [
        { type: "column", floor: null, n_cols: 1, map: "m1", seq: col + 1, col, n_rows: nRows },
        scores,
      ],
    ),
  ];
}

export function started(messages: readonly Said[] = conversation()) {
  const model = new FakeModel();
  const store = createStore();
  const life = new AbortController();
  const wire = connect(model, store, life.signal);
  for (const [message, scores] of messages) model.hear(message, scores);
  return { model, store, ...wire, life };
}

export function mounted(messages?: readonly Said[]) {
  const world = started(messages);
  const el = document.createElement("div");
  document.body.replaceChildren(el);
  mount({ ...world, signal: world.life.signal, el });
  const box = (i: number) => {
    const found = el.querySelector<HTMLElement>(`.sw-token[data-position="${i}"]`);
    if (found === null) throw new Error(`no token ${i}`);
    return found;
  };
  return { ...world, el, box };
}

/** For a file of tests: `mounted`, with timers that wait to be told, and gone after each test. */
export function viewing() {
  let world: ReturnType<typeof mounted> | null = null;
  beforeEach(() => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
  });
  afterEach(() => {
    world?.life.abort();
    vi.useRealTimers();
    vi.restoreAllMocks();
  });
  return (messages?: readonly Said[]) => {
    world?.life.abort();
    world = mounted(messages);
    return world;
  };
}

/** What stands in the elements, on one line each. */
export function texts(el: Element, query: string): (string | undefined)[] {
  return [...el.querySelectorAll(query)].map((found) => found.textContent?.replace(/\s+/g, " ").trim());
}

export function over(element: Element): void {
  element.dispatchEvent(new PointerEvent("pointerover", { bubbles: true, composed: true }));
}

export function press(element: Element, key: string, more: KeyboardEventInit = {}): KeyboardEvent {
  const event = new KeyboardEvent("keydown", { key, bubbles: true, composed: true, cancelable: true, ...more });
  element.dispatchEvent(event);
  return event;
}
