// `npm run build`: the bundle that the wheel ships. `npm run dev`: the gallery page, into build/dev/.
import { createHash } from "node:crypto";
import { cp, readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { minify } from "terser";

const shared = { bundle: true, minify: true, target: "es2022", legalComments: "none", logLevel: "warning" };

const BUILD = "of the code itself"; // stands in for its hash until there is one

/** Every saved notebook carries what is built: terser makes it 6 % smaller than esbuild does. */
async function shrink(file) {
  const { code } = await minify(await readFile(file, "utf8"), {
    module: true,
    ecma: 2020,
    // No getter is pure: to read a signal's `value` is to follow it, also where nothing is done with it.
    // Constants stay on the right of a comparison: `===void 0` is written 200 times, and gzip sees it.
    compress: { passes: 3, pure_getters: false, unsafe: true, unsafe_arrows: true, lhs_constants: false },
    format: { comments: false },
  });
  // What is left of line breaks is the indentation of templates, which HTML reads as a space.
  const small = code.replace(/\n\s+/g, " ");
  const hash = createHash("sha256").update(small).digest("hex").slice(0, 12);
  await writeFile(file, small.replaceAll(BUILD, hash));
}

if (process.argv[2] === "dev") {
  await build({ ...shared, minify: false, entryPoints: ["js/dev/fixture.ts"], format: "esm", outdir: "build/dev" });
  await cp("js/dev/index.html", "build/dev/index.html");
} else {
  const out = "src/saliency_widget/static";
  const plain = { ...shared, minifySyntax: false, minifyIdentifiers: false, outdir: out };
  await build({
    ...plain,
    define: { BUILD: JSON.stringify(BUILD) },
    entryPoints: { widget: "js/src/index.ts" },
    format: "esm",
  });
  await build({ ...plain, entryPoints: { static: "js/src/static.ts" }, format: "iife" });
  for (const name of ["widget", "static"]) await shrink(`${out}/${name}.js`);
}
