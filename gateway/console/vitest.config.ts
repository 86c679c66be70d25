import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";

/** Units of `src` that need no browser; `tests` holds those with one. Runes work as in a browser. */
export default defineConfig({
  plugins: [svelte({ dynamicCompileOptions: () => ({ generate: "client" as const }) })],
  resolve: { conditions: ["browser"] },
  test: { include: ["src/**/*.test.ts"], environment: "node" },
});
