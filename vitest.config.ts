import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

// lit-html's production build, the one that is shipped: the other warns at each run that it is not meant for production.
const litHtml = fileURLToPath(new URL("node_modules/lit-html/lit-html.js", import.meta.url));

export default defineConfig({
  define: { BUILD: JSON.stringify("of the tests") },
  resolve: { alias: [{ find: /^lit-html$/, replacement: litHtml }] },
  test: {
    environment: "happy-dom",
    // One document serves all files of a thread, whose tests leave none of their own in it: half the time of a new one each.
    pool: "threads",
    isolate: false,
    include: ["js/tests/**/*.test.ts"],
    setupFiles: ["js/tests/setup.ts"],
    testTimeout: 60_000, // a guard against what never ends, no claim: a machine may be busy
  },
});
