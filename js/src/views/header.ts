/** The header: the model, the menus of methods and objectives, and the reading options. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import type { WireMethod } from "../protocol";
import { askMap, mapOnShow } from "./ask";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { KEYS, MOUSE } from "./keys";
import { granularitySelect, optionsButton } from "./options";
import { createPopover } from "./popover";
import { meaningOf, timeOf } from "./says";

const AT_HAND = 3;

/** Returns a name that may be broken where a part of it ends: after a dash, and before a capital letter. */
function breakable(name: string): TemplateResult[] {
  return name.split(/(?<=[-_/.])|(?<=\p{Ll})(?=\p{Lu})/u).map((part) => html`${part}<wbr>`);
}

export function headerView(context: ViewContext): { element: HTMLElement; toggleHelp: () => void } {
  const { store, signal } = context;
  const name = h("div", { className: "sw-model" });
  const methods = h("div", { className: "sw-methods", role: "group", ariaLabel: "Method" });
  const objective = h("div", { className: "sw-objective" });
  const help = h("button", { type: "button", className: "sw-round sw-help", ariaLabel: "How to read this" }, "?");
  const more = h("button", { type: "button", className: "sw-method sw-more" });
  const buttons = h("span", { className: "sw-methods-at-hand" });
  methods.append(buttons, more);
  const element = h(
    "div",
    { className: "sw-header" },
    name,
    methods,
    h("div", { className: "sw-header-end" }, granularitySelect(context), objective, optionsButton(context), help),
  );

  const current = () => mapOnShow(store);
  const ask = (method: string, objective?: string) => askMap(context, method, objective);

  const split = (all: readonly WireMethod[]) => {
    const able = all.filter(({ reason }) => reason === null);
    const atHand = able.slice(0, AT_HAND);
    return { atHand, rest: all.filter((method) => !atHand.includes(method)) };
  };

  /** Returns what the (i) of a method says where its map of the pinned target is no better than chance. */
  const chanceOf = (method: string) => {
    const target = store.atChance(method);
    return target === null ? "" : `⚠ No better than chance for “${target}”.`;
  };

  function familyGroup(family: string, methods: readonly WireMethod[]): TemplateResult | typeof nothing {
    if (methods.length === 0) return nothing;
    return html`<div role="group" class="sw-family" aria-label=${family}>
      <div class="sw-label" aria-hidden="true">${family}</div>
      ${methods.map(item)}
    </div>`;
  }

  function item(method: WireMethod): TemplateResult {
    const { id, label, reason } = method;
    function choose(): void {
      if (reason !== null) return;
      menuPopover.close();
      ask(id);
    }
    return html`<button
      type="button"
      role="menuitemradio"
      class="sw-item"
      aria-checked=${id === current()?.method}
      aria-disabled=${reason !== null}
      @click=${choose}
    ><span>${label}</span><small>${reason ?? html`${meaningOf(store, method)} ${timeOf(method)} ${chanceOf(id)}`}</small></button>`;
  }

  const menu = h("div", { role: "menu", ariaLabel: "More methods" });
  const menuPopover = createPopover(context, more, menu, "start", () => {
    const all = store.menu.value?.methods ?? [];
    const { rest } = split(all);
    render(
      [...new Set(all.map(({ family }) => family))].map((family) =>
        familyGroup(
          family,
          rest.filter((method) => method.family === family),
        ),
      ),
      menu,
    );
  });

  const keys = h("div", { className: "sw-shortcuts", role: "dialog", ariaLabel: "How to read this" });
  const helpPopover = createPopover(context, help, keys, "end", () => {
    const known = (all: typeof KEYS) => all.filter(([, , asks]) => store.alive.value || !asks);
    const { value: method } = store.method;
    const list = (all: typeof KEYS) =>
      html`<dl class="sw-keys">${known(all).map(([key, what]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>`;
    render(
      html`${method === null ? nothing : html`<h3 class="sw-card-title">Colours</h3><p>${meaningOf(store, method)}</p>`}
        <h3 class="sw-card-title">Mouse</h3>
        ${list(MOUSE)}
        <h3 class="sw-card-title">Keyboard</h3>
        ${list(KEYS)}`,
      keys,
    );
  });

  const objectiveMenu = h("div", { role: "menu", ariaLabel: "What is explained" });
  const objectiveButton = h("button", { type: "button", className: "sw-plain", title: "What is explained" });
  const objectivePopover = createPopover(context, objectiveButton, objectiveMenu, "end", () => {
    const asked = current();
    const choose = (id: string) => {
      objectivePopover.close();
      if (asked !== null) ask(asked.method, id);
    };
    render(
      store.menu.value?.objectives.map(
        ({ id, label, means }) => html`<button
            type="button"
            role="menuitemradio"
            class="sw-item"
            aria-checked=${id === asked?.objective}
            @click=${() => choose(id)}
          ><span>${label}</span><small>${means}</small></button>`,
      ),
      objectiveMenu,
    );
  });
  objective.append(objectiveButton);

  watch(signal, () => {
    const { value: document } = store.document;
    render(
      document === null
        ? nothing
        : html`<b>${breakable(document.model)}</b> <span class="sw-muted">${document.device} · ${document.dtype}</span>`,
      name,
    );
  });

  watch(signal, () => {
    const all = store.menu.value?.methods ?? [];
    const { atHand, rest } = split(all);
    const chosen = current()?.method;
    const elsewhere = rest.find(({ id }) => id === chosen);
    methods.hidden = all.length === 0;
    render(
      atHand.map(
        ({ id, label, reads, ...more }) => html`<button
          type="button"
          class=${store.atChance(id) === null ? "sw-method" : "sw-method sw-at-chance"}
          title=${`${reads} ${timeOf(more)} ${chanceOf(id)}`.trim()}
          aria-pressed=${id === chosen}
          @click=${() => ask(id)}
        >${label}</button>`,
      ),
      buttons,
    );
    more.hidden = rest.length === 0;
    more.textContent = `${elsewhere?.label ?? "more"} ▾`;
    more.classList.toggle("sw-chosen", elsewhere !== undefined);
  });

  watch(signal, () => {
    const objectives = store.menu.value?.objectives ?? [];
    const asked = current();
    const card = store.methodCalled(asked?.method);
    const idle = card !== undefined && !card.uses_objective;
    objective.hidden = objectives.length < 2 || asked === null;
    const [label = asked?.objective] = objectives.filter(({ id }) => id === asked?.objective).map((one) => one.label);
    objectiveButton.textContent = `${label} ▾`;
    objectiveButton.disabled = idle;
    objectiveButton.title = idle ? `${card.label} does not look at the objective.` : "What is explained";
  });
  return { element, toggleHelp: helpPopover.toggle };
}
