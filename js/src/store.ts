/**
 * The store: one for each widget model, shared by all its views. It holds the state that the kernel sends (`receive`)
 * and the reader's questions to the kernel; the reader's choices are in reading.ts. State of one view only (open
 * drawers, scroll) stays in that view.
 */

import { batch, computed, type ReadonlySignal, signal } from "@preact/signals-core";
import { isUnderWay, withAnswer, withoutMap } from "./answers";
import { begun, isWhole, type MapData, withColumn } from "./map";
import { type Piece, toPieces } from "./pieces";
import {
  type Answer,
  type Column,
  type Comparison,
  type DocumentBegins,
  type Evaluation,
  type Exhibited,
  type Explainers,
  type Failed,
  type MapBegins,
  type Menu,
  PROTOCOL,
  type Rest,
  type Sanity,
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
import { type Asked, type Beside, createQuestions } from "./questions";
import { createReading } from "./reading";

export { isUnderWay } from "./answers";
export type { Look } from "./looks";
export type { MapData, Measure } from "./map";
export type { Asked, Beside } from "./questions";
export type { Shown } from "./reading";
export type { Kind } from "./text";

export type Store = ReturnType<typeof createStore>;

const RUNNING: ReadonlySet<string> = new Set(["loading", "waiting", "generating", "attributing", "explaining"]);
/** Messages after which the kernel has received a question, or is a new one that never will. */
const SIGNS_OF_AN_ANSWER: ReadonlySet<string> = new Set(["hello", "status", "failed", "answer", "comparison"]);
const PAGE_IS_OLDER =
  "This page is of an older build of saliency-widget than the kernel: save the notebook, reload the page and run the cell again.";
const KERNEL_IS_OLDER =
  "The kernel runs an older build of saliency-widget than this page: restart the kernel and run the cell again.";
const IDLE: Status = { type: "status", phase: "idle", what: "", done: 0, total: null, unit: "", seconds_left: null };

export function createStore() {
  let session: string | null = null;
  /** The script of the HTML that the page saves. */
  const hover = signal("");
  let agreed = true; // whether kernel and page have one protocol version; otherwise messages are ignored

  const document = signal<DocumentBegins | null>(null);
  const tokens = signal<readonly WireToken[]>([]);
  const segments = signal<readonly WireSegment[]>([]);
  const steps = signal<readonly (WireStep | undefined)[]>([]);
  /** Holds what makes the text that of two finished maps. */
  const exhibited = signal<Exhibited | null>(null);
  const menu = signal<Menu | null>(null);
  const maps = signal<ReadonlyMap<string, MapData>>(new Map());
  /** The notes of each map's method. */
  const notes = signal<ReadonlyMap<string, readonly WireNote[]>>(new Map());
  const rests = signal<ReadonlyMap<string, Rest>>(new Map());
  const mapId = signal<string | null>(null);
  /** The map that was on show before this one. */
  const before = signal<MapData | null>(null);
  const status = signal<Status>(IDLE);
  const failure = signal<Failed | null>(null);
  const explainers = signal<Explainers | null>(null);
  /** The answers by id, in the order of their questions. */
  const answers = signal<readonly Answer[]>([]);
  const comparison = signal<Comparison | null>(null);
  /** The evaluations of maps, by the key of their target. */
  const evaluations = signal<ReadonlyMap<string, Evaluation>>(new Map());
  /** The sanity of maps, by the key of their target. */
  const sanities = signal<ReadonlyMap<string, Sanity>>(new Map());
  const trail = signal<Trail | null>(null);
  const whatIf = signal<WhatIf | null>(null);
  /** The reason why the page shows no map: another version, an unreadable message, no kernel. */
  const notice = signal<string | null>(null);

  /** The question for which the kernel has not begun a map. */
  const asked = signal<Asked | null>(null);
  /** Tells whether the reader asked an LLM and the kernel has not confirmed it yet. */
  const wantsAnswer = signal(false);
  /** The maps that the reader has put side by side. */
  const beside = signal<readonly Beside[]>([]);

  let cut: { tokens: readonly WireToken[]; pieces: readonly Piece[] } = { tokens: [], pieces: [] };
  const pieces: ReadonlySignal<readonly Piece[]> = computed(() => {
    cut = { tokens: tokens.value, pieces: toPieces(tokens.value, cut) };
    return cut.pieces;
  });
  const running = computed(() => RUNNING.has(status.value.phase));
  /** Tells whether there is a model: without one the page offers nothing that needs one. */
  const alive = computed(() => document.value?.alive !== false);
  /** Tells whether the model gives raw scores and no probabilities, as in regression. */
  const raw = computed(() => document.value?.raw === true);
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
  /** A map that is looked at in passing: the text shows it in place of the one on show. */
  const glimpse = signal<MapData | null>(null);
  const seen = computed(() => (glimpse.value?.info.doc === document.value?.doc ? glimpse.value : null) ?? map.value);
  /** A map's method says whether it has signs; a difference has. */
  function isSigned({ info, difference }: MapData): boolean {
    return difference !== undefined || methodCalled(info.method)?.signed === true;
  }
  const reading = createReading({ document, tokens, segments, steps, exhibited, map: seen, isSigned });
  /** The map that colours the text: the map on show, or the one before it until the targets on show have their colours. */
  const painted = computed(() => {
    const [now, old, cols] = [seen.value, before.value, reading.targetCols.value];
    if (now !== map.value) return now;
    const waits = running.value && cols !== null && reading.inputs.value === null;
    if (!waits || old?.info.doc !== document.value?.doc || reading.unitScores(now, cols) !== null) return now;
    return reading.unitScores(old, cols) === null ? now : old;
  });
  /** Tells whether the colours are not those of the map that was asked for. */
  const isFaded = computed(() => painted.value !== seen.value || (asked.value !== null && running.value));
  const questions = createQuestions({ maps, doc: computed(() => document.value?.doc), usesObjective });
  const { answerTo, mapBeside, questionOf } = questions;

  function forgetDocument(): void {
    tokens.value = [];
    segments.value = [];
    steps.value = [];
    exhibited.value = null;
    maps.value = new Map();
    notes.value = new Map();
    rests.value = new Map();
    mapId.value = null;
    before.value = null;
    asked.value = null;
    failure.value = null;
    whatIf.value = null;
    evaluations.value = new Map();
    sanities.value = new Map();
    questions.forget();
    beside.value = beside.value.filter(({ map }) => map === undefined); // methods can be asked for any text
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

  function addColumn(column: Column): void {
    const known = maps.value.get(column.map);
    const next = known && withColumn(known, column);
    if (next !== undefined && next !== known) maps.value = new Map(maps.value).set(column.map, next);
  }

  /** A difference from the kernel is computed here like those of this page, so that all agree. */
  function differenceIn({ method }: MapBegins): Pick<MapData, "difference"> {
    const [a, b] = (document.value?.beside ?? []).map((side) => mapBeside({ method: side, objective: "" }));
    return methodCalled(method)?.family === "difference" && a && b ? { difference: [a, b] } : {};
  }

  function beginMap(info: MapBegins): void {
    if (info.doc !== document.value?.doc) return;
    const old = maps.value.get(info.map);
    maps.value = new Map(maps.value).set(info.map, { ...begun(info, old), ...differenceIn(info) });
    if (info.aside) return;
    if (info.map !== mapId.value) before.value = map.value;
    else if (asked.value !== null && (asked.value.method !== info.method || (asked.value.hop ?? 0) !== info.hop))
      return; // the map grew; the requested one is still to come
    if (asked.value !== null) questions.led(asked.value, info.map);
    mapId.value = info.map;
    asked.value = null;
    failure.value = null;
  }

  function handle(message: ToPage): void {
    if (SIGNS_OF_AN_ANSWER.has(message.type)) wantsAnswer.value = false;
    switch (message.type) {
      case "hello":
        agreed = message.protocol === PROTOCOL;
        notice.value = agreed ? null : message.protocol > PROTOCOL ? PAGE_IS_OLDER : KERNEL_IS_OLDER;
        if (message.session !== session) forgetSession();
        session = message.session;
        hover.value = message.hover;
        return;
      case "document":
        if (message.doc !== document.value?.doc) {
          forgetDocument();
          answers.value = answers.value.map(withoutMap);
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
      case "exhibited":
        if (message.doc === document.value?.doc) exhibited.value = message;
        return;
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
      case "rest":
        if (maps.value.has(message.map)) rests.value = new Map(rests.value).set(message.map, message);
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
        answers.value = withAnswer(answers.value, message);
        return;
      case "comparison":
        comparison.value = message;
        return;
      case "evaluation":
        if (message.doc === document.value?.doc)
          evaluations.value = new Map(evaluations.value).set(message.key, message);
        return;
      case "sanity":
        if (message.doc === document.value?.doc) sanities.value = new Map(sanities.value).set(message.key, message);
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

  /** Updates the state by one message, in one batch, so that views see all changes at once. */
  function receive(message: ToPage): void {
    if (agreed || message.type === "hello") batch(() => handle(message));
  }

  /** Tells whether the last task was stopped or failed, so that what is not here does not come by itself. */
  const isOver = computed(() => status.value.phase === "cancelled" || failure.value !== null);
  /** Follows the entry of a table for the target that is pinned, or on show at first; null without one. */
  const ofTarget = <T>(known: ReadonlySignal<ReadonlyMap<string, T>>) =>
    computed(() => {
      const { value: cols } = reading.restCols;
      return cols === null ? null : (known.value.get(`${cols.start}-${cols.end - 1}`) ?? null);
    });
  const [evaluation, sanity] = [ofTarget(evaluations), ofTarget(sanities)];
  /** Returns the name of the target for which every judged map of a method is no better than chance, or null. */
  function atChance(method: string): string | null {
    const own = evaluation.value?.maps.filter((map) => map.method === method) ?? [];
    return own.length > 0 && own.every((map) => map.is_chance) ? (evaluation.value?.target ?? null) : null;
  }

  /** The columns of the map on show that rest until they are asked for, or null. */
  const rest = computed(() => {
    const { value: now } = map;
    return now === null || isWhole(now) ? null : (rests.value.get(now.info.map) ?? null);
  });

  function usesObjective(method: string): boolean {
    return methodCalled(method)?.uses_objective ?? true;
  }

  /** Asks for a map. A complete map is shown at once; the kernel is told in any case. */
  function ask(question: Asked): void {
    batch(() => {
      failure.value = null;
      const found = answerTo(question);
      if (found !== null) mapId.value = found.info.map;
      asked.value = found === null ? question : null;
    });
  }

  /**
   * Ends the question and the running task, because the kernel does not answer.
   */
  function giveUp(why: Omit<Failed, "type">): void {
    batch(() => {
      handle({ type: "failed", ...why });
      status.value = IDLE;
      answers.value = answers.value.map((answer) => (isUnderWay(answer) ? { ...answer, state: "cancelled" } : answer));
    });
  }

  /** Stores the effect of a tried change; without a change, clears the last one. */
  function tried(reply: WhatIf): void {
    if (reply.doc === document.value?.doc) whatIf.value = reply.before.length > 0 ? reply : null;
  }

  /** Clears the last error, because the reader asked an LLM. */
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
    exhibited,
    menu,
    maps,
    notes,
    rest,
    status,
    failure,
    isOver,
    explainers,
    answers,
    comparison,
    evaluation,
    sanity,
    atChance,
    trail,
    whatIf,
    notice,
    hover,
    asked,
    pieces,
    running,
    alive,
    raw,
    explaining,
    map,
    glimpse,
    seen,
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
    answerTo,
    giveUp,
    tried,
    explain,
  };
}
