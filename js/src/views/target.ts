/** The target in one line: what was written, how probable it was, what else it might have been, what mattered most. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { gradient } from "../color";
import { percent, share } from "../format";
import { labelOf } from "../pieces";
import type { WireMethod, WireStep, WireToken } from "../protocol";
import { shareOf } from "../scores";
import type { Store } from "../store";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { createPopover } from "./popover";
import { probability } from "./probability";

const MANY = 5;

/** What the two colours of a signed map mean: what is computed is about the target, what is said about the whole text. */
const SIDES = { computed: "orange: against the target; blue: for it", said: "orange: negative; blue: positive" };

export function targetView({ store, signal, ramp, layer }: ViewContext): HTMLElement {
  const line = h("div", { className: "sw-target-line" });
  const legend = h("div", { className: "sw-legend" });
  const unit = h("div", { className: "sw-unit" });
  const unitText = h("span");
  const info = h("button", { type: "button", className: "sw-round sw-info", ariaLabel: "About this method" }, "i");
  unit.append(unitText, info);
  const root = h("div", { className: "sw-about" }, line, h("div", { className: "sw-legend-line" }, legend, unit));

  const card = h("div", { role: "dialog", ariaLabel: "About this method", tabIndex: -1 });
  const popover = createPopover({
    button: info,
    panel: card,
    layer,
    signal,
    placement: "bottom-end",
    fill: () => render(store.method.value === null ? nothing : methodCard(store.method.value, conditions(store)), card),
  });
  info.addEventListener("click", popover.toggle, { signal });

  function alternatives(token: WireToken, step: WireStep): TemplateResult | typeof nothing {
    const others = step.alternatives.filter(({ id }) => id !== token.id).slice(0, MANY);
    if (others.length === 0) return nothing;
    return html`<span class="sw-muted">instead of</span>
      <span class="sw-alternatives">${others.map(
        ({ text, probability: p }) => html`<span class="sw-alternative"
          ><bdi>${labelOf({ ...token, text })}</bdi>${probability(p)}</span>`,
      )}</span>`;
  }

  watch(signal, () => {
    const { value: shown } = store.shown;
    const token = shown === null ? undefined : store.tokens.value[shown.token];
    const step = shown === null ? undefined : store.steps.value[shown.col];
    root.hidden = token === undefined;
    if (token === undefined) return;
    render(
      html`<bdi class="sw-target-name">${labelOf(token)}</bdi>
        ${step === undefined ? nothing : html`<span class="sw-probability">p = ${share(step.probability)}</span> ${alternatives(token, step)}`}`,
      line,
    );
  });

  watch(signal, () => {
    const { value: method } = store.method;
    unit.hidden = method === null;
    unitText.textContent = method === null ? "" : `share of the ${method.unit}`;
  });

  watch(signal, () => {
    const { value: shown } = store.shown;
    const { value: max } = store.domain;
    const { value: signed } = store.signed;
    const sides = SIDES[store.method.value?.family === "explanation" ? "said" : "computed"];
    if (shown === null || store.map.value === null) return render(nothing, legend);
    if (shown.scores === null)
      return render(
        html`<span class="sw-muted">${store.running.value ? "This column is on its way." : "This column was not computed."}</span>`,
        legend,
      );
    if (max === 0)
      return render(
        html`<span class="sw-muted">This column has no shares: its scores are all zero, or not finite.</span>`,
        legend,
      );
    const { scores } = shown;
    const held = store.templateShare.value;
    const inputs = store.top.value.flatMap((row) => {
      const token = store.tokens.value[row];
      return token === undefined
        ? []
        : [html`<span class="sw-input"><bdi>${labelOf(token)}</bdi> ${share(shareOf(scores, row))}</span>`];
    });
    return render(
      html`<span class="sw-scale" title=${signed ? sides : nothing}
          ><span>${signed ? share(-max) : "0"}</span
          ><span class="sw-gradient" style="background: ${gradient(ramp.value, signed)}"></span
          ><span>${share(max)}</span></span>
        <span class="sw-inputs">${inputs}</span>
        ${held === null || held < 0.0005 ? nothing : html`<span class="sw-muted sw-held">${store.specialName.value} tokens: ${percent(held)}</span>`}`,
      legend,
    );
  });
  return root;
}

/** On what the map was computed: the model, what is explained, the settings. */
function conditions(store: Store): [string, string][] {
  const [document, info] = [store.document.value, store.map.value?.info];
  if (document === null || info === undefined) return [];
  const objective = store.menu.value?.objectives.find(({ id }) => id === info.objective)?.label;
  return [
    ["model", `${document.model} · ${document.device} · ${document.dtype}`],
    ...(store.method.value?.uses_objective && objective !== undefined
      ? [["explains", objective] as [string, string]]
      : []),
    ...info.settings,
  ];
}

function methodCard(
  { label, family, reads, caveats, cost, reference, unit, signed }: WireMethod,
  settings: [string, string][],
): TemplateResult {
  const sides = signed ? ` (sizes added up; ${SIDES[family === "explanation" ? "said" : "computed"]})` : "";
  return html`<h3 class="sw-card-title">${label}</h3>
    <p>${reads}</p>
    ${caveats.length === 0 ? nothing : html`<ul>${caveats.map((caveat) => html`<li>${caveat}</li>`)}</ul>`}
    <p>
      The colour and the numbers in the text are shares: the ${unit} of one token over the sum of that of all tokens the target
      can see${sides}. The raw score is in the tooltip.
    </p>
    <dl>
      ${settings.map(([name, value]) => html`<dt>${name}</dt><dd><bdi>${value}</bdi></dd>`)}
      <dt>Cost</dt><dd>${cost}</dd>
      ${reference === "" ? nothing : html`<dt>Source</dt><dd>${reference}</dd>`}
    </dl>`;
}
