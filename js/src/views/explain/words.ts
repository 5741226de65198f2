/** The words of a text, each in the colour of its score in an answer, on a scale that is the same for all answers. */

import { type ReadonlySignal, signal as signalOf } from "@preact/signals-core";
import { html, nothing, render, type TemplateResult } from "lit-html";
import { stepOf, swatchOf } from "../../color";
import { decimal, percent } from "../../format";
import type { WireWord } from "../../protocol";
import type { ViewContext } from "../context";
import { h, watch } from "../dom";
import { nearest, onKeys } from "../input";
import { rampScale } from "../ramp";

/** Words are told apart from punctuation, so the space that stood between two of them has to be guessed. */
export function gap(before: string, after: string): string {
  const closes = /^[\p{Pe}\p{Pf}.,;:!?%…。，、！？；：]/u.test(after) || /^['’]\p{L}/u.test(after);
  const opens = /[\p{Ps}\p{Pi}]$/u.test(before);
  const han = /[\p{Script=Han}\p{Script=Hiragana}\p{Script=Katakana}]/u;
  return closes || opens || (han.test(before.slice(-1)) && han.test(after.slice(0, 1))) ? "" : " ";
}

const said = (score: number | null) => (score === null ? "not said" : decimal(score));

function wordTip({ text, score, uncertainty }: WireWord): TemplateResult {
  return html`<div class="sw-tooltip-head"><bdi>${text}</bdi></div>
    <div>${score === null ? "not said" : html`said <b>${decimal(score)}</b>`}</div>
    ${uncertainty === null ? nothing : html`<div>uncertainty <b>${percent(uncertainty)}</b> of the largest possible</div>`}`;
}

export function wordsView(
  { ramp, tooltip, signal }: ViewContext,
  words: ReadonlySignal<readonly WireWord[]>,
): HTMLElement {
  const root = h("div", { className: "sw-words", role: "list", ariaLabel: "Words", dir: "auto" });
  /** The word that Tab leads to. */
  const place = signalOf(0);
  const boxOf = ({ target }: Event) => (target instanceof Element ? target.closest<HTMLElement>(".sw-word") : null);

  function tell(event: Event): void {
    const box = boxOf(event);
    const word = words.value[Number(box?.dataset.word)];
    if (box === null || word === undefined) tooltip.hide();
    else tooltip.show(box, () => wordTip(word));
  }

  function moveTo(to: number): void {
    place.value = nearest(to, words.value.length);
    root.querySelector<HTMLElement>(`[data-word="${place.value}"]`)?.focus();
  }

  root.addEventListener("pointerover", tell, { signal });
  root.addEventListener("pointerleave", tooltip.hide, { signal });
  root.addEventListener("focusin", tell, { signal });
  root.addEventListener("focusout", tooltip.hide, { signal });
  onKeys(root, signal, () => ({
    ArrowLeft: () => moveTo(place.value - 1),
    ArrowRight: () => moveTo(place.value + 1),
    Home: () => moveTo(0),
    End: () => moveTo(words.value.length - 1),
    Escape: tooltip.hide,
  }));

  // No <bdi>: the words are one text, and its first letter decides where it begins.
  function box({ text, score }: WireWord, k: number): TemplateResult {
    const before = words.value[k - 1];
    const swatch = score === null ? null : swatchOf(ramp.value, stepOf(score, 1), true);
    return html`${before === undefined ? nothing : gap(before.text, text)}<span
        role="listitem"
        class="sw-word ${score === null ? "sw-missing" : ""}"
        data-word=${k}
        tabindex=${k === nearest(place.value, words.value.length) ? 0 : -1}
        style=${swatch === null ? nothing : `background-color: ${swatch.background}; color: ${swatch.color}`}
        >${text}<span class="sw-unseen" dir="ltr">: ${said(score)}</span></span
      >`;
  }

  watch(signal, () => render(words.value.map(box), root));
  return root;
}

/** `ends`: what words with −1 and with 1 speak for. */
export function wordsLegend(context: ViewContext, [low, high]: readonly [string, string]): TemplateResult {
  return rampScale(context, true, ["−1", "1"], `orange: speaks ${low}; purple: ${high}`);
}
