import { defineConfig } from "vitest/config";

/** Browsers against a real server: `npm run e2e`. */
export default defineConfig({
  test: {
    include: ["e2e/**/*.test.ts"],
    reporters: ["default", "./e2e/reporter.ts"],
    testTimeout: 60_000,
    hookTimeout: 120_000,
    // The tests are the acts of one play.
    bail: 1,
    fileParallelism: false,
  },
});
