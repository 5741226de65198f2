/** Text for the clipboard. */

import { h } from "./dom";

/** `layer`: where something may be written that nobody sees. */
export async function copy(text: string, layer: HTMLElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // Not allowed here, or the page is not served safely: the old way.
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
