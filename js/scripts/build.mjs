// `npm run build`: the bundle that the wheel ships. `npm run dev`: the gallery page, into build/dev/.
import { cp } from "node:fs/promises";
import { build } from "esbuild";

const shared = { bundle: true, minify: true, target: "es2022", legalComments: "none", logLevel: "warning" };

if (process.argv[2] === "dev") {
  await build({ ...shared, minify: false, entryPoints: ["js/dev/fixture.ts"], format: "esm", outdir: "build/dev" });
  await cp("js/dev/index.html", "build/dev/index.html");
} else {
  const out = "src/saliency_widget/static";
  await build({ ...shared, entryPoints: { widget: "js/src/index.ts" }, format: "esm", outdir: out });
  await build({ ...shared, entryPoints: { static: "js/src/static.ts" }, format: "iife", outdir: out });
}
