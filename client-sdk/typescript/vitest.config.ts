import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

export default defineConfig({
  // Generated code, of which the tests have some, imports this package by its name.
  resolve: {
    alias: { "@syncline/client": fileURLToPath(new URL("./src/index.ts", import.meta.url)) },
  },
  test: { include: ["test/**/*.test.ts"], testTimeout: 30_000 },
});
