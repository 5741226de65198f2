/** The header: the model, the menus of methods and objectives, and the reading options. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import type { WireMethod } from "../protocol";
import { askMap, mapOnShow } from "./ask";
import type { ViewContext } from "./context";
import { h, watch } from "./dom";
import { KEYS } from "./keys";
import { granularitySelect, optionsButton } from "./options";
import { createPopover } from "./popover";

const AT_HAND = 3;

export function headerView(context: ViewContext): { element: HTMLElement; toggleHelp: () => void } {
  const { store, signal } = context;
  const name = h("div", { className: "sw-model" });
  const methods = h("div", { className: "sw-methods", role: "group", ariaLabel: "Method" });
  const objective = h("div", { className: "sw-objective" });
  const help = h("button", { type: "button", className: "sw-round sw-help", ariaLabel: "Keyboard shortcuts" }, "?");
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

  function familyGroup(family: string, methods: readonly WireMethod[]): TemplateResult | typeof nothing {
    if (methods.length === 0) return nothing;
    return html`<div role="group" class="sw-family" aria-label=${family}>
      <div class="sw-label" aria-hidden="true">${family}</div>
      ${methods.map(item)}
    </div>`;
  }

  function item({ id, label, reason, cost }: WireMethod): TemplateResult {
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
    ><span>${label}</span><small>${reason ?? cost}</small></button>`;
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

  const keys = h("div", { className: "sw-shortcuts", role: "dialog", ariaLabel: "Keyboard shortcuts" });
  const helpPopover = createPopover(context, help, keys, "end", () => {
    const known = KEYS.filter(([, , asks]) => store.alive.value || !asks);
    render(
      html`<h3 class="sw-card-title">Keyboard</h3>
        <dl class="sw-keys">${known.map(([key, what]) => html`<div><dt><kbd>${key}</kbd></dt><dd>${what}</dd></div>`)}</dl>`,
      keys,
    );
  });

  watch(signal, () => {
    const { value: document } = store.document;
    render(
      document === null
        ? nothing
        : html`<b>${document.model}</b> <span class="sw-muted">${document.device} · ${document.dtype}</span>`,
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
        ({ id, label, reads }) => html`<button
          type="button"
          class="sw-method"
          title=${reads}
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
    render(
      objectives.length < 2 || asked === null
        ? nothing
        : html`<select
            class="sw-select"
            aria-label="What is explained"
            title=${idle ? `${card.label} does not use the objective.` : "What is explained"}
            ?disabled=${idle}
            .value=${asked.objective}
            @change=${(event: Event) => ask(asked.method, (event.target as HTMLSelectElement).value)}
          >${objectives.map(({ id, label }) => html`<option value=${id} ?selected=${id === asked.objective}>${label}</option>`)}</select>`,
      objective,
    );
  });
  return { element, toggleHelp: helpPopover.toggle };
}
