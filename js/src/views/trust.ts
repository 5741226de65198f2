/** The drawer that tells how far the maps of the pinned target can be believed. */

import { signal as state } from "@preact/signals-core";
import { html, nothing, render, type TemplateResult } from "lit-html";
import { plural, seconds } from "../format";
import type { Evaluation, WireFloor, WireJudgedMap } from "../protocol";
import { askFor } from "./ask";
import type { ViewContext } from "./context";
import { h, liveRegion, watch } from "./dom";
import { agreementOf } from "./trust/agreement";
import { costOf } from "./trust/cost";
import { curvesOf, lineClass, type Way } from "./trust/curves";
import { createSanity } from "./trust/sanity";
import { nameOfTargets } from "./words";

const WHAT = "The words that a map calls important are taken away: what does the model make of the rest?";
const BESIDE = "The grey band is the middle 95 % of what random orders of the words reach; dotted: their median.";
const WAYS: readonly (readonly [Way, string])[] = [
  ["without", "without the top words"],
  ["only", "nothing but the top words"],
];

export function trustView(context: ViewContext): HTMLElement {
  const { store, send, signal, ramp } = context;
  const way = state<Way>("without");
  /** The map that the reader points at. */
  const hot = state<number | null>(null);
  /** The key of the target that was asked for here. */
  const asked = state<string | null>(null);
  const root = h("div", { className: "sw-trust" });
  const [news, checked] = [liveRegion(), liveRegion()];
  const body = h("div", { className: "sw-trust-body" });
  root.append(body, news, checked);

  function evaluate(): void {
    const { value: cols } = store.restCols;
    if (cols === null || asked.value !== null) return;
    asked.value = `${cols.start}-${cols.end - 1}`;
    send({ type: "evaluate", cols: Array.from({ length: cols.end - cols.start }, (_, k) => cols.start + k) });
  }

  function show(id: string): void {
    const map = store.maps.value.get(id);
    if (map !== undefined) askFor(context, store.questionOf(map));
  }

  /** The maps of the target that were not judged: they came later. */
  function newer(found: Evaluation): number {
    const judged = new Set(found.maps.map(({ map }) => map));
    return [...store.maps.value.values()].filter(
      ({ info, columns }) => !judged.has(info.map) && found.cols.every((col) => columns[col] !== undefined),
    ).length;
  }

  const sanityOf = createSanity(context, show);

  const button = (label: string, primary: boolean) => {
    const waits = asked.value !== null || !store.alive.value;
    return html`<button
      type="button"
      class=${primary ? "sw-button sw-primary" : "sw-button"}
      aria-disabled=${waits}
      @click=${() => !waits && evaluate()}
    >${asked.value === null ? label : "Evaluating …"}</button>`;
  };

  function before(): TemplateResult {
    const { value: cols } = store.restCols;
    return html`<p class="sw-sentence">How far can the maps of “<bdi>${nameOfTargets(store, cols ?? { start: 0, end: 1 })}</bdi>” be believed?</p>
      <p class="sw-quiet">${WHAT}</p>
      <div class="sw-ask-line">${button("Evaluate", true)}<span class="sw-muted sw-trust-cost">${cols === null ? nothing : costOf(store, cols)}</span></div>`;
  }

  function mapOf(map: WireJudgedMap, at: number): TemplateResult {
    const point = (to: number | null) => () => {
      hot.value = to;
    };
    return html`<li class="sw-judged" @pointerenter=${point(at)} @pointerleave=${point(null)}>
      <div class="sw-judged-head">
        <svg class="sw-sample" viewBox="0 0 28 8" aria-hidden="true"><g class=${lineClass(at)}><path d="M1 4L27 4"></path></g></svg>
        <button type="button" class="sw-link" title="Show this map" @click=${() => show(map.map)}><b>${map.label}</b></button>
        ${map.is_chance ? html`<span class="sw-badge sw-chance" title="No better than random orders of the words, under either operator">no better than chance</span>` : nothing}
      </div>
      ${map.judgements.map(
        ({ operator, sentence }) =>
          html`<p class="sw-judged-line"><span class="sw-muted">${operator}</span> <span>${sentence}</span></p>`,
      )}
      ${map.warnings.map((said) => html`<p class="sw-warning"><span aria-hidden="true">⚠</span> ${said}</p>`)}
    </li>`;
  }

  function charts(found: Evaluation): TemplateResult {
    const choice = ([id, label]: (typeof WAYS)[number]) => html`<button
      type="button"
      class="sw-pick"
      aria-pressed=${way.value === id}
      @click=${() => {
        way.value = id;
      }}
    >${label}</button>`;
    const chart = (floor: WireFloor) => html`<figure class="sw-chart">
      <figcaption><b>${floor.operator}</b> <span class="sw-muted">a ${found.unit} is ${floor.says}</span></figcaption>
      ${curvesOf(found, floor, way.value, store.raw.value, hot.value)}
    </figure>`;
    return html`<div class="sw-charts-head">
        <span>${store.raw.value ? "value" : "probability"} of “<bdi>${found.target}</bdi>”</span>
        <div class="sw-picks" role="group" aria-label="What is drawn">${WAYS.map(choice)}</div>
      </div>
      <div class="sw-charts">${found.floors.map(chart)}</div>
      <p class="sw-quiet">${BESIDE}</p>`;
  }

  function figures(found: Evaluation): TemplateResult {
    const operators = found.floors.map(({ operator }) => operator);
    const table = (operator: string) => {
      const judged = found.maps.map(({ judgements }) => judgements.find((one) => one.operator === operator));
      return html`<div class="sw-table-scroll" role="group" tabindex="0" aria-label=${`Figures: ${operator}`}>
        <table class="sw-table sw-figure-table" aria-label=${`Figures of each map: ${operator}`}>
          <thead><tr><th scope="col">${operator}</th>${found.maps.map(({ label }) => html`<th scope="col"><span>${label}</span></th>`)}</tr></thead>
          <tbody>${judged[0]?.figures.map(
            ({ label, reads }, k) =>
              html`<tr><th scope="row" title=${reads}><span>${label}</span></th>${judged.map((one) => {
                const figure = one?.figures[k];
                return figure === undefined
                  ? html`<td>–</td>`
                  : html`<td>${figure.better ? html`<b>${figure.value}</b>` : figure.value}<small>${figure.beside}</small></td>`;
              })}</tr>`,
          )}</tbody>
        </table>
      </div>`;
    };
    return html`<details class="sw-fold sw-trust-figures"><summary>All figures</summary>
      <div class="sw-tables">${operators.map(table)}</div>
      <p class="sw-quiet">Below each figure: (its own interval), [the middle 95 % of random orders], p. Bold: better than chance.</p>
    </details>`;
  }

  function result(found: Evaluation): TemplateResult {
    const more = found.complete && store.alive.value ? newer(found) : 0;
    const again = more > 0 || (!found.complete && asked.value === null);
    return html`<p class="sw-sentence">How far can the maps of “<bdi>${found.target}</bdi>” be believed? <span class="sw-muted">${plural(found.maps.length, "map")} beside ${found.orders}</span></p>
      <ul class="sw-judged-maps">${found.maps.map(mapOf)}</ul>
      ${charts(found)}
      ${agreementOf(found, ramp.value, show)}
      ${figures(found)}
      ${found.given_up.map((said) => html`<p class="sw-quiet">${said}</p>`)}
      <div class="sw-ask-line">${again ? button(found.complete ? `Evaluate ${plural(more, "newer map")} too` : "Go on", false) : nothing}<span class="sw-muted">${found.complete ? `${seconds(found.seconds)}.` : asked.value === null ? "It was stopped: this is what was found." : "More random orders are on their way."} No way of taking words away is beyond dispute: a verdict holds under both, or it is none.</span></div>`;
  }

  // A reader who opens it is about to ask: meanwhile the kernel can probe how the model reads texts without some words.
  const { value: first } = store.restCols;
  if (first !== null && store.evaluation.value === null && store.alive.value && !store.running.value)
    send({ type: "evaluate", cols: [first.start], ahead: true });
  // The evaluation that was asked for is there, failed, or was cancelled.
  watch(signal, () => {
    const { phase, what } = store.status.value;
    const over = phase === "cancelled" || phase === "failed" || (phase === "done" && what === "Trust");
    if (store.failure.value !== null || over) asked.value = null;
  });
  watch(signal, () => {
    const { value: found } = store.evaluation;
    render(html`${found === null ? before() : result(found)}${sanityOf()}`, body);
  });
  watch(signal, () => {
    const done = store.sanity.value?.maps.filter(({ complete }) => complete) ?? [];
    const said = done.map(({ label, said }) => `${label}: ${said.join(" ")}`).join(" ");
    if (checked.textContent !== said) checked.textContent = said;
  });
  watch(signal, () => {
    const { value: found } = store.evaluation;
    const said = found?.complete ? `Evaluated. ${found.maps.flatMap(({ warnings }) => warnings).join(" ")}` : "";
    if (news.textContent !== said) news.textContent = said;
  });
  return root;
}
