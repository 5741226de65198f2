/** SVG as text. Pure: views/takeaway/picture reads positions and colours off the page. */

import { glyphs } from "../format";

/** Code points that XML 1.0 forbids: control characters, lone surrogates, and two noncharacters. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
const NOT_XML = /[\0-\x08\v\f\x0e-\x1f\ud800-\udfff\ufffe\uffff]/gu;

/** Escapes a text for XML, with signs for forbidden characters. */
export function xml(text: string): string {
  return text
    .replace(NOT_XML, (char) => (char < "\ufffe" ? (glyphs(char)[0]?.text ?? "") : "\ufffd"))
    .replace(/[&<>"]/g, (char) => `&#${char.charCodeAt(0)};`);
}

/** Returns an element. Numbers are pixels, to the hundredth; undefined attributes are left out. `inside`: XML. */
export function tag(name: string, attributes: Record<string, string | number | undefined>, inside = ""): string {
  const own = Object.entries(attributes).map(([key, value]) =>
    value === undefined ? "" : ` ${key}="${typeof value === "number" ? Math.round(100 * value) / 100 : xml(value)}"`,
  );
  return `<${name}${own.join("")}>${inside}</${name}>\n`;
}
