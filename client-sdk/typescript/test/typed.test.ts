/** Generated code over the client, at run time and in types. */

import { readFileSync } from "node:fs";
import { WebSocket } from "ws";
import { afterEach, beforeEach, expect, expectTypeOf, it } from "vitest";
import { query, SynclineClient, type Schema, type Subscription } from "../src/index.js";
import { eventually } from "./eventually.js";
import { FakeServer } from "./fake-server.js";
import * as board from "./fixtures/board.generated.js";
import * as types from "./fixtures/types.generated.js";

const schemaOf = (name: string): Schema => {
  const path = new URL(`./fixtures/${name}.schema.json`, import.meta.url);
  return JSON.parse(readFileSync(path, "utf8")) as Schema;
};

let server: FakeServer;
let client: SynclineClient;

beforeEach(async () => {
  server = await FakeServer.start();
  client = new SynclineClient({ url: server.url, database: "board", WebSocket });
});

afterEach(async () => {
  client.close();
  await server.stop();
});

it("calls with named arguments and typed results", async () => {
  server.schema = schemaOf("types");
  const db = types.typed(client);
  const [peer] = await Promise.all([server.peer(), client.connect()]);
  const shape: types.Shape = { tag: "Dot", value: { x: 1, y: 2 } };
  const put = db.call.put({ shape, counted: { count: 1 } });
  expectTypeOf(put).toEqualTypeOf<Promise<bigint>>();
  const call = await peer.take("call");
  expect(call["reducer"]).toBe("put");
  // Tag, two doubles, no note, a count.
  expect(call["args"]).toHaveLength(1 + 16 + 1 + 4);
  peer.reply(call, 1, { type: "u64", value: 5n });
  expect(await put).toBe(5n);

  const found = db.call.find_point({ id: 1 });
  expectTypeOf(found).toEqualTypeOf<Promise<types.PointType | null>>();
  const point = server.schema.reducers.find(({ name }) => name === "find_point")!.returns!;
  peer.reply(await peer.take("call"), 1, { type: point, value: { x: 1, y: 2 } });
  expect(await found).toEqual({ x: 1, y: 2 });

  const reset = db.call.reset();
  expectTypeOf(reset).toEqualTypeOf<Promise<void>>();
  peer.reply(await peer.take("call"), 2);
  await reset;
  expect(db.client).toBe(client);
});

it("knows the rows of its tables", async () => {
  server.schema = schemaOf("board");
  void client.connect();
  const db = board.typed(client);
  expect(db.table).toBe(board.tables);
  expect(board.tables.pixel.name).toBe("pixel");
  expect(board.tables.pixel.sql).toBe('SELECT * FROM "pixel"');
  expect(board.tables.pixel.where("x < :x").sql).toBe('SELECT * FROM "pixel" WHERE x < :x');
  const subscription = client.subscribe(db.table.pixel);
  expectTypeOf(subscription).toEqualTypeOf<Subscription<board.Pixel>>();
  const rows = client.query(db.table.painter.where("painted > :n"), { n: 5n });
  expectTypeOf(rows).toEqualTypeOf<Promise<board.Painter[]>>();
  const custom = client.subscribe(query<{ n: bigint }>("SELECT count(*) AS n FROM pixel"));
  expectTypeOf(custom.rows).toEqualTypeOf<readonly { n: bigint }[]>();
  subscription.on("update", (old, now) => {
    expectTypeOf(old).toEqualTypeOf<board.Pixel>();
    expectTypeOf(now.x).toEqualTypeOf<number>();
  });

  const peer = await server.peer();
  expect((await peer.take("subscribe"))["sql"]).toBe(db.table.pixel.sql);
  const description = {
    columns: [{ name: "painted", type: "u64" as const, hidden: false }],
    key: [0],
    order: [],
  };
  const asked = await peer.take("query");
  const head = { id: asked["id"], lsn: 1 };
  peer.chunk("rows", head, description, { rows: [[7n]], isFirst: true, isLast: true });
  expect((await rows)[0]!.painted).toBe(7n);
  await eventually(() => expect(client.state).toBe("online"));
});

it("does not compile with arguments that the reducer does not have", () => {
  const { call } = board.typed(client);
  type Calls = typeof call;
  expectTypeOf<Parameters<Calls["paint"]>>().toEqualTypeOf<
    [args: { x: number; y: number; color: number }]
  >();
  expectTypeOf<Parameters<Calls["hide_cursor"]>>().toEqualTypeOf<[]>();
  expectTypeOf<Calls>().not.toHaveProperty("erase");
  // @ts-expect-error: color is missing
  const wrong: Parameters<Calls["paint"]>[0] = { x: 1, y: 2 };
  expect(wrong).toBeDefined();
});
