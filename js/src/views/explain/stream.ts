/** Text that is being written: nothing but text nodes, and always the newest line in sight, unless the reader looks back. */

import { h } from "../dom";

const SLACK = 4; // px: scroll positions are rounded

export type StreamView = { element: HTMLElement; show(text: string, writing: boolean): void };

export function streamView(signal: AbortSignal): StreamView {
  const node = document.createTextNode("");
  const element = h("div", { className: "sw-said", role: "group", dir: "auto", tabIndex: 0 }, node);
  element.setAttribute("aria-label", "What was written");
  let follows = true;
  element.addEventListener(
    "scroll",
    () => {
      follows = element.scrollTop + element.clientHeight >= element.scrollHeight - SLACK;
    },
    { signal },
  );

  function show(text: string, writing: boolean): void {
    const wasWriting = element.classList.contains("sw-writing");
    element.classList.toggle("sw-writing", writing);
    if (text === node.data) return;
    // What is there stays as it is, and with it what the reader has marked.
    if (text.startsWith(node.data)) node.appendData(text.slice(node.data.length));
    else node.data = text;
    if (follows && (writing || wasWriting)) element.scrollTop = element.scrollHeight;
  }
  return { element, show };
}
