/** The facts of the text on show: where its targets begin, its kind, and which of two texts its tokens are from. */

import { computed, type ReadonlySignal } from "@preact/signals-core";
import type { MapData } from "./map";
import type { DocumentBegins, Exhibited, Place, WireSegment, WireToken } from "./protocol";

/** The kind of the text: one text; a source and its output; or a text and its classes. */
export type Kind = "text" | "pair" | "classes";

export type Told = {
  document: ReadonlySignal<DocumentBegins | null>;
  tokens: ReadonlySignal<readonly WireToken[]>;
  segments: ReadonlySignal<readonly WireSegment[]>;
  exhibited: ReadonlySignal<Exhibited | null>;
};

const NOWHERE: readonly Place[] = [];

export function createText({ document, tokens, segments, exhibited }: Told) {
  const firstTarget = computed(() => document.value?.first_target ?? 0);
  const nTargets = computed(() => (document.value === null ? 0 : Math.max(0, tokens.value.length - firstTarget.value)));
  /** The first token of the output about a source, or null without a source. */
  const targetStart = computed(() => segments.value.find(({ kind }) => kind === "target")?.start ?? null);
  const kind = computed<Kind>(() => {
    if (tokens.value[firstTarget.value]?.role === "class") return "classes";
    return targetStart.value === null ? "text" : "pair";
  });
  /** The model's thinking, where the text goes on after it. */
  const thinking = computed(() =>
    segments.value.filter((one) => one.kind === "thinking" && one.start < one.end && one.end < tokens.value.length),
  );
  /** The name of tokens of the role "special": a chat's template, or those that a model puts around any text. */
  const specialName = computed(() => (kind.value === "text" ? "template" : "special"));
  /** The places where inputs of one of two texts stand, and not those of the other. */
  const replaced = computed<readonly Place[]>(() => exhibited.value?.replaced ?? NOWHERE);
  /** Of tokens that were replaced, or replace others, the text that has them: 0 or 1. */
  const onlyIn = computed(() => {
    const found = new Map<number, number>();
    for (const [start, middle, end] of replaced.value)
      for (let token = start; token < end; token++) found.set(token, token < middle ? 0 : 1);
    return found;
  });
  /** The text that a map is of, of two; null of both, or where there is one. */
  function sideOf(of: MapData | null): number | null {
    const side = of === null || onlyIn.value.size === 0 ? -1 : (document.value?.beside ?? []).indexOf(of.info.method);
    return side < 0 || of?.difference !== undefined ? null : side;
  }
  function isForeign(of: MapData | null, token: number): boolean {
    const [own, side] = [onlyIn.value.get(token), sideOf(of)];
    return own !== undefined && side !== null && own !== side;
  }

  return {
    firstTarget,
    nTargets,
    targetStart,
    kind,
    thinking,
    specialName,
    replaced,
    onlyIn,
    sideOf,
    isForeign,
  };
}
