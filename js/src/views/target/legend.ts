/** The legend: the meaning of the colours, and the strongest inputs. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { percent } from "../../format";
import type { Store } from "../../store";
import type { ViewContext } from "../context";
import { h, watch } from "../dom";
import { mapScale } from "../ramp";
import { showSpan } from "../text/boxes";
import { figure, nameOf } from "../words";
import { contrastOf, quoted } from "./contrast";

/** Returns the meaning of the two colours of a signed map: for or against the target, or the text in an LLM's map. */
export function meaningOfSigns(family = ""): string {
  if (family === "explanation") return "orange: negative; purple: positive";
  if (family === "difference") return "orange: less in the first map; purple: more";
  return "orange: against the target; purple: for it";
}

export function legendView(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const root = h("div", { className: "sw-legend" });

  function scale(): TemplateResult {
    const { max, top, signed, floor } = store.look.value;
    return mapScale(
      context,
      signed,
      [signed ? figure(store, -max) : "0", figure(store, max)],
      signed ? meaningOfSigns(store.method.value?.family) : nothing,
      top / max,
      floor / max,
    );
  }

  watch(signal, () => {
    const { turned, signed } = store.look.value;
    if (store.map.value === null || store.shown.value === null) return render(nothing, root);
    const silence = whyNothing(store);
    if (silence !== null) return render(html`<span class="sw-muted">${silence}</span>`, root);
    if (turned) return render(scale(), root);
    const about = contrastOf(store);
    return render(
      html`${scale()}${noiseFloor(store)}
        <span class="sw-inputs">${inputs(context)}</span>
        ${
          about === null || !signed
            ? nothing
            : html`<span class="sw-muted">purple: speaks for ${quoted(about.target)}, orange: for ${quoted(about.foil)}</span>`
        }
        ${held(`${store.specialName.value} tokens`, store.templateShare.value)} ${held("not counted", store.hiddenShare.value)}`,
      root,
    );
  });
  return root;
}

/** Returns the reason why there are no colours, or null if there are. */
function whyNothing(store: Store): TemplateResult | string | null {
  const { ready, max, turned } = store.look.value;
  const about = contrastOf(store);
  if (ready && max > 0) return null;
  if (ready)
    return turned
      ? "No target has a share of this."
      : "This column has no shares: its scores are all zero, missing or not finite.";
  if (about !== null && about.col !== null && (turned || about.col !== store.target.value))
    return html`This contrast is about ${quoted(about.target)} alone.`;
  const { map, target, thinking } = store;
  const begin = (thinking.value[0]?.start ?? 0) - store.firstTarget.value;
  if ((map.value?.info.hop ?? 0) > 0 && isThought(store, target.value ?? begin))
    return "Steps back begin at words of the answer, not of the thinking.";
  const isDue = store.running.value || (!store.alive.value && !store.isOver.value);
  return isDue ? "This column is on its way." : "This column was not computed.";
}

/** Tells whether a target is before the answer: in the thinking, or before it. */
function isThought({ thinking, firstTarget }: Store, col: number): boolean {
  const { value: all } = thinking;
  const token = firstTarget.value + col;
  return token <= (all[0]?.start ?? 0) || all.some(({ start, end }) => token >= start && token < end);
}

/** Says below which number the colours are left out, because equal askings differ by as much. */
function noiseFloor(store: Store): TemplateResult | typeof nothing {
  const { floor, top } = store.look.value;
  if (floor === 0) return nothing;
  const all = top < floor ? ": nothing here is more" : "";
  return html`<span class="sw-muted sw-floor">below ${figure(store, floor)} is noise${all}</span>`;
}

/** The inputs that mattered most. */
function inputs({ store, layer }: ViewContext): TemplateResult[] {
  const scores = store.shown.value?.scores ?? null;
  return store.top.value.flatMap((unit) => {
    const span = store.units.value.spans[unit];
    if (scores === null || span === undefined) return [];
    const number = store.measured(scores, unit);
    if (Math.abs(number) < store.look.value.floor) return [];
    const weight = figure(store, number);
    const go = () => showSpan(layer.parentElement, span);
    return [
      html`<button type="button" class="sw-input" title="Show it in the text" @click=${go}><bdi>${nameOf(store, span)}</bdi> ${weight}</button>`,
    ];
  });
}

function held(by: string, part: number | null): TemplateResult | typeof nothing {
  return part === null || part < 0.0005 ? nothing : html`<span class="sw-muted sw-held">${by}: ${percent(part)}</span>`;
}
