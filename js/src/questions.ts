/** The questions for maps: what was asked on this page, and which of the maps that are there answer a question. */

import type { ReadonlySignal } from "@preact/signals-core";
import { isWhole, type MapData } from "./map";

/** A question to the kernel. `foil`: the token id of a foil; `col`: the only column to compute; `hop`: the step back. */
export type Asked = {
  method: string;
  objective: string;
  settings?: Record<string, unknown>;
  foil?: number;
  col?: number;
  hop?: number;
};

/** A map beside others: the newest map that answers a question, or an existing one by its id. */
export type Beside = Pick<Asked, "method" | "objective"> & { map?: string };

export type Known = {
  /** The maps by id, in the order in which they began. */
  maps: ReadonlySignal<ReadonlyMap<string, MapData>>;
  /** The number of the text on show. */
  doc: ReadonlySignal<number | undefined>;
  usesObjective: (method: string) => boolean;
};

export function createQuestions({ maps, doc, usesObjective }: Known) {
  /** The questions that led to maps, where they were asked on this page. */
  const questions = new Map<string, Asked>();

  /** Returns the maps that answer this question, complete or not, the newest first. An LLM may have several. */
  function answersTo(question: Asked): MapData[] {
    const same = ({ info }: MapData) => {
      const known = questions.get(info.map);
      return (
        info.doc === doc.value &&
        info.method === question.method &&
        (!usesObjective(question.method) || info.objective === question.objective) &&
        JSON.stringify(known?.settings) === JSON.stringify(question.settings) &&
        known?.foil === question.foil &&
        (info.foil !== null) === (question.foil !== undefined) &&
        info.col === (question.col ?? null) &&
        info.hop === (question.hop ?? 0)
      );
    };
    return [...maps.value.values()].reverse().filter(same);
  }

  /** Returns the newest complete map that answers this question, or null. */
  function answerTo(question: Asked): MapData | null {
    return answersTo(question).find(isWhole) ?? null;
  }

  /** Returns a map beside others, complete or not, or null. */
  function mapBeside({ map: id, ...question }: Beside): MapData | null {
    return (id === undefined ? answersTo(question)[0] : maps.value.get(id)) ?? null;
  }

  /** Returns the question that a map answers. */
  function questionOf({ info }: MapData): Asked {
    const known = questions.get(info.map);
    return known ?? { method: info.method, objective: info.objective, ...(info.hop > 0 && { hop: info.hop }) };
  }

  /** Takes note that a question led to a map. */
  function led(question: Asked, map: string): void {
    questions.set(map, question);
  }

  /** Forgets all questions, which belong to the last text. */
  function forget(): void {
    questions.clear();
  }

  return { answerTo, mapBeside, questionOf, led, forget };
}
