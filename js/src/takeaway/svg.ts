/** SVG as text. Pure: what stands where, and in which colour, is read off the page (views/takeaway/picture). */

import { glyphs } from "../format";

/** What XML 1.0 has no character for: control characters, halves of pairs, and two that are none. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_XML = /[\0-\x08\v\f\x0e-\x1f\ud800-\udfff\ufffe\uffff]/gu;

/** The text for XML, where what cannot be in it stands as its sign. */
export function xml(text: string): string {
  return text
    .replace(NOT_XML, (char) => (char < "\ufffe" ? (glyphs(char)[0]?.text ?? "") : "\ufffd"))
    .replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Numbers are in pixels, to the hundredth; what is undefined is left out. `inside` is XML. */
export function tag(name: string, attributes: Record<string, string | number | undefined>, inside = ""): string {
  const own = Object.entries(attributes).map(([key, value]) =>
    value === undefined ? "" : ` ${key}="${typeof value === "number" ? Math.round(100 * value) / 100 : xml(value)}"`,
  );
  return `<${name}${own.join("")}>${inside}</${name}>\n`;
}
