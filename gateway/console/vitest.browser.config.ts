import { defineConfig } from "vitest/config";

/** Walks through the console in a real browser, against the platform that CONSOLE_URL names (tests/console starts one). */
export default defineConfig({
  test: {
    include: ["tests/**/*.test.ts"],
    environment: "node",
    // One after the other: they share a platform and, in CI, two cores.
    fileParallelism: false,
    testTimeout: 120_000,
    hookTimeout: 60_000,
  },
});
