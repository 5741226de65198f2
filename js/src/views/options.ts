/** The reading options: units, measure and colour scale. */

import { batch, type Signal } from "@preact/signals-core";
import { html, nothing, render, type TemplateResult } from "lit-html";
import { percent } from "../format";
import { addsUp } from "../map";
import type { ScaleName } from "../scale";
import type { Measure, Store } from "../store";
import { GRANULARITIES, type Granularity, type Pool } from "../units";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { createPopover } from "./popover";

const NAME = "Colours and numbers";
const SCALES: Record<ScaleName, string> = { linear: "linear", quantile: "by rank (quantile)", threshold: "threshold" };
const MEASURES: Record<Measure, string> = { share: "share of the column", raw: "raw score" };
const POOLS: Record<Pool, string> = { sum: "sum", mean: "mean per token", max: "max" };
/** A suffix of the unit's name for numbers that do not grow with the length of a unit. */
const PER_TOKEN = ", mean per token";
const JOINTS: Record<"mean" | "sum", string> = { mean: "mean", sum: "sum" };

/** Changes the unit: tokens, words, sentences, segments, and tokens again. */
export function readByNext({ granularity, readBy }: Store): void {
  const next = (GRANULARITIES.indexOf(granularity.value) + 1) % GRANULARITIES.length;
  readBy(GRANULARITIES[next] as Granularity);
}

export function granularitySelect({ store, signal }: ViewContext): HTMLElement {
  const select = h("select", { className: "sw-select", ariaLabel: "Read by" });
  select.title = "Read by";
  const named = GRANULARITIES.flatMap((name) => (name === "token" ? [name] : [name, name + PER_TOKEN]));
  select.append(...named.map((name) => h("option", { value: name }, name)));
  select.addEventListener("change", () => choose(select.value), { signal });
  watch(signal, () => {
    const { granularity, poolOf, map } = store;
    const isMean = granularity.value !== "token" && poolOf(map.value) === "mean";
    select.value = granularity.value + (isMean ? PER_TOKEN : "");
  });

  function choose(name: string): void {
    const isMean = name.endsWith(PER_TOKEN);
    batch(() => {
      if (isMean || store.pool.value === "mean") store.pool.value = isMean ? "mean" : "sum";
      store.readBy((isMean ? name.slice(0, -PER_TOKEN.length) : name) as Granularity);
    });
  }
  return select;
}

export function optionsButton(context: ViewContext): HTMLElement {
  const { store, signal } = context;
  const id = crypto.randomUUID(); // radio buttons of one name belong together on the whole page
  const button = h(
    "button",
    { type: "button", className: "sw-plain sw-view", ariaLabel: NAME },
    "colours and numbers ▾",
  );
  const panel = h("div", { className: "sw-options", role: "dialog", ariaLabel: NAME });
  createPopover(context, button, panel, "end");

  /** `now`: the option that is in force, where it is not the chosen one because that is `not` possible. */
  function choice<T extends string>(
    label: string,
    chosen: Signal<T>,
    names: Record<T, string>,
    now: T = chosen.value,
    not?: T,
  ): TemplateResult {
    const option = (value: T) =>
      html`<label
        ><input
          type="radio"
          name=${`${id} ${label}`}
          .checked=${value === now}
          ?disabled=${value === not}
          @change=${() => {
            chosen.value = value;
          }}
        />${names[value]}</label
      >`;
    return html`<fieldset><legend>${label}</legend>${(Object.keys(names) as T[]).map(option)}</fieldset>`;
  }

  function limit({ target }: Event): void {
    store.threshold.value = Number((target as HTMLInputElement).value) / 100;
  }

  watch(signal, () => {
    const { scale, threshold, measure, pool, poolOf, map, joint, granularity } = store;
    const none = map.value !== null && !addsUp(map.value, granularity.value) ? "sum" : undefined;
    const least = percent(threshold.value);
    render(
      html`${choice("Colours", scale, SCALES)}
        ${
          scale.value === "threshold"
            ? html`<label
                ><input
                  type="range"
                  min="5"
                  max="100"
                  step="5"
                  .value=${String(100 * threshold.value)}
                  aria-valuetext=${`${least} of the largest`}
                  aria-label="Threshold"
                  @input=${limit}
                />from ${least} of the largest</label
              >`
            : nothing
        }
        ${choice("Numbers", measure, MEASURES)}
        ${granularity.value === "token" ? nothing : choice(`Tokens of a ${granularity.value}`, pool, POOLS, poolOf(map.value), none)}
        ${choice("Several targets", joint, JOINTS)}`,
      panel,
    );
  });
  return button;
}
