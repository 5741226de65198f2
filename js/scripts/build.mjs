// `npm run build`: the bundle that the wheel ships. `npm run dev`: the gallery page, into build/dev/.
import { createHash } from "node:crypto";
import { cp, readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { report } from "./size.mjs";

const shared = { bundle: true, minify: true, target: "es2022", legalComments: "none", logLevel: "warning" };
const out = "src/saliency_widget/static";

const BUILD = "of the code itself"; // stands in for its hash until there is one

/** The script of the static map: the kernel sends it to the page, which puts it into the files it makes. */
async function buildHoverScript(outdir) {
  await build({ ...shared, entryPoints: { static: "js/src/static.ts" }, format: "iife", outdir });
}

if (process.argv[2] === "dev") {
  const outdir = "build/dev";
  await buildHoverScript(outdir);
  await build({ ...shared, minify: false, entryPoints: ["js/dev/fixture.ts"], format: "esm", outdir });
  await cp("js/dev/index.html", `${outdir}/index.html`);
} else {
  await buildHoverScript(out);
  const define = { BUILD: JSON.stringify(BUILD) };
  await build({ ...shared, define, entryPoints: { widget: "js/src/index.ts" }, format: "esm", outdir: out });
  await build({ ...shared, entryPoints: { browse: "js/src/browse.ts" }, format: "esm", outdir: out });
  const code = await readFile(`${out}/widget.js`, "utf8");
  const hash = createHash("sha256").update(code).digest("hex").slice(0, 12);
  await writeFile(`${out}/widget.js`, code.replaceAll(BUILD, hash));
  await report();
}
