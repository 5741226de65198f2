/**
 * The button beside the label of a turn, a source or a document that leaves its inputs out of the shares, and counts
 * them again.
 */

import type { Span } from "../../layout";
import { segmentLabel } from "../../pieces";
import { COUNT, isHidden, LEAVE_OUT, toggleHidden } from "../chosen";
import type { ViewContext } from "../context";
import { h, watch } from "../dom";

/** Returns the button. The style sheet draws its label, so that it is not copied with the text. */
export function eye(segment: number): HTMLElement {
  const button = h("button", { type: "button", className: "sw-eye" });
  button.dataset.segment = String(segment);
  return button;
}

/** Returns a function that labels buttons which were just added. */
export function followEyes({ store, signal }: ViewContext, root: HTMLElement): () => void {
  const eyes = root.getElementsByClassName("sw-eye") as HTMLCollectionOf<HTMLElement>;
  const segmentOf = ({ dataset }: HTMLElement) => store.segments.value[Number(dataset.segment)];

  function rowsOf(button: HTMLElement): Span {
    const { start, end } = segmentOf(button) ?? { start: 0, end: 0 };
    return { start, end: Math.min(end, store.firstTarget.value) };
  }

  root.addEventListener(
    "click",
    ({ target }) => {
      const button = target instanceof Element ? target.closest<HTMLElement>(".sw-eye") : null;
      if (button !== null) toggleHidden(store, rowsOf(button));
    },
    { signal },
  );
  function name(): void {
    for (const button of eyes) {
      const [segment, hidden] = [segmentOf(button), isHidden(store, rowsOf(button))];
      const label = segment === undefined ? "" : segmentLabel(segment);
      button.setAttribute("aria-label", `${hidden ? COUNT : LEAVE_OUT}: ${label}`);
      button.classList.toggle("sw-shut", hidden);
    }
  }

  watch(signal, () => {
    void store.hiddenRows.value; // without buttons no other signal is read
    name();
  });
  return name;
}
