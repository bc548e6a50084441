/** The client stays small: a page that shows a counter should not pay for a database. */

import { gzipSync } from "node:zlib";
import { build, type Rollup } from "vite";
import { expect, it } from "vitest";

const BYTES_MAX = 20_000;
/** The query builder, for those who want it. */
const BUILDER_BYTES_MAX = 3_000;

/** Bytes of an entry, minified and compressed. */
async function sizeOf(path: string): Promise<number> {
  const entry = new URL(path, import.meta.url).pathname;
  const result = (await build({
    configFile: false,
    logLevel: "silent",
    build: { write: false, minify: true, lib: { entry, formats: ["iife"], name: "syncline" } },
  })) as Rollup.RollupOutput[];
  const code = result.flatMap(({ output }) => output).map((it) => ("code" in it ? it.code : ""));
  return gzipSync(code.join("")).length;
}

it("is at most 20 kB, minified and compressed", async () => {
  const bytes = await sizeOf("../src/index.ts");
  expect(bytes).toBeGreaterThan(3_000);
  expect(bytes).toBeLessThanOrEqual(BYTES_MAX);
});

it("has a query builder of at most 3 kB beside it", async () => {
  const bytes = await sizeOf("../src/builder/index.ts");
  expect(bytes).toBeGreaterThan(500);
  expect(bytes).toBeLessThanOrEqual(BUILDER_BYTES_MAX);
});
