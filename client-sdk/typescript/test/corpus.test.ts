/** The corpus with this client, against the real server, in both encodings. */

import { readdirSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ScriptRun } from "./corpus-run.js";
import { parseScript } from "./corpus-script.js";
import { missing, Server } from "./corpus-server.js";

const folder = fileURLToPath(new URL("../../../tests/corpus/", import.meta.url));
const scripts = readdirSync(folder)
  .filter((file) => file.endsWith(".script"))
  .sort()
  .map((file) => ({
    name: file.replace(".script", ""),
    script: parseScript(readFileSync(`${folder}${file}`, "utf8")),
  }));

const unbuilt = missing();
if (unbuilt) console.error(`the corpus is skipped: ${unbuilt}`);

describe.skipIf(unbuilt !== null)("corpus", () => {
  let server: Server;

  beforeAll(async () => {
    server = await Server.start();
  });

  afterAll(async () => {
    await server.stop();
  });

  test("is there", () => {
    expect(scripts.length).toBeGreaterThanOrEqual(20);
  });

  for (const encoding of ["msgpack", "json"] as const) {
    for (const { name, script } of scripts) {
      test.skipIf(script.needsSocket)(`${name} in ${encoding}`, async () => {
        // A restart opens all databases of a server: better it has one.
        const own = script.needsRestart ? await Server.start() : undefined;
        const run = new ScriptRun(own ?? server, `${name}-${encoding}`, encoding);
        try {
          expect(await run.run(script)).toBeNull();
        } finally {
          run.close();
          await own?.stop();
        }
      });
    }
  }
});
