/** Queries of the builder against the real server: their rows, and that they are those of SQL text. */

import { WebSocket } from "ws";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { SynclineClient, table, type WebSocketConstructor } from "../src/index.js";
import { $, and, count, desc, eq, from, ge, gt, max, not, sum } from "../src/builder/index.js";
import { missing, Server } from "./corpus-server.js";

interface Reading {
  id: bigint;
  sensor: number;
  value: bigint;
  at: bigint;
  quality: number | null;
  level: number;
}

const readings = table<Reading>("reading");

describe.skipIf(missing() !== null).each(["msgpack", "json"] as const)("in %s", (encoding) => {
  let server: Server;
  let client: SynclineClient;
  const database = `builder-${encoding}`;

  beforeAll(async () => {
    server = await Server.start();
    await server.publish(database, "scripted");
    client = new SynclineClient({
      url: server.url,
      database,
      encoding,
      WebSocket: WebSocket as unknown as WebSocketConstructor,
    });
    await client.connect();
    for (const value of [10, 20, 30, 40]) {
      const reading = { id: 0, sensor: value < 40 ? 1 : 2, value, at: value, quality: null, level: 0 };
      await client.call("insert_reading", [reading]);
    }
  });

  afterAll(async () => {
    client.close();
    await server.stop();
  });

  it("shares the live query of the same SQL text", async () => {
    const params = { low: 15 };
    const text = client.subscribe(
      "SELECT id, value FROM reading WHERE sensor = 1 AND value >= :low AND NOT level > 5",
      { params },
    );
    const built = client.subscribe(
      from(readings)
        .where((r) => and(eq(r.sensor, 1), ge(r.value, $.low), not(gt(r.level, 5))))
        .select((r) => ({ id: r.id, value: r.value })),
      { params },
    );
    await Promise.all([text, built].map((each) => new Promise<void>((done) => each.on("ready", done))));
    // What the server calls by one handle is one instance of the client.
    const instances = [text, built].map((each) => (each as unknown as { instance: object }).instance);
    expect(instances[0]).toBe(instances[1]);
    expect(built.rows).toEqual([{ id: 2n, value: 20n }, { id: 3n, value: 30n }]);

    await built.set({ low: 25 });
    expect(built.rows).toEqual([{ id: 3n, value: 30n }]);
    expect(text.rows).toHaveLength(2);
    await client.call("insert_reading", [
      { id: 0, sensor: 1, value: 50, at: 50, quality: 3, level: 1 },
    ]);
    expect(built.rows.map((row) => row.value)).toEqual([30n, 50n]);
    expect(text.rows).toHaveLength(3);
    await expect(built.set({})).rejects.toMatchObject({ code: "SQL_PARAMETER" });
    expect(built.rows).toHaveLength(2);
    text.close();
    built.close();
  });

  it("groups, joins and nests once", async () => {
    const totals = from(readings)
      .where((r) => gt(r.value, 0))
      .groupBy((r) => r.sensor)
      .select((r) => ({ sensor: r.sensor, n: count(), total: sum(r.value) }))
      .orderBy((r) => desc(r.sensor));
    const rows = await client.query(totals);
    expect(rows[0]).toEqual({ sensor: 2, n: 1n, total: 40n });
    expect(await client.query(from(totals).select((t) => ({ most: max(t.n) })))).toEqual([
      { most: rows[1]!.n },
    ]);
    const pairs = from(readings)
      .join(readings, (a, b) => and(eq(a.sensor, b.sensor), gt(b.value, a.value)))
      .where((a) => eq(a.value, 10))
      .select((a, b) => ({ low: a.value, high: b.value }))
      .orderBy((_, b) => b.value)
      .limit(2);
    expect(await client.query(pairs)).toEqual([
      { low: 10n, high: 20n },
      { low: 10n, high: 30n },
    ]);
  });

  it("says where a query is wrong", async () => {
    const wrong = from(table<{ vlaue: bigint }>("reading")).where((r) => and(eq(r.vlaue, 1)));
    await expect(client.query(wrong)).rejects.toMatchObject({
      code: "SQL_UNKNOWN_COLUMN",
      message: expect.stringContaining("where.and[0].eq[0]"),
    });
  });
});
