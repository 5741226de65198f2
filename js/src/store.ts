/**
 * What the page knows: one store a widget model, shared by all its views. Signals that the kernel fills (`receive`), a
 * few that the reader's mouse and keys fill (`selection`, `hover…`, `asked`), and values derived from both. What only
 * one view needs (open drawers, scroll) stays in that view. `selection` is the one signal that Python sees, as a trait.
 */

import { batch, computed, type ReadonlySignal, type Signal, signal } from "@preact/signals-core";
import { type Piece, toPieces } from "./pieces";
import {
  type Answer,
  type Column,
  type Comparison,
  type DocumentBegins,
  type Explainers,
  type Failed,
  type MapBegins,
  type Menu,
  PROTOCOL,
  ProtocolError,
  type Status,
  type ToPage,
  type WireMethod,
  type WireSegment,
  type WireStep,
  type WireToken,
} from "./protocol";
import { shareOf, statsOf, topRows } from "./scores";

/** A matrix that fills up. `done` counts its columns; reading it is how a derived value learns of a new one. */
export type MapData = { info: MapBegins; columns: (Float32Array | undefined)[]; done: Signal<number> };

/** The column on show: that of the target under the mouse, else of the pinned one, else of the first (the likeliest class). */
export type Shown = { col: number; token: number; scores: Float32Array | null };

/** What the tokens are: one text; a source and the text written about it; or a text and its classes. */
export type Kind = "text" | "pair" | "classes";

export type Asked = { method: string; objective: string };

export type Store = ReturnType<typeof createStore>;

const RUNNING: ReadonlySet<string> = new Set(["loading", "waiting", "generating", "attributing", "explaining"]);
/** The kernel has heard the question, or is a new one that never will. */
const SIGNS_OF_AN_ANSWER: ReadonlySet<string> = new Set(["hello", "status", "failed", "answer", "comparison"]);
const IDLE: Status = { type: "status", phase: "idle", what: "", done: 0, total: null, unit: "", seconds_left: null };

