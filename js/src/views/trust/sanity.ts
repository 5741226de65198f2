/** The part of the Trust drawer that asks whether maps are about the model at all: a line for each of them. */

import { signal as state } from "@preact/signals-core";
import { html, nothing, type TemplateResult } from "lit-html";
import { about, bytes } from "../../format";
import type { Sanity, WireCheckedMap } from "../../protocol";
import type { ViewContext } from "../context";
import { watch } from "../dom";

const WHAT =
  "All weights of a copy of the model are shuffled, and each map is computed again: one that stays as it was shows " +
  "nothing of what the model learned. Then the text is spelled otherwise: with other spaces, in other cases.";
const HOW =
  "Rank correlations with the map as it is; in brackets the middle 95 % of what shuffled inputs reach. Completeness and " +
  "the spot check are shares, best at 0.";

/** Returns the template of this part; `show` puts a map on show. */
export function createSanity({ store, send, signal }: ViewContext, show: (map: string) => void): () => TemplateResult {
  /** Tells whether checks that were asked for here are under way. */
  const asked = state(false);
  const open = state(false);
  /** The target and the maps whose prices were asked for. */
  let priced = "";

  function targets(): number[] {
    const { value: cols } = store.restCols;
    return cols === null ? [] : Array.from({ length: cols.end - cols.start }, (_, k) => cols.start + k);
  }

  function check(maps: readonly WireCheckedMap[]): void {
    if (asked.value || !store.alive.value) return;
    asked.value = true;
    send({ type: "sanity", cols: targets(), maps: maps.map(({ map }) => map) });
  }

  // Opened, it asks which maps there are and what each costs; and again for another target, or when more maps came.
  watch(signal, () => {
    const cols = targets();
    const there = [...store.maps.value.values()].filter(
      ({ columns, done }) => done.value > 0 && cols.every((col) => columns[col] !== undefined),
    );
    const wanted = JSON.stringify([store.document.value?.doc, cols, there.map(({ info }) => info.map)]);
    const waits = !open.value || !store.alive.value || store.running.value || asked.value;
    if (waits || there.length === 0 || wanted === priced) return;
    priced = wanted;
    send({ type: "sanity", cols, ahead: true });
  });
  watch(signal, () => {
    const { phase, what } = store.status.value;
    const over = phase === "cancelled" || phase === "failed" || (phase === "done" && what === "Sanity");
    if (store.failure.value !== null || over) asked.value = false;
  });

  const button = (label: string, name: string, maps: readonly WireCheckedMap[]) => html`<button
    type="button"
    class="sw-button"
    aria-label=${name}
    aria-disabled=${asked.value || !store.alive.value}
    @click=${() => check(maps)}
  >${label}</button>`;

  function line(one: WireCheckedMap, { again, setup }: Sanity): TemplateResult {
    const { map, label, seconds, reason, said, notices } = one;
    const begun = said.length > 0;
    const price = `${again} more maps${seconds === null ? "" : `, ${about(seconds + setup)}`}`;
    return html`<li class="sw-checked">
      <div class="sw-checked-head">
        <button type="button" class="sw-link" title="Show this map" @click=${() => show(map)}><b>${label}</b></button>
        ${notices === false ? html`<span class="sw-badge sw-chance">does not notice the weights</span>` : nothing}
        ${mayGo(one) ? html`${button(begun ? "Go on" : "Check", `${begun ? "Go on with" : "Check"} ${label}`, [one])}<span class="sw-muted">${price}</span>` : nothing}
        ${reason === null ? nothing : html`<span class="sw-muted">${reason}</span>`}
      </div>
      ${said.map((sentence, k) =>
        k === 0 && notices === false
          ? html`<p class="sw-warning"><span aria-hidden="true">⚠</span> ${sentence}</p>`
          : html`<p>${sentence}</p>`,
      )}
      ${one.figures.length === 0 ? nothing : tableOf(one)}
    </li>`;
  }

  function tableOf({ label, figures }: WireCheckedMap): TemplateResult {
    return html`<details class="sw-fold"><summary>Figures</summary>
      <div class="sw-table-scroll" role="group" tabindex="0" aria-label=${`Sanity of ${label}`}>
        <table class="sw-table" aria-label=${`Figures of the sanity of ${label}`}><tbody>${figures.map(
          (figure) =>
            html`<tr><th scope="row">${figure.label}</th><td>${figure.value}</td><td class="sw-muted">${figure.beside}</td></tr>`,
        )}</tbody></table>
      </div>
      <p class="sw-quiet">${HOW}</p>
    </details>`;
  }

  function lines(found: Sanity): TemplateResult {
    const left = found.maps.filter(mayGo);
    const time = left.reduce((sum, { seconds }) => sum + (seconds ?? Number.NaN), found.setup);
    const price = [
      ...(left.length < 2 || Number.isNaN(time) ? [] : [about(time)]),
      `a copy of the weights takes ${bytes(found.memory)}`,
    ];
    return html`<ul class="sw-judged-maps">${found.maps.map((one) => line(one, found))}</ul>
      ${
        left.length === 0
          ? nothing
          : html`<div class="sw-ask-line">${left.length > 1 ? button(asked.value ? "Checking …" : `Check all ${left.length}`, `Check all ${left.length} maps`, left) : nothing}<span class="sw-muted sw-sanity-cost">${price.join("; ")}</span></div>`
      }`;
  }

  return () => {
    const { value: found } = store.sanity;
    const deaf = (found?.maps ?? []).filter(({ notices }) => notices === false);
    const toggled = ({ target }: Event) => {
      open.value = (target as HTMLDetailsElement).open;
    };
    return html`<details class="sw-fold sw-sanity" ?open=${open.value} @toggle=${toggled}>
      <summary>Is a map about the model at all?${deaf.length === 0 ? nothing : html` <span class="sw-chance">⚠ ${deaf.map(({ label }) => label).join(", ")}</span>`}</summary>
      <div class="sw-trust-body"><p class="sw-quiet">${WHAT}</p>${
        found !== null
          ? lines(found)
          : store.running.value
            ? html`<p class="sw-muted">The maps stand here when what runs is done.</p>`
            : nothing
      }</div>
    </details>`;
  };
}

/** Tells whether a map can be checked, and was not, or not wholly. */
function mayGo({ reason, complete }: WireCheckedMap): boolean {
  return reason === null && !complete;
}
