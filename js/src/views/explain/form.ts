/** The form of a question: the explainer, the prompt, and the text. */

import { html, nothing, render, type TemplateResult } from "lit-html";
import type { Explainers, WireExplainer, WirePrompt } from "../../protocol";
import type { ViewContext } from "../context";
import { h, watch } from "../dom";
import {
  draftOf,
  editTemplate,
  isChoice,
  isOfHomework,
  isWhy,
  promptsOf,
  type Question,
  questionOf,
  typedLabels,
  withTarget,
} from "./draft";

const PLACE = "{review}";
/** The prompts in groups: about the word on show, about labels of the reader's own, and those of the course. */
const GROUPS: readonly [name: string | null, belongs: (prompt: WirePrompt) => boolean][] = [
  [null, isWhy],
  ["Labels of your own", isChoice],
  ["Movie review (homework 7)", isOfHomework],
];
const COMPARES =
  "Asks the model on show to score each word, and sets that beside what the methods compute for its answer.";
const SERVER_COMPARES =
  "Asks it three times to score each word, and sets that beside its own map: a request for each word, without it.";

export function formView({ store, send, signal }: ViewContext): HTMLElement {
  const draft = draftOf(store);
  const root = h("div", { className: "sw-form", role: "group", ariaLabel: "Ask for an explanation" });
  const note = `sw-note-${crypto.randomUUID()}`;

  const hasPlace = ({ template }: Question) => template.includes(PLACE);
  const canAsk = (question: Question) => canCompare(question) && hasPlace(question);

  function ask(): void {
    const question = questionOf(store);
    if (question === null || !canAsk(question)) return;
    const { explainer, prompt, template, review, labels, target, col } = question;
    const about = isWhy(prompt) ? { target, ...(col === null ? {} : { col }) } : {};
    store.explain();
    send({
      type: "explain",
      explainer: explainer.id,
      kind: prompt.kind,
      prompt: template,
      review,
      ...(labels === null ? {} : { labels }),
      ...(isOfHomework(prompt) ? { homework: true } : {}),
      ...about,
    });
  }

  const canCompare = ({ review, labels }: Question) =>
    !store.explaining.value && review.trim() !== "" && (labels === null || labels.length > 1);

  function compare(question: Question): void {
    if (!canCompare(question)) return;
    const { explainer, review, labels } = question;
    store.explain();
    send({ type: "say_versus_do", review, explainer: explainer.id, ...(labels === null ? {} : { labels }) });
  }

  /** Back to what it came with. The button goes, so the focus must go elsewhere. */
  function reset(event: Event, undo: () => void): void {
    const area = (event.currentTarget as Element).closest("details")?.querySelector("textarea");
    undo();
    area?.focus();
  }

  /** The button will go, so the focus must go elsewhere. */
  function stop(): void {
    root.querySelector<HTMLElement>(".sw-primary")?.focus();
    send({ type: "cancel" });
  }

  // Else JupyterLab would run the cell.
  root.addEventListener(
    "keydown",
    (event) => {
      if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
      event.preventDefault();
      event.stopPropagation();
      ask();
    },
    { signal },
  );

  const named = ({ name, where }: WireExplainer) => `${name} · ${where}`;
  const inputOf = (event: Event) => (event.target as HTMLSelectElement | HTMLTextAreaElement).value;

  function who({ explainers }: Explainers, { explainer }: Question): TemplateResult {
    if (explainers.length === 1)
      return html`<span class="sw-explainer"><b>${explainer.name}</b> <span class="sw-muted">${explainer.where}</span></span>`;
    const choose = (event: Event) => {
      draft.explainer.value = inputOf(event);
    };
    return html`<select class="sw-select sw-explainer" aria-label="Who is asked" .value=${explainer.id} @change=${choose}
      >${explainers.map((one) => html`<option value=${one.id} ?selected=${one.id === explainer.id}>${named(one)}</option>`)}</select>`;
  }

  function choices(name: string, options: readonly { id: string; label: string; on: boolean }[]): TemplateResult {
    const choose = (id: string) => () => {
      draft.prompt.value = id;
    };
    return html`<div class="sw-choices" role="group" aria-label=${name}>${options.map(
      ({ id, label, on }) => html`<button
        type="button"
        class="sw-choice"
        aria-pressed=${on}
        @click=${choose(id)}
      >${label}</button>`,
    )}</div>`;
  }

  function how(menu: Explainers, { prompt }: Question): TemplateResult {
    const prompts = promptsOf(store, menu);
    const groups = GROUPS.map(([name, belongs]) => ({ name, prompts: prompts.filter(belongs) }));
    const kinds = groups.flatMap(({ name, prompts: [first, ...others] }) =>
      first === undefined
        ? []
        : [{ id: first.id, label: name ?? first.label, on: [first, ...others].some(({ id }) => id === prompt.id) }],
    );
    const { name, prompts: inside = [] } = groups.find((group) => group.prompts.includes(prompt)) ?? {};
    const ways = inside.map((one) => ({ ...one, on: one.id === prompt.id }));
    return html`${kinds.length > 1 ? choices("What is asked", kinds) : nothing} ${ways.length > 1 ? choices(name ?? "", ways) : nothing}`;
  }

  function labelsField({ labels }: Question): TemplateResult | typeof nothing {
    if (labels === null) return nothing;
    return html`<label class="sw-ask-line sw-labels-line"><span>Labels</span>
      <input
        class="sw-area sw-labels"
        type="text"
        dir="auto"
        placeholder="sport, cooking, science"
        .value=${typedLabels(store)}
        @input=${(event: Event) => {
          draft.labels.value = inputOf(event);
        }}
      /> ${labels.length > 1 ? nothing : html`<span class="sw-quiet">at least two, with commas between them</span>`}</label>`;
  }

  function template(question: Question): TemplateResult {
    const { prompt, template: text } = question;
    const edited = text !== prompt.text;
    return html`<details class="sw-fold">
      <summary>Prompt${edited ? html` <span class="sw-muted">edited</span>` : nothing} ${
        isWhy(prompt)
          ? html`<bdi class="sw-summary">${withTarget(question).replace(PLACE, () => question.review)}</bdi>`
          : nothing
      }</summary>
      <textarea
        class="sw-area"
        rows="7"
        dir="auto"
        spellcheck="false"
        aria-label="Prompt"
        aria-describedby=${note}
        .value=${text}
        @input=${(event: Event) => editTemplate(draft, prompt, inputOf(event))}
      ></textarea>
      <div class="sw-under">
        <span id=${note}>${
          hasPlace(question)
            ? html`<code>${PLACE}</code> stands for the text${isWhy(prompt) ? html`, <code>{target}</code> for the target on show` : nothing}${
                question.labels === null ? nothing : html`, <code>{labels}</code> for the labels`
              }.`
            : html`Write <code>${PLACE}</code> where the text is to stand.`
        }</span>
        ${edited ? resetButton(() => editTemplate(draft, prompt, null)) : nothing}
      </div>
    </details>`;
  }

  function text(question: Question): TemplateResult {
    const { own } = question;
    const set = (value: string | null) => {
      draft.review.value = value === own ? null : value;
    };
    return html`<details class="sw-fold">
      <summary>Text <bdi class="sw-summary">${question.review}</bdi></summary>
      <textarea
        class="sw-area"
        rows="3"
        dir="auto"
        aria-label="Text"
        .value=${question.review}
        @input=${(event: Event) => set(inputOf(event))}
      ></textarea>
      <div class="sw-under"><span></span>${question.review === own ? nothing : resetButton(() => set(null))}</div>
    </details>`;
  }

  const resetButton = (undo: () => void) =>
    html`<button type="button" class="sw-link" @click=${(event: Event) => reset(event, undo)}>Reset</button>`;

  // Not `disabled`, which would drop the focus of who just pressed it, and hand the next keys to the notebook.
  function form(menu: Explainers, question: Question): TemplateResult {
    const busy = store.explaining.value;
    return html`<div class="sw-ask-line">${who(menu, question)} ${how(menu, question)}</div>
      ${labelsField(question)} ${template(question)} ${text(question)}
      <div class="sw-ask-line">
        <button type="button" class="sw-button sw-primary" aria-disabled=${!canAsk(question)} @click=${ask}
          >${busy ? "Explaining …" : "Ask"}</button>
        ${busy ? html`<button type="button" class="sw-button sw-stop" @click=${stop}>Stop</button>` : nothing}
        ${
          question.explainer.compares && !isWhy(question.prompt)
            ? html`<button
                type="button"
                class="sw-button sw-compares"
                title=${question.explainer.is_model ? COMPARES : SERVER_COMPARES}
                aria-disabled=${!canCompare(question)}
                @click=${() => compare(question)}
              >Say versus do</button>`
            : nothing
        }
      </div>`;
  }

  watch(signal, () => {
    const { value: menu } = store.explainers;
    const question = questionOf(store);
    const reason = menu?.reason ?? null;
    render(
      menu !== null && question !== null
        ? form(menu, question)
        : reason === null
          ? nothing
          : html`<p class="sw-quiet">${reason}</p>`,
      root,
    );
  });
  return root;
}
