/** Text for the clipboard. */

import { h } from "./dom";

/** Copies a text. `layer`: a place for a hidden text field. */
export async function copy(text: string, layer: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // The clipboard API is forbidden, or the page is not secure: use the old way.
    const focused = (layer.getRootNode() as Document | ShadowRoot).activeElement as HTMLElement | null;
    const area = h("textarea", { className: "sw-unseen", value: text });
    layer.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    focused?.focus();
    if (!done) throw new Error("not allowed here");
  }
}
