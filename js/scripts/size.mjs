// Every saved widget carries the bundle into its notebook, and every static map carries static.js: size is a feature.
// As a script: says how large they are, and fails beyond the limits; with `keep` it writes the sizes into js/sizes.json,
// which is committed, so that each build says by how much it differs.
import { readFile, writeFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";

const folder = "src/saliency_widget/static/";
const KEPT = "js/sizes.json";
const LIMITS = [
  { name: "widget.js + widget.css, gzipped", files: ["widget.js", "widget.css"], gzip: true, limit: 90_000 },
  { name: "browse.js + browse.css, gzipped", files: ["browse.js", "browse.css"], gzip: true, limit: 10_000 },
  { name: "static.js", files: ["static.js"], gzip: false, limit: 10_000 },
];

async function measured({ files, gzip }) {
  const parts = await Promise.all(files.map((file) => readFile(folder + file)));
  return parts.reduce((sum, part) => sum + (gzip ? gzipSync(part).length : part.length), 0);
}

/** Prints the sizes, each beside the last committed one, and returns them by name; null where one is beyond its limit. */
export async function report() {
  const kept = JSON.parse(await readFile(KEPT, "utf8"));
  const sizes = {};
  let fits = true;
  for (const what of LIMITS) {
    const bytes = await measured(what);
    const change = bytes - (kept[what.name] ?? 0);
    const said = change === 0 ? "as committed" : `${change > 0 ? "+" : "−"}${Math.abs(change)}`;
    process.stdout.write(`${what.name}: ${bytes} bytes (${said}), limit ${what.limit}\n`);
    sizes[what.name] = bytes;
    fits &&= bytes <= what.limit;
  }
  return fits ? sizes : null;
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const sizes = await report();
  if (sizes === null) process.exitCode = 1;
  else if (process.argv[2] === "keep") await writeFile(KEPT, `${JSON.stringify(sizes, null, 2)}\n`);
}
