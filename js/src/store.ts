/**
 * What the page knows: one store a widget model, shared by all its views. Here is what the kernel fills (`receive`) and
 * what the reader asks of it; how the reader looks at it is in reading.ts. What only one view needs (open drawers,
 * scroll) stays in that view.
 */

import { batch, computed, type ReadonlySignal, signal } from "@preact/signals-core";
import { isWhole, type MapData } from "./map";
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
  type Trail,
  type WhatIf,
  type WireMethod,
  type WireNote,
  type WireSegment,
  type WireStep,
  type WireToken,
} from "./protocol";
import { createReading } from "./reading";
import { isSame, withRows } from "./scores";

export type { Look } from "./looks";
export type { MapData, Measure } from "./map";
export type { Kind, Shown } from "./reading";

/** A question to the kernel. `foil`: the id of a token that the target is set against; `col`: the only column asked for. */
export type Asked = {
  method: string;
  objective: string;
  settings?: Record<string, unknown>;
  foil?: number;
  col?: number;
};

/** A map beside others: the newest one that answers a question, or, by its id, one that is there already. */
export type Beside = Pick<Asked, "method" | "objective"> & { map?: string };

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
  /** By map, the notes of its method. */
  const notes = signal<ReadonlyMap<string, readonly WireNote[]>>(new Map());
  const mapId = signal<string | null>(null);
  /** The map that was on show before this one. */
  const before = signal<MapData | null>(null);
  const status = signal<Status>(IDLE);
  const failure = signal<Failed | null>(null);
  const explainers = signal<Explainers | null>(null);
  /** The answers by id, in the order of their questions. */
  const answers = signal<readonly Answer[]>([]);
  const comparison = signal<Comparison | null>(null);
  const trail = signal<Trail | null>(null);
  const whatIf = signal<WhatIf | null>(null);
  /** Why the page shows no map: another version, an unreadable message, no kernel. */
  const notice = signal<string | null>(null);

  /** The question that the kernel has not begun to answer. */
  const asked = signal<Asked | null>(null);
  /** The reader asked an LLM, and the kernel has not said a word of it yet. */
  const wantsAnswer = signal(false);
  /** The maps that the reader has put side by side. */
  const beside = signal<readonly Beside[]>([]);

  let cut: { tokens: readonly WireToken[]; pieces: readonly Piece[] } = { tokens: [], pieces: [] };
  const pieces: ReadonlySignal<readonly Piece[]> = computed(() => {
    cut = { tokens: tokens.value, pieces: toPieces(tokens.value, cut) };
    return cut.pieces;
  });
  const running = computed(() => RUNNING.has(status.value.phase));
  /** Whether there is a model to ask: where there is none, nothing is offered that only a model can answer. */
  const alive = computed(() => document.value?.alive !== false);
  /** Whether the classes are outputs of a model that gives numbers and no probabilities, as a regression does. */
  const raw = computed(() => document.value?.raw === true);
  /** Whether a change of what was read can be tried: what it does is told in probabilities. */
  const canTry = computed(() => alive.value && !raw.value);
  /** An LLM is being asked, or about to be: one at a time. */
  const explaining = computed(
    () => wantsAnswer.value || status.value.phase === "explaining" || answers.value.some(isUnderWay),
  );

  const map = computed(() => {
    const found = mapId.value === null ? undefined : maps.value.get(mapId.value);
    return found !== undefined && found.info.doc === document.value?.doc ? found : null;
  });
  function methodCalled(id: string | undefined): WireMethod | undefined {
    return menu.value?.methods.find((card) => card.id === id);
  }
  const method = computed(() => methodCalled(map.value?.info.method) ?? null);
  /** A map's method says whether it has signs; a difference has. */
  function isSigned({ info, difference }: MapData): boolean {
    return difference !== undefined || methodCalled(info.method)?.signed === true;
  }
  const reading = createReading({ document, tokens, segments, steps, map, isSigned });
  /** What the text is coloured by: the map on show, or the one before it until the targets on show have their colours. */
  const painted = computed(() => {
    const [now, old, cols] = [map.value, before.value, reading.targetCols.value];
    const waits = running.value && cols !== null && reading.inputs.value === null;
    if (!waits || old?.info.doc !== document.value?.doc || reading.unitScores(now, cols) !== null) return now;
    return reading.unitScores(old, cols) === null ? now : old;
  });
  /** Whether the colours are not those of the map that was asked for. */
  const isFaded = computed(() => painted.value !== map.value || (asked.value !== null && running.value));
  /** The questions that led to maps, where they were asked on this page. */
  const questions = new Map<string, Asked>();

  function forgetDocument(): void {
    tokens.value = [];
    segments.value = [];
    steps.value = [];
    maps.value = new Map();
    notes.value = new Map();
    mapId.value = null;
    before.value = null;
    asked.value = null;
    failure.value = null;
    whatIf.value = null;
    questions.clear();
    beside.value = beside.value.filter(({ map }) => map === undefined); // the methods can be asked of any text
    reading.forgetChoices();
  }

  function forgetSession(): void {
    document.value = null;
    menu.value = null;
    explainers.value = null;
    answers.value = [];
    comparison.value = null;
    trail.value = null;
    wantsAnswer.value = false;
    beside.value = [];
    status.value = IDLE;
    forgetDocument();
  }

  function addColumn({ map: id, col, n_rows, scores, errors }: Column): void {
    const data = maps.value.get(id);
    if (data === undefined) return;
    const { info } = data;
    if (n_rows > info.n_rows || col >= info.n_cols)
      throw new ProtocolError(`column ${col} of ${n_rows} rows in a map of ${info.n_rows} × ${info.n_cols}`);
    const [own, ownErrors] = [withRows(scores, info.n_rows), errors && withRows(errors, info.n_rows)];
    const known = data.columns[col];
    // Equal in a replay: keep the old arrays, so that nothing derived from them changes.
    if (known && isSame(known, own) && isSame(data.errors[col] ?? null, ownErrors)) return;
    data.columns[col] = own;
    data.errors[col] = ownErrors;
    if (known === undefined) data.done.value++;
    else maps.value = new Map(maps.value).set(id, { ...data }); // another map: what is derived from the old one is not of it
  }

  /** A difference that the kernel tells is worked out like those of this page, so that all say the same. */
  function differenceIn({ method }: MapBegins): Pick<MapData, "difference"> {
    const [a, b] = (document.value?.beside ?? []).map((side) => mapBeside({ method: side, objective: "" }));
    return methodCalled(method)?.family === "difference" && a && b ? { difference: [a, b] } : {};
  }

  function beginMap(info: MapBegins): void {
    if (info.doc !== document.value?.doc) return;
    const old = maps.value.get(info.map);
    const keep = old !== undefined && old.info.n_rows <= info.n_rows; // more, where the text is still being written
    const columns = keep
      ? old.columns.slice(0, info.n_cols).map((scores) => scores && withRows(scores, info.n_rows))
      : [];
    const done = columns.reduce((n, scores) => n + (scores === undefined ? 0 : 1), 0);
    // Who holds the old one goes on to see what comes.
    const errors = keep ? old.errors.slice(0, info.n_cols).map((of) => of && withRows(of, info.n_rows)) : [];
    const isOfSize = keep && old.info.n_rows === info.n_rows && old.info.n_cols === info.n_cols;
    const same = isOfSize ? old : { columns, errors, done: signal(done) };
    maps.value = new Map(maps.value).set(info.map, { ...same, ...differenceIn(info), info });
    if (info.aside) return;
    if (info.map !== mapId.value) before.value = map.value;
    else if (asked.value !== null && asked.value.method !== info.method) return; // it grew; what was asked for is to come
    if (asked.value !== null) questions.set(info.map, asked.value);
    mapId.value = info.map;
    asked.value = null;
    failure.value = null;
  }

  function addAnswer(answer: Answer): void {
    const before = answers.value.find(({ id }) => id === answer.id);
    const { start } = answer;
    if ((before?.text.length ?? 0) < start) return; // its beginning comes once hello is heard
    const text = (before?.text ?? "").slice(0, start) + answer.text;
    const free = answer.free ?? before?.free ?? null; // once there, it stays
    const others = answers.value.filter((other) => other !== before);
    answers.value = [...others, { ...answer, text, free }].sort((a, b) => a.id - b.id);
  }

  /** Answers about one text stay when another begins; their scores are on none of its maps. */
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
          if (message.beside.length > 0) beside.value = message.beside.map((method) => ({ method, objective: "" }));
        }
        document.value = message;
        return;
      case "tokens":
        if (message.doc !== document.value?.doc) return;
        tokens.value = [...tokens.value.slice(0, message.start), ...message.tokens];
        segments.value = message.segments;
        reading.suit();
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
      case "notes":
        if (maps.value.has(message.map)) notes.value = new Map(notes.value).set(message.map, message.notes);
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
      case "trail":
        trail.value = message;
        return;
      case "heard":
      case "what_if": // replies go to the one who asked
      case "heads":
      case "unanswered":
        return;
      default:
        message satisfies never;
    }
  }

  /** Take in one message. The views see all that it changes at once. */
  function receive(message: ToPage): void {
    if (agreed || message.type === "hello") batch(() => handle(message));
  }

  function usesObjective(method: string): boolean {
    return methodCalled(method)?.uses_objective ?? true;
  }

  /** The maps that answer this question, whole or not, the newest first. An LLM may have several. */
  function answersTo(question: Asked): MapData[] {
    const same = ({ info }: MapData) => {
      const known = questions.get(info.map);
      return (
        info.doc === document.value?.doc &&
        info.method === question.method &&
        (!usesObjective(question.method) || info.objective === question.objective) &&
        JSON.stringify(known?.settings) === JSON.stringify(question.settings) &&
        known?.foil === question.foil &&
        (info.foil !== null) === (question.foil !== undefined) &&
        info.col === (question.col ?? null)
      );
    };
    return [...maps.value.values()].reverse().filter(same);
  }

  /** The newest whole map that answers this question, or null. */
  function answerTo(question: Asked): MapData | null {
    return answersTo(question).find(isWhole) ?? null;
  }

  /** The map that stands beside others, whole or not, or null. */
  function mapBeside({ map: id, ...question }: Beside): MapData | null {
    return (id === undefined ? answersTo(question)[0] : maps.value.get(id)) ?? null;
  }

  /** The reader chose a map. If it is here, whole, it is shown at once; the kernel is told in any case. */
  function ask(question: Asked): void {
    batch(() => {
      failure.value = null;
      const found = answerTo(question);
      if (found !== null) mapId.value = found.info.map;
      asked.value = found === null ? question : null;
    });
  }

  /** The question that the map on show answers, or null. */
  function questionOf({ info }: MapData): Asked {
    return questions.get(info.map) ?? { method: info.method, objective: info.objective };
  }

  /**
   * The kernel does not answer: the question will get no map, and the running task has ended, as far as the page can
   * tell.
   */
  function giveUp(why: Omit<Failed, "type">): void {
    batch(() => {
      handle({ type: "failed", ...why });
      status.value = IDLE;
      answers.value = answers.value.map((answer) => (isUnderWay(answer) ? { ...answer, state: "cancelled" } : answer));
    });
  }

  /** Takes in the effect of a change that the reader tried; without a change, clears the last. */
  function tried(reply: WhatIf): void {
    if (reply.doc === document.value?.doc) whatIf.value = reply.before.length > 0 ? reply : null;
  }

  /** The reader asked an LLM: clears the last error. */
  function explain(): void {
    batch(() => {
      failure.value = null;
      wantsAnswer.value = true;
    });
  }

  return {
    ...reading,
    document,
    tokens,
    segments,
    steps,
    menu,
    maps,
    notes,
    status,
    failure,
    explainers,
    answers,
    comparison,
    trail,
    whatIf,
    notice,
    asked,
    pieces,
    running,
    alive,
    raw,
    canTry,
    explaining,
    map,
    painted,
    isFaded,
    method,
    methodCalled,
    receive,
    ask,
    usesObjective,
    isSigned,
    beside,
    mapBeside,
    questionOf,
    giveUp,
    tried,
    explain,
  };
}

export function isUnderWay({ state }: Answer): boolean {
  return state === "waiting" || state === "writing";
}
