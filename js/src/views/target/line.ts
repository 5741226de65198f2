/** The target in one line: its text, its probability and its alternatives. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import { share, significant } from "../../format";
import { labelOf } from "../../pieces";
import type { Shown, Store } from "../../store";
import { askFor, askMap, mapOnShow, wayToContrast } from "../ask";
import type { ViewContext } from "../context";
import { h, hasFocus, watch } from "../dom";
import { createPopover } from "../popover";
import { probability } from "../probability";
import { changeOf, struckQuoted } from "../whatif/change";
import {
  joinedText,
  NOT_THERE,
  nameOf,
  nameOfTargets,
  numberOf,
  numbersBeside,
  probabilityOf,
  stepNow,
} from "../words";
import { contrastOf, quoted, whyNot } from "./contrast";

const MANY = 5;
const MOVE = { duration: 700, easing: "ease-in-out" };

/** An alternative to a target with its probability, or another output with its number. */
type Other = { id: number; name: string; number: number };

/** Returns the alternatives of a text's target, or the likeliest other classes; none for several joined targets. */
function othersOf(store: Store, { cols, token }: Shown): Other[] {
  const { tokens, firstTarget, kind } = store;
  const own = tokens.value[token]?.id;
  if (cols.end - cols.start > 1) return [];
  const all =
    kind.value === "classes" && wayToContrast(store) !== null
      ? tokens.value
          .slice(firstTarget.value)
          .map(({ id, text }, col) => ({
            id,
            text,
            probability: stepNow(store, col)?.value ?? stepNow(store, col)?.probability ?? 0,
          }))
          .sort((a, b) => b.probability - a.probability)
      : (stepNow(store, cols.start)?.alternatives ?? []);
  return all
    .filter(({ id }) => id !== own)
    .slice(0, MANY)
    .map(({ id, text, probability }) => ({ id, name: labelOf({ text }), number: probability }));
}

function percentage(p: number): string {
  return `${100 * Math.min(1, p)}%`;
}

