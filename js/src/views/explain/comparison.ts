/** The comparison of an answer's scores with computed ones: word by word, and in figures with chance beside them. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { stepOf, swatchOf } from "../../color";
import { decimal, significant } from "../../format";
import type { Comparison, WireFigure, WireSide } from "../../protocol";
import { cardButton, cardOf } from "../card";
import type { ViewContext } from "../context";
import { h, watch } from "../dom";
import { beyondChance, manner, verdict } from "./said";

const OF_WORDS = "Each method: as a share of its own largest score, signed alike where it has a sign.";
const OF_FIGURES = "Below each figure: what shuffled words reach, mean and [the middle 95\u00a0%]. Bold: beyond that.";

type Cell = { value: number | null; title: string; signed: boolean };

/** Each method on a scale of its own: they do not count the same thing. */
function largest({ scores }: WireSide): number {
  return Math.max(0, ...scores.map((score) => Math.abs(score ?? 0)));
}

function saidCell({ said, spread, askings }: Comparison, k: number): Cell {
  const value = said[k] ?? null;
  const around = spread[k] ?? null;
  if (value === null) return { value, title: "not said", signed: true };
  return {
    value,
    signed: true,
    title: around === null ? decimal(value) : `${decimal(value)} ± ${decimal(around)} in ${askings} askings`,
  };
}

function doneCell(side: WireSide, max: number, k: number): Cell {
  const score = side.scores[k] ?? null;
  const { signed, label } = side;
  if (score === null) return { value: null, title: "not computed", signed };
  return { value: max > 0 ? score / max : 0, title: `${label}: ${significant(score)}`, signed };
}

function figureCell(figure: WireFigure | undefined): TemplateResult {
  if (figure === undefined) return html`<td>–</td>`;
  const { value, random_mean, random_low, random_high } = figure;
  const number = value === null ? "–" : decimal(value);
  return html`<td>${beyondChance(figure) === 0 ? html`<span>${number}</span>` : html`<b>${number}</b>`}<small
      ><span class="sw-random"><span class="sw-unseen">shuffled </span>${decimal(random_mean)}</span> <span class="sw-random">[${decimal(random_low)}, ${decimal(random_high)}]</span></small
    ></td>`;
}

export function comparisonView(context: ViewContext): HTMLElement {
  const { store, signal, ramp } = context;
  const body = h("div", { className: "sw-answer-body" });
  const info = cardButton(context, "About this comparison", () => {
    const { value: comparison } = store.comparison;
    return comparison === null ? nothing : cardOf("Say versus do", comparison.card);
  });
  const head = h("div", { className: "sw-answer-line" }, h("b", {}, "Say versus do"), info);
  const root = h("section", { className: "sw-comparison", ariaLabel: "Say versus do" }, head, body);

  function cell({ value, title, signed }: Cell): TemplateResult {
    if (value === null) return html`<td class="sw-muted" title=${title}>–</td>`;
    const { background, color } = swatchOf(ramp.value, stepOf(value, 1), signed);
    return html`<td title=${title} style="background-color: ${background}; color: ${color}">${decimal(value)}</td>`;
  }

  function wordTable(comparison: Comparison): TemplateResult {
    const { words, sides, ends } = comparison;
    const maxima = sides.map(largest);
    return html`<div class="sw-beside"><div class="sw-table-scroll" role="group" tabindex="0" aria-label="Word by word">
      <table class="sw-table sw-word-table" aria-label="What was said of each word, and what was computed">
        <thead><tr><th scope="col">word</th><th scope="col">said</th>${sides.map(
          ({ label }) => html`<th scope="col"><span>${label}</span></th>`,
        )}</tr></thead>
        <tbody>${words.map(
          (word, k) =>
            html`<tr><th scope="row"><bdi>${word}</bdi></th>${cell(saidCell(comparison, k))}${sides.map((side, i) =>
              cell(doneCell(side, maxima[i] ?? 0, k)),
            )}</tr>`,
        )}</tbody>
      </table>
    </div>
    <p class="sw-quiet">Said: from −1 (${ends[0]}) to 1 (${ends[1]}). ${OF_WORDS}</p></div>`;
  }

  function figureTable({ sides }: Comparison): TemplateResult | typeof nothing {
    const rows = new Map(sides.flatMap(({ figures }) => figures.map(({ id, label }) => [id, label] as const)));
    if (rows.size === 0) return nothing;
    return html`<div class="sw-beside"><div class="sw-table-scroll" role="group" tabindex="0" aria-label="Agreement in figures">
      <table class="sw-table sw-figure-table" aria-label="Agreement of each method with what was said">
        <thead><tr><th scope="col">agreement</th>${sides.map(({ label }) => html`<th scope="col"><span>${label}</span></th>`)}</tr></thead>
        <tbody>${[...rows].map(
          ([id, label]) =>
            html`<tr><th scope="row"><span>${label}</span></th>${sides.map(({ figures }) =>
              figureCell(figures.find((figure) => figure.id === id)),
            )}</tr>`,
        )}</tbody>
      </table>
    </div>
    <p class="sw-quiet">${OF_FIGURES}</p></div>`;
  }

  watch(signal, () => {
    const { value: comparison } = store.comparison;
    root.hidden = comparison === null;
    render(
      comparison === null
        ? nothing
        : html`<p class="sw-sentence">${verdict(comparison)}</p>
            <p class="sw-quiet">${manner(comparison)}</p>
            <div class="sw-tables">${wordTable(comparison)} ${figureTable(comparison)}</div>`,
      body,
    );
  });
  return root;
}