export function createStore() {
  let session: string | null = null;
  let agreed = true; // until the versions agree nothing can be trusted to mean what it says

  const document = signal<DocumentBegins | null>(null);
  const tokens = signal<readonly WireToken[]>([]);
  const segments = signal<readonly WireSegment[]>([]);
  const steps = signal<readonly (WireStep | undefined)[]>([]);
  const menu = signal<Menu | null>(null);
  const maps = signal<ReadonlyMap<string, MapData>>(new Map());
  const mapId = signal<string | null>(null);
  const status = signal<Status>(IDLE);
  const failure = signal<Failed | null>(null);
  const explainers = signal<Explainers | null>(null);
  /** By id, the first asked first. */
  const answers = signal<readonly Answer[]>([]);
  const comparison = signal<Comparison | null>(null);
  /** Why nothing can be shown: another version, an unreadable message, no kernel. */
  const notice = signal<string | null>(null);

  /** The pinned target column. */
  const selection = signal<number | null>(null);
  /** The target under the mouse or the keyboard. */
  const hoverCol = signal<number | null>(null);
  /** The input under the mouse. */
  const hoverRow = signal<number | null>(null);
  /** What the reader asked for and the kernel has not begun to show yet. */
  const asked = signal<Asked | null>(null);
  /** The reader asked an LLM, and the kernel has not said a word of it yet. */
  const wantsAnswer = signal(false);

  let cut: { tokens: readonly WireToken[]; pieces: readonly Piece[] } = { tokens: [], pieces: [] };
  const pieces: ReadonlySignal<readonly Piece[]> = computed(() => {
    cut = { tokens: tokens.value, pieces: toPieces(tokens.value, cut) };
    return cut.pieces;
  });
  const firstTarget = computed(() => document.value?.first_target ?? 0);
  const nTargets = computed(() => (document.value === null ? 0 : Math.max(0, tokens.value.length - firstTarget.value)));
  /** Where the text begins that was written about a source, or null where there is none. */
  const targetStart = computed(() => segments.value.find(({ kind }) => kind === "target")?.start ?? null);
  const kind = computed<Kind>(() => {
    if (tokens.value[firstTarget.value]?.role === "class") return "classes";
    return targetStart.value === null ? "text" : "pair";
  });
  /** What tokens of the role "special" are called: a chat's template, or what a model puts around any text. */
  const specialName = computed(() => (kind.value === "text" ? "template" : "special"));
  const running = computed(() => RUNNING.has(status.value.phase));
  /** An LLM is being asked, or about to be: one at a time. */
  const explaining = computed(
    () => wantsAnswer.value || status.value.phase === "explaining" || answers.value.some(isUnderWay),
  );

  const map = computed(() => {
    const found = mapId.value === null ? undefined : maps.value.get(mapId.value);
    return found !== undefined && found.info.doc === document.value?.doc ? found : null;
  });
  const method = computed<WireMethod | null>(() => {
    const id = map.value?.info.method;
    return menu.value?.methods.find((card) => card.id === id) ?? null;
  });
  const signed = computed(() => method.value?.signed ?? false);

  const pinned = computed(() => inRange(selection.value, nTargets.value));
  /** The column to look at before anything is chosen: a text is read from its first word, of classes the likeliest counts. */
  const atRest = computed(() => {
    if (nTargets.value === 0) return null;
    return kind.value === "classes" ? likeliest(steps.value.slice(0, nTargets.value)) : 0;
  });
  const target = computed(() => inRange(hoverCol.value, nTargets.value) ?? pinned.value ?? atRest.value);

  /** The scores of one column of the map on show, or null while they are not there. */
  function column(col: number): Float32Array | null {
    const current = map.value;
    if (current === null || current.done.value === 0) return null;
    return current.columns[col] ?? null;
  }
  const scores = computed(() => (target.value === null ? null : column(target.value)));
  const shown = computed<Shown | null>(() =>
    target.value === null ? null : { col: target.value, token: firstTarget.value + target.value, scores: scores.value },
  );
  /** The largest |share| of the column on show: its colour domain. */
  const domain = computed(() => (scores.value === null ? 0 : statsOf(scores.value).max));
  const top = computed(() => (scores.value === null ? [] : topRows(scores.value, 3)));
  /** How much of the column lies on tokens of the template, or null where there are none to see. */
  const templateShare = computed(() => {
    const current = scores.value;
    if (current === null) return null;
    const special = tokens.value.flatMap((token, row) => (token.role === "special" ? [shareOf(current, row)] : []));
    const seen = special.filter((share) => !Number.isNaN(share));
    return seen.length === 0 ? null : seen.reduce((sum, share) => sum + Math.abs(share), 0);
  });

  function forgetDocument(): void {
    tokens.value = [];
    segments.value = [];
    steps.value = [];
    maps.value = new Map();
    mapId.value = null;
    hoverCol.value = null;
    hoverRow.value = null;
    asked.value = null;
    failure.value = null;
  }

  function forgetSession(): void {
    document.value = null;
    menu.value = null;
    explainers.value = null;
    answers.value = [];
    comparison.value = null;
    wantsAnswer.value = false;
    status.value = IDLE;
    forgetDocument();
  }

  function addColumn({ map: id, col, n_rows, scores }: Column): void {
    const data = maps.value.get(id);
    if (data === undefined) return;
    if (n_rows !== data.info.n_rows || col >= data.info.n_cols)
      throw new ProtocolError(`column ${col} of ${n_rows} rows in a map of ${data.info.n_rows} × ${data.info.n_cols}`);
    const isNew = data.columns[col] === undefined;
    // Equal in a replay: keep the old array, so that nothing derived from it changes.
    if (isNew) {
      data.columns[col] = scores;
      data.done.value++;
    }
  }

  function beginMap(info: MapBegins): void {
    if (info.doc !== document.value?.doc) return;
    const old = maps.value.get(info.map);
    const keep = old !== undefined && old.info.n_rows === info.n_rows;
    const columns = keep ? old.columns.slice(0, info.n_cols) : [];
    const done = columns.reduce((n, scores) => n + (scores === undefined ? 0 : 1), 0);
    maps.value = new Map(maps.value).set(info.map, { info, columns, done: signal(done) });
    mapId.value = info.map;
    asked.value = null;
    failure.value = null;
  }

  function addAnswer(answer: Answer): void {
    const others = answers.value.filter(({ id }) => id !== answer.id);
    answers.value = [...others, answer].sort((a, b) => a.id - b.id);
  }

  /** What was said of one text stays when another begins; its words are not on the new one's maps. */
  function unmapAnswers(): void {
    answers.value = answers.value.map((answer) => (answer.mapped ? { ...answer, mapped: false } : answer));
  }

  function handle(message: ToPage): void {
    if (SIGNS_OF_AN_ANSWER.has(message.type)) wantsAnswer.value = false;
    switch (message.type) {
      case "hello":
        agreed = message.protocol === PROTOCOL;
        notice.value = agreed
          ? null
          : "This page was built for another version of saliency-widget: restart the kernel and reload the page.";
        if (message.session !== session) forgetSession();
        session = message.session;
        return;
      case "document":
        if (message.doc !== document.value?.doc) {
          forgetDocument();
          unmapAnswers();
        }
        document.value = message;
        return;
      case "tokens":
        if (message.doc !== document.value?.doc) return;
        tokens.value = [...tokens.value.slice(0, message.start), ...message.tokens];
        segments.value = message.segments;
        return;
      case "steps": {
        if (message.doc !== document.value?.doc) return;
        const next = steps.value.slice();
        for (const [i, step] of message.steps.entries()) next[message.start + i] = step;
        steps.value = next;
        return;
      }
      case "menu":
        menu.value = message;
        return;
      case "map":
        beginMap(message);
        return;
      case "column":
        addColumn(message);
        return;
      case "status":
        status.value = message;
        if (RUNNING.has(message.phase)) failure.value = null;
        return;
      case "failed":
        failure.value = message;
        asked.value = null;
        return;
      case "explainers":
        explainers.value = message;
        return;
      case "answer":
        addAnswer(message);
        return;
      case "comparison":
        comparison.value = message;
        return;
      default:
        message satisfies never;
    }
  }

  /** Take in one message. The views see all that it changes at once. */
  function receive(message: ToPage): void {
    if (agreed || message.type === "hello") batch(() => handle(message));
  }

  /** The reader chose a map. If it is here, whole, it is shown at once; the kernel is told in any case. */
  function ask(method: string, objective: string): void {
    batch(() => {
      failure.value = null;
      const usesObjective = menu.value?.methods.find((card) => card.id === method)?.uses_objective ?? true;
      // The newest first: of what was said there may be several.
      for (const { info, done } of [...maps.value.values()].reverse()) {
        const same = info.method === method && (!usesObjective || info.objective === objective);
        if (!same || info.doc !== document.value?.doc || done.value < info.n_cols) continue;
        mapId.value = info.map;
        asked.value = null;
        return;
      }
      asked.value = { method, objective };
    });
  }

  /** The reader asked an LLM. What went wrong before is no longer of interest. */
  function explain(): void {
    batch(() => {
      failure.value = null;
      wantsAnswer.value = true;
    });
  }

  /** Pins a target column, or lets it go if it was pinned. */
  function pin(col: number): void {
    selection.value = selection.value === col ? null : col;
  }

  return {
    document,
    tokens,
    segments,
    steps,
    menu,
    maps,
    status,
    failure,
    explainers,
    answers,
    comparison,
    notice,
    selection,
    hoverCol,
    hoverRow,
    asked,
    pieces,
    firstTarget,
    nTargets,
    targetStart,
    kind,
    specialName,
    running,
    explaining,
    map,
    method,
    signed,
    pinned,
    atRest,
    target,
    column,
    shown,
    domain,
    top,
    templateShare,
    receive,
    ask,
    explain,
    pin,
  };
}

/** The first of the largest probabilities; 0 while none is known. */
function likeliest(steps: readonly (WireStep | undefined)[]): number {
  const probabilities = Array.from(steps, (step) => step?.probability ?? Number.NEGATIVE_INFINITY);
  return Math.max(0, probabilities.indexOf(Math.max(...probabilities)));
}

function inRange(value: number | null, n: number): number | null {
  return value !== null && value >= 0 && value < n ? value : null;
}

export function isUnderWay({ state }: Answer): boolean {
  return state === "waiting" || state === "writing";
}
