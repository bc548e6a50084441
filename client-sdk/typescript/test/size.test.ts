/** The client stays small: a page that shows a counter should not pay for a database. */

import { gzipSync } from "node:zlib";
import { build, type Rollup } from "vite";
import { expect, it } from "vitest";

const BYTES_MAX = 20_000;

it("is at most 20 kB, minified and compressed", async () => {
  const entry = new URL("../src/index.ts", import.meta.url).pathname;
  const result = (await build({
    configFile: false,
    logLevel: "silent",
    build: { write: false, minify: true, lib: { entry, formats: ["iife"], name: "syncline" } },
  })) as Rollup.RollupOutput[];
  const code = result.flatMap(({ output }) => output).map((it) => ("code" in it ? it.code : ""));
  const bytes = gzipSync(code.join("")).length;
  expect(bytes).toBeGreaterThan(3_000);
  expect(bytes).toBeLessThanOrEqual(BYTES_MAX);
});
