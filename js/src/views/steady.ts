/**
 * What is said below the text is of the target under the mouse, and now and then a line longer. The drawers stand below it:
 * while the mouse is on them these lines keep their height, or it would come to lie on another target, and back.
 */
export function keepSteady(box: HTMLElement, drawers: HTMLElement, signal: AbortSignal): void {
  const lines = box.querySelectorAll<HTMLElement>(".sw-actions, .sw-about, .sw-about > *");
  const release = () => {
    for (const { style } of lines) style.cssText = "";
  };
  const hold = () => {
    for (const line of lines)
      if (!line.style.height && !line.hidden)
        line.style.cssText = `height: ${line.getBoundingClientRect().height}px; overflow: clip`;
  };
  // Before the drawers hear of it and preview something; at each place, since a line may come with a preview.
  drawers.addEventListener("pointerover", hold, { signal, capture: true });
  drawers.addEventListener("pointerleave", release, { signal });
}
