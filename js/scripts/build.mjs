// `npm run build`: the bundle that the wheel ships. `npm run dev`: the gallery page, into build/dev/.
import { cp, readFile, writeFile } from "node:fs/promises";
import { build } from "esbuild";
import { minify } from "terser";

const shared = { bundle: true, minify: true, target: "es2022", legalComments: "none", logLevel: "warning" };

/** Every saved widget carries the bundle: terser makes it 6 % smaller than esbuild does. */
async function shrink(file) {
  const { code } = await minify(await readFile(file, "utf8"), {
    module: true,
    ecma: 2020,
    // No getter is pure: to read a signal's `value` is to follow it, also where nothing is done with it.
    compress: { passes: 3, pure_getters: false, unsafe: true, unsafe_arrows: true },
    format: { comments: false },
  });
  // What is left of line breaks is the indentation of templates, which HTML reads as a space.
  await writeFile(file, code.replace(/\n\s+/g, " "));
}

if (process.argv[2] === "dev") {
  await build({ ...shared, minify: false, entryPoints: ["js/dev/fixture.ts"], format: "esm", outdir: "build/dev" });
  await cp("js/dev/index.html", "build/dev/index.html");
} else {
  const out = "src/saliency_widget/static";
  await build({
    ...shared,
    minifySyntax: false,
    minifyIdentifiers: false,
    entryPoints: { widget: "js/src/index.ts" },
    format: "esm",
    outdir: out,
  });
  await shrink(`${out}/widget.js`);
  await build({ ...shared, entryPoints: { static: "js/src/static.ts" }, format: "iife", outdir: out });
}
