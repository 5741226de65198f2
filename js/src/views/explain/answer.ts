/** One answer: its explainer, cost and text; its words as a map where it has scores; and the words that did not fit. */

import { computed, type ReadonlySignal } from "@preact/signals-core";
import { html, nothing, render, type TemplateResult } from "lit-html";
import { decimal, share } from "../../format";
import type { Answer } from "../../protocol";
import { isUnderWay } from "../../store";
import { askMap, mapOnShow } from "../ask";
import { cardButton, cardOf } from "../card";
import type { ViewContext } from "../context";
import { h, watch } from "../dom";
import { costOf, explainerName, fateOf, nameOf, summary } from "./said";
import { streamView } from "./stream";
import { wordsLegend, wordsView } from "./words";

/** The id of the method whose map holds an LLM's scores. */
const LLM = "llm";
const CONSTRAINED =
  "The list was forced into shape, and the numbers are read from the model's own distribution over those allowed.";

export function answerView(context: ViewContext, answer: ReadonlySignal<Answer>): HTMLElement {
  const { store, signal } = context;
  const head = h("span", { className: "sw-answer-head" });
  const cost = h("span", { className: "sw-muted sw-cost" });
  const body = h("div", { className: "sw-answer-body" });
  const info = cardButton(context, "About this answer", () =>
    cardOf(explainerName(store, answer.value.explainer), answer.value.card),
  );
  const root = h(
    "article",
    { className: "sw-answer" },
    h("div", { className: "sw-answer-line" }, head, h("span", { className: "sw-answer-end" }, cost, info)),
    body,
  );
  const stream = streamView(signal);
  const words = wordsView(
    context,
    computed(() => answer.value.words ?? []),
  );

  function chip(said: Answer): TemplateResult | typeof nothing {
    const { decides, state, label, leans, label_probability: p } = said;
    if (!decides || (label === null && state !== "done")) return nothing;
    const kind = leans === 0 ? "" : leans === 1 ? "sw-positive" : "sw-negative";
    return html`<span class="sw-verdict ${kind}"><bdi>${nameOf(label)}</bdi>${p === null ? nothing : html` <span class="sw-muted">${share(p)}</span>`}</span>`;
  }

  function map({ mapped }: Answer): TemplateResult | typeof nothing {
    if (!mapped || store.document.value === null) return nothing;
    return html`<button
      type="button"
      class="sw-button sw-as-map"
      aria-pressed=${mapOnShow(store)?.method === LLM}
      @click=${() => askMap(context, LLM)}
    >Show as map</button>`;
  }

  function misfits({ pairs }: Answer): TemplateResult | typeof nothing {
    const odd = pairs?.filter(({ fate }) => fate !== "aligned") ?? [];
    if (odd.length === 0) return nothing;
    return html`<details class="sw-fold"><summary>What did not fit</summary>
      <ul class="sw-misfits">${odd.map(
        ({ word, value, fate }) =>
          html`<li><bdi class="sw-misfit">${word}</bdi> <span class="sw-number">${decimal(value)}</span> <span class="sw-muted">${fateOf(fate)}</span></li>`,
      )}</ul></details>`;
  }

  const fold = (title: string, content: unknown) =>
    html`<details class="sw-fold"><summary>${title}</summary>${content}</details>`;

  function scores(said: Answer): TemplateResult {
    return html`${words}
      <div class="sw-words-line">${wordsLegend(context, said.ends)}<span>${summary(said)}</span>${map(said)}</div>
      ${said.problems.map((problem) => html`<p class="sw-quiet sw-problem">${problem}</p>`)}
      ${misfits(said)}
      ${isUnderWay(said) || said.text === "" || said.kind === "why" ? nothing : fold("What was written", stream.element)}
      ${said.free === null || said.kind === "why" ? nothing : fold("What the free prompt gave", html`<div class="sw-said" role="group" dir="auto" tabindex="0" aria-label="What the free prompt gave">${said.free}</div>`)}`;
  }

  function ending({ state, failure, explainer }: Answer): TemplateResult | typeof nothing {
    if (state === "waiting") return html`<p class="sw-quiet">Waiting for ${explainerName(store, explainer)} …</p>`;
    if (state === "cancelled") return html`<p class="sw-quiet">Stopped.</p>`;
    if (state !== "failed") return nothing;
    return html`<div class="sw-error"><b>${failure?.message ?? "It failed."}</b><div>${failure?.cure ?? nothing}</div></div>`;
  }

  watch(signal, () => {
    const { value: said } = answer;
    root.setAttribute("aria-busy", String(isUnderWay(said)));
    cost.textContent = costOf(said);
    info.hidden = Object.values(said.card).every(({ length }) => length === 0); // while it is being written
    render(
      html`<bdi class="sw-answer-name">${explainerName(store, said.explainer)}</bdi>
        <span class="sw-muted">${said.prompt}</span>
        ${chip(said)}
        ${said.guided ? html`<span class="sw-badge" title=${CONSTRAINED}>constrained</span>` : nothing}`,
      head,
    );
  });

  watch(signal, () => {
    const { value: said } = answer;
    const isOpen = said.words === null || isUnderWay(said) || said.kind === "why";
    render(
      html`${said.words === null ? nothing : scores(said)}
        ${said.thinking === null ? nothing : fold("What it thought", html`<div class="sw-said" role="group" dir="auto" tabindex="0" aria-label="What it thought">${said.thinking}</div>`)}
        ${isOpen && said.text !== "" ? stream.element : nothing}
        ${said.words === null ? said.problems.map((problem) => html`<p class="sw-quiet sw-problem">${problem}</p>`) : nothing}
        ${ending(said)}`,
      body,
    );
    stream.show(said.text, said.state === "writing");
  });
  return root;
}
