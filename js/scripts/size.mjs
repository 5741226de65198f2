// Every saved widget carries the bundle into its notebook, and every static map carries static.js: size is a feature.
import { readFile } from "node:fs/promises";
import { gzipSync } from "node:zlib";

const folder = "src/saliency_widget/static/";
const limits = [
  { files: ["widget.js", "widget.css"], gzip: true, limit: 64_000 },
  // As much as it takes to say for every target what the page says for its first: names, ranks, legend, scale, theme.
  { files: ["static.js"], gzip: false, limit: 5_200 },
];
for (const { files, gzip, limit } of limits) {
  const parts = await Promise.all(files.map((name) => readFile(folder + name)));
  const bytes = parts.reduce((sum, part) => sum + (gzip ? gzipSync(part).length : part.length), 0);
  process.stdout.write(`${files.join(" + ")}: ${bytes} bytes${gzip ? " gzipped" : ""}, limit ${limit}\n`);
  if (bytes > limit) process.exitCode = 1;
}