export function targetLine(context: ViewContext): HTMLElement {
  const { store, send, signal } = context;
  const root = h("div", { className: "sw-target-line" });
  const chips = Array.from({ length: MANY }, (_, k) => chip(k));
  /** Holds what is tried as it was drawn last, and the tokens that the chips stood for. */
  let drawn = store.whatIf.value;
  let ids: readonly number[] = [];

  /** Returns the button of the k-th alternative, with its actions. It is reused for every target. */
  function chip(k: number): HTMLButtonElement {
    const button = h("button", { type: "button", className: "sw-alternative" });
    const panel = h("div", { role: "menu" });
    const popover = createPopover(context, button, panel, "start", () => {
      const { value: shown } = store.shown;
      const other = shown === null ? undefined : othersOf(store, shown)[k];
      render(shown === null || other === undefined ? nothing : items(shown, other), panel);
      panel.setAttribute("aria-label", `Instead of this: ${other?.name}`);
    });
    const item = (what: TemplateResult, choose: () => void) =>
      html`<button type="button" role="menuitem" class="sw-item" @click=${() => {
        popover.close();
        choose();
      }}>${what}</button>`;
    /** The alternatives on show are those of the text with the change, so that is the text that goes on. */
    const changed = () => (store.whatIf.value === null ? {} : changeOf(store.whatIf.value));
    function where(): TemplateResult | typeof nothing {
      const { value: whatIf } = store.whatIf;
      if (whatIf === null) return nothing;
      return whatIf.text === null ? html`, without ${struckQuoted(store, whatIf.rows)}` : html` in the edited text`;
    }
    function items({ col, token }: Shown, { id, name }: Other): TemplateResult {
      const target = nameOf(store, { start: token, end: token + 1 });
      const way = wayToContrast(store);
      return html`${way === null ? nothing : item(html`${whyNot(target, name)}?`, () => askFor(context, { ...way, foil: id, col }))}
        ${
          store.kind.value === "classes"
            ? nothing
            : item(html`Write ${quoted(name)} instead and go on${where()}`, () =>
                send({ type: "branch", col, token: id, ...changed() }),
              )
        }`;
    }
    return button;
  }

  /** Says where bar and chips stand; returns what moves them from there to where they stand by then. */
  function standing(): () => void {
    const bar = () => root.querySelector<HTMLElement>(".sw-target-bar i");
    const width = bar()?.style.width;
    const places = new Map(ids.map((id, k) => [id, chips[k]?.getBoundingClientRect()]));
    return () => {
      if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
      const after = bar();
      if (width !== undefined) after?.animate?.([{ width }, { width: after.style.width }], MOVE);
      for (const [k, id] of ids.entries()) {
        const [from, chip] = [places.get(id), chips[k]];
        const to = chip?.getBoundingClientRect();
        const begin =
          from === undefined || to === undefined
            ? { opacity: 0 }
            : { transform: `translate(${from.left - to.left}px, ${from.top - to.top}px)` };
        chip?.animate?.([begin, {}], MOVE);
      }
    };
  }

  /** The token that a target is set against, and the way back to the whole map. */
  function contrast(): TemplateResult | typeof nothing {
    const about = contrastOf(store);
    const { value: map } = store.map;
    if (about === null || map === null) return nothing;
    const { method, objective } = map.info;
    const leave = () => askFor(context, { method, objective });
    return html`<span class="sw-contrast"><span>${whyNot(about.target, about.foil)}</span><button
        type="button"
        class="sw-plain"
        aria-label="Back to the map without this contrast"
        @click=${leave}
        @keydown=${({ key }: KeyboardEvent) => key === "Escape" && leave()}
      >×</button></span>`;
  }

  /** The target's number in each of two texts; pressed, that text's map goes on show. */
  function sides(beside: ReturnType<typeof numbersBeside>): TemplateResult {
    const now = mapOnShow(store)?.method;
    return html`<span class="sw-picks" role="group" aria-label="Whose map to show">${beside.map(
      ([map, name, said]) =>
        html`<button type="button" class="sw-pick" aria-pressed=${map === now} @click=${() => askMap(context, map)}><bdi>${name}</bdi> <span class="sw-probability">${said ?? NOT_THERE}</span></button>`,
    )}</span>`;
  }

  watch(signal, () => {
    const { value: shown } = store.shown;
    root.hidden = shown === null || store.look.value.turned;
    if (shown === null || root.hidden) return;
    const { cols } = shown;
    const number = numberOf(store, shown);
    const others = othersOf(store, shown);
    const beside = numbersBeside(store, cols);
    const known = (of?: typeof stepNow) => (number === null ? null : probabilityOf(store, shown, of));
    const [was, is] = [known(), known(stepNow)];
    const isMoved = store.whatIf.value !== null && was !== is;
    const moves = drawn === store.whatIf.value ? null : standing();
    drawn = store.whatIf.value;
    ids = others.map(({ id }) => id);
    const hadFocus = hasFocus(root);
    for (const [k, other] of others.entries())
      render(
        html`<bdi>${other.name}</bdi>${
          store.raw.value
            ? html` <span class="sw-muted">${significant(other.number)}</span>`
            : probability(other.number)
        }`,
        chips[k] as HTMLElement,
      );
    render(
      html`<bdi class="sw-target-name">${nameOfTargets(store, shown.cols)}</bdi>
        ${is === null || beside.length > 0 ? nothing : html`<span class="sw-target-bar" aria-hidden="true"><i style="width: ${percentage(is)}"></i></span>`}
        ${beside.length > 0 ? sides(beside) : number === null ? nothing : html`<span class="sw-probability">${isMoved && is !== null ? `p = ${share(is)}` : number}</span>`}
        ${isMoved && was !== null ? html`<span class="sw-muted">was ${share(was)}</span>` : nothing}
        ${cols.end - cols.start === 1 ? nothing : html`<span class="sw-muted">${joinedText(store, cols)}</span>`}
        ${
          others.length === 0
            ? nothing
            : html`<span class="sw-muted">${store.raw.value ? "beside" : "instead of"}</span>
              ${
                store.alive.value
                  ? html`<span class="sw-alternatives">${chips.slice(0, others.length)}</span>`
                  : html`<span class="sw-inputs">${others.map(
                      ({ name, number: of }) =>
                        html`<span class="sw-input"><bdi>${name}</bdi> ${store.raw.value ? significant(of) : share(of)}</span>`,
                    )}</span>`
              }`
        }
        ${contrast()}`,
      root,
    );
    moves?.();
    // The contrast is gone, and with it the focus of who left it by key.
    if (hadFocus && !hasFocus(root)) chips[0]?.focus();
  });
  return root;
}
