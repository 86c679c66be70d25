import { defineConfig } from "vitest/config";

/** Units of `src/lib` that need no browser; `tests` holds those with one. */
export default defineConfig({ test: { include: ["src/**/*.test.ts"], environment: "node" } });
