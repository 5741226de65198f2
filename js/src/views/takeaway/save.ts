/** Saves files and pictures from the page. */

import { h } from "../dom";
import type { Picture } from "./picture";

const SOON = 60_000; // ms for which the file is kept: a browser may ask where to save before it reads it
const SLICE = 24; // ms of work between two frames
const LARGEST = 16_000; // pixels of a canvas on a side, in all browsers

export function download(name: string, file: Blob): string {
  const url = URL.createObjectURL(file);
  h("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), SOON);
  return `${name} is saved.`;
}

/** Assembles a file without blocking the page; each part is handed to the browser at once. */
export async function gathered(parts: Iterable<string>): Promise<Blob> {
  const blobs: Blob[] = [];
  let began = performance.now();
  for (const part of parts) {
    blobs.push(new Blob([part]));
    if (performance.now() - began < SLICE) continue;
    await new Promise((resolve) => setTimeout(resolve));
    began = performance.now();
  }
  return new Blob(blobs);
}

/** Returns a PNG at twice the size, or less if the picture is too large for that. */
export async function png({ text, width, height }: Picture): Promise<Blob> {
  const image = new Image();
  image.src = `data:image/svg+xml,${encodeURIComponent(text)}`;
  await image.decode();
  const scale = Math.min(2, LARGEST / width, LARGEST / height);
  const canvas = h("canvas", { width: scale * width, height: scale * height });
  canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
  const blob = await new Promise<Blob | null>((resolve) => canvas.toBlob(resolve));
  if (blob === null) throw new Error("too large a picture");
  return blob;
}
