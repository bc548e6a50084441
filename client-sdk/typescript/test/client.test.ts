/** The client against a server that speaks the protocol, in both encodings. */

import { WebSocket } from "ws";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import {
  ConnectionError,
  memoryTokenStore,
  OutcomeUnknownError,
  QueryError,
  ReducerError,
  SynclineClient,
  type ClientOptions,
  type ResultDescription,
  type Schema,
} from "../src/index.js";
import { eventually } from "./eventually.js";
import { CONNECTION, FakeServer, IDENTITY, type Peer } from "./fake-server.js";

const SCHEMA: Schema = {
  tables: [],
  reducers: [
    {
      name: "paint",
      params: [
        { name: "x", type: "u16" },
        { name: "note", type: { option: "string" } },
      ],
      returns: "u64",
      kind: "call",
    },
    { name: "clear", params: [], returns: null, kind: "call" },
    { name: "setup", params: [], returns: null, kind: "init" },
  ],
};

const PIXELS: ResultDescription = {
  columns: [
    { name: "id", type: "u32", hidden: false },
    { name: "color", type: "string", hidden: false },
    { name: "at", type: "timestamp", hidden: true },
  ],
  key: [0],
  order: [],
};

const RANKED: ResultDescription = { ...PIXELS, order: [{ column: 2, descending: true }] };

describe.each(["msgpack", "json"] as const)("in %s", (encoding) => {
  let server: FakeServer;
  const clients: SynclineClient[] = [];

  beforeEach(async () => {
    server = await FakeServer.start();
    server.schema = SCHEMA;
  });
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await server.stop();
  });

  function makeClient(options: Partial<ClientOptions> = {}): SynclineClient {
    const client = new SynclineClient({
      url: server.url,
      database: "my board",
      encoding,
      WebSocket,
      ...options,
    });
    clients.push(client);
    return client;
  }

  async function connected(
    options: Partial<ClientOptions> = {},
  ): Promise<{ client: SynclineClient; peer: Peer }> {
    const client = makeClient(options);
    const [peer] = await Promise.all([server.peer(), client.connect()]);
    return { client, peer };
  }

  const state = (client: SynclineClient, wanted: string): Promise<void> =>
    eventually(() => expect(client.state).toBe(wanted));

  it("connects, learns who it is and keeps the token", async () => {
    const tokenStore = memoryTokenStore();
    const { client, peer } = await connected({ tokenStore });
    expect(peer.path).toBe("/v1/databases/my%20board/connect");
    expect(client.state).toBe("online");
    expect(client.identity).toBe(IDENTITY);
    expect(client.connectionId).toBe(CONNECTION);
    expect(client.schema).toEqual(SCHEMA);
    expect(server.hellos[0]).toMatchObject({ token: null, delivery: "confirmed" });

    await connected({ tokenStore, delivery: "unconfirmed" });
    expect(server.hellos[1]).toMatchObject({ token: "token-1", delivery: "unconfirmed" });
    await eventually(() => expect(client.stats.roundTripMs).toBeGreaterThan(0));
  });

  it("calls by position and by name, and decodes the result", async () => {
    const { client, peer } = await connected();
    const first = client.call("paint", [7, "hi"]);
    const second = client.call("paint", { x: 8 });
    const clear = client.call("clear");
    const [one, two] = [await peer.take("call"), await peer.take("call")];
    if (encoding === "json") {
      expect(one["args"]).toEqual([7, "hi"]);
      expect(two["args"]).toEqual([8, null]);
    } else {
      expect([...one["args"]]).toEqual([7, 0, 0, 2, 0, 0, 0, 104, 105]);
      expect([...two["args"]]).toEqual([8, 0, 1]);
    }
    peer.reply(two, 5, { type: "u64", value: 2n ** 60n });
    peer.reply(one, 6, { type: "u64", value: 1n });
    peer.reply(await peer.take("call"), 7);
    expect(await first).toBe(1n);
    expect(await second).toBe(2n ** 60n);
    expect(await clear).toBeUndefined();
    expect(client.stats.callMs).toBeGreaterThan(0);
  });

  it("refuses arguments that do not fit before they are sent", async () => {
    const { client, peer } = await connected();
    await expect(client.call("paint", [70000])).rejects.toMatchObject({
      code: "BAD_ARGUMENTS",
      message: "paint.x: expected u16, got 70000",
    });
    await expect(client.call("paint", { y: 1 })).rejects.toThrow("there is no parameter y");
    await expect(client.call("paint", [1, null, 3])).rejects.toThrow("expected 2 arguments, got 3");
    await expect(client.call("pain")).rejects.toMatchObject({ code: "NO_REDUCER" });
    await expect(client.call("setup")).rejects.toMatchObject({ code: "LIFECYCLE_REDUCER" });
    const last = client.call("clear");
    expect(await peer.take("call")).toMatchObject({ reducer: "clear" });
    expect(peer.unread).toEqual([]);
    peer.cut();
    await expect(last).rejects.toBeInstanceOf(OutcomeUnknownError);
  });

  it("has a class for every kind of error", async () => {
    const { client, peer } = await connected();
    const call = client.call("clear");
    peer.fail(await peer.take("call"), "REDUCER_ERROR", "not yours", "ask the owner");
    const error = await call.catch((error: unknown) => error);
    expect(error).toBeInstanceOf(ReducerError);
    expect(error).toMatchObject({ code: "REDUCER_ERROR", message: "not yours", hint: "ask the owner" });
    const query = client.query("SELEC");
    peer.fail(await peer.take("query"), "SQL_SYNTAX", "expected SELECT");
    await expect(query).rejects.toBeInstanceOf(QueryError);
    const unknown = client.call("clear");
    peer.fail(await peer.take("call"), "OUTCOME_UNKNOWN", "the disk failed");
    await expect(unknown).rejects.toBeInstanceOf(OutcomeUnknownError);
    const subscription = client.subscribe("SELECT");
    peer.fail(await peer.take("subscribe"), "LIVE_UNSUPPORTED", "not live", "ask once");
    await eventually(() => expect(subscription.error).toBeInstanceOf(QueryError));
    expect(subscription.ready).toBe(false);
  });

  it("asks a query once, with parameters, in chunks", async () => {
    const { client, peer } = await connected();
    const params = { x: 1, big: 2n ** 100n, text: "a", none: null, list: [1, 2.5], at: new Date(5) };
    const answer = client.query("SELECT * FROM pixel", params);
    const query = await peer.take("query");
    const big = String(2n ** 100n);
    expect(query["params"]).toMatchObject({ x: 1, big, text: "a", none: null, list: [1, 2.5] });
    expect(Number(query["params"]["at"])).toBe(5000);
    const head = { id: query["id"], lsn: 3 };
    peer.chunk("rows", head, PIXELS, { rows: [[1, "red", 5n]], isFirst: true, isLast: false });
    peer.chunk("rows", head, PIXELS, { rows: [[2, "blue", 6n]], isFirst: false, isLast: true });
    expect(await answer).toEqual([
      { id: 1, color: "red" },
      { id: 2, color: "blue" },
    ]);
    await expect(client.query("", { x: {} })).rejects.toMatchObject({ code: "SQL_PARAMETER" });
  });

  it("shows a snapshot when its last chunk has come, then follows the commits", async () => {
    const { client, peer } = await connected();
    const subscription = client.subscribe("SELECT", { params: { x: 1 } });
    const events: unknown[] = [];
    subscription.on("insert", (row) => events.push(["insert", row]));
    subscription.on("update", (old, now) => events.push(["update", old, now]));
    subscription.on("delete", (row) => events.push(["delete", row]));
    subscription.on("ready", () => events.push("ready"));
    subscription.on("change", () => events.push("change"));
    const empty = subscription.rows;
    const subscribe = await peer.take("subscribe");
    expect(subscribe["params"]).toEqual({ x: 1 });
    const rows = [[1, "red", 5n], [2, "blue", 6n]];
    const chunks = peer.snapshotChunks(subscribe, {
      handle: 9, lsn: 3, description: PIXELS, rows, chunk: 1,
    });
    chunks[0]!();
    // A transaction between the chunks counts for the rows of both.
    peer.commit(4, [{ handle: 9, description: PIXELS, update: [[[1], { color: "pink" }]] }]);
    await roundTrip(client, peer);
    expect(subscription.rows).toBe(empty);
    chunks[1]!();
    await eventually(() => expect(subscription.ready).toBe(true));
    expect(subscription.rows).toEqual([{ id: 1, color: "pink" }, { id: 2, color: "blue" }]);

    const [pink, blue] = subscription.rows;
    events.length = 0;
    peer.commit(5, [{
      handle: 9, description: PIXELS,
      insert: [[3, "green", 1n]], update: [[[2], { color: "black" }]], delete: [[1]],
    }]);
    await eventually(() => expect(events).toContain("change"));
    const [black, green] = subscription.rows;
    expect(events).toEqual([
      ["delete", pink], ["update", blue, black], ["insert", green], "change",
    ]);
    const before = subscription.rows;
    peer.commit(6, [{ handle: 9, description: PIXELS, update: [[[2], { at: 7n }]] }]);
    await roundTrip(client, peer);
    expect(subscription.rows).toBe(before);
    peer.commit(7, [{ handle: 77, description: PIXELS, delete: [[2]] }]);
    peer.commit(8, [{ handle: 9, description: PIXELS, delete: [[2]] }]);
    await eventually(() => expect(subscription.rows).toEqual([green]));
    expect(subscription.rows[0]).toBe(green);
    expect(before).toHaveLength(2);
    expect(client.stats.commits).toBe(5);
    expect(client.stats.lastDiffBytes).toBeGreaterThan(0);
  });

  /** Resolves when the client has handled everything that was sent before. */
  async function roundTrip(client: SynclineClient, peer: Peer): Promise<void> {
    const query = client.query("SELECT");
    peer.fail(await peer.take("query"), "SQL_SYNTAX", "only a sign of life");
    await expect(query).rejects.toBeInstanceOf(QueryError);
  }

  it("keeps an ordered result in order and hides what only the order needs", async () => {
    const { client, peer } = await connected();
    const subscription = client.subscribe<{ id: number; color: string }>("SELECT");
    const rows = [[1, "a", 9n], [2, "b", 5n], [3, "c", 5n]];
    peer.snapshot(await peer.take("subscribe"), { handle: 1, lsn: 1, description: RANKED, rows });
    await eventually(() => expect(subscription.ready).toBe(true));
    const ids = (): number[] => subscription.rows.map((row) => row.id);
    expect(subscription.rows[0]).toEqual({ id: 1, color: "a" });
    expect(ids()).toEqual([1, 2, 3]);
    peer.commit(2, [{
      handle: 1, description: RANKED,
      insert: [[0, "z", 5n]], update: [[[3], { at: 100n }]], delete: [[1]],
    }]);
    await eventually(() => expect(ids()).toEqual([3, 0, 2]));
  });

  it("applies a commit to all results before it tells of any, and the reply comes after", async () => {
    const { client, peer } = await connected();
    const one = client.subscribe("SELECT 1");
    const two = client.subscribe("SELECT 2");
    const same = client.subscribe("SELECT 2");
    for (const handle of [1, 2, 2]) {
      const subscribe = await peer.take("subscribe");
      peer.snapshot(subscribe, { handle, lsn: 1, description: PIXELS, rows: [] });
    }
    await eventually(() => expect(same.ready).toBe(true));
    const seen: number[][] = [];
    const sizes = (): void => void seen.push([one.rows.length, two.rows.length, same.rows.length]);
    one.on("insert", sizes);
    two.on("insert", sizes);
    same.on("change", sizes);
    const call = client.call("clear").then(() => seen.push([]));
    const request = await peer.take("call");
    peer.commit(2, [1, 2].map((handle) => ({
      handle, description: PIXELS, insert: [[1, "red", 1n]],
    })));
    peer.reply(request, 2);
    await call;
    expect(seen).toEqual([[1, 1, 1], [1, 1, 1], [1, 1, 1], []]);
    expect(two.rows).toBe(same.rows);

    two.close();
    const unsubscribe = await peer.take("unsubscribe");
    peer.reply(unsubscribe, 2);
    peer.commit(3, [{ handle: 2, description: PIXELS, delete: [[1]] }]);
    await eventually(() => expect(same.rows).toEqual([]));
    expect(seen).toHaveLength(5);
  });

  it("reconnects without a flash of empty and tells the difference alone", async () => {
    const { client, peer } = await connected();
    const subscription = client.subscribe("SELECT");
    const rows = [[1, "red", 5n], [2, "blue", 6n], [3, "green", 7n]];
    peer.snapshot(await peer.take("subscribe"), { handle: 9, lsn: 9, description: PIXELS, rows });
    await eventually(() => expect(subscription.ready).toBe(true));
    const states: string[] = [];
    client.on("state", (state) => states.push(state));
    const events: unknown[] = [];
    subscription.on("insert", (row) => events.push(["insert", row]));
    subscription.on("update", (_, now) => events.push(["update", now]));
    subscription.on("delete", (row) => events.push(["delete", row]));
    const lengths = new Set<number>();
    subscription.on("change", () => lengths.add(subscription.rows.length));
    const [red, blue, green] = subscription.rows;
    const call = client.call("clear");
    const query = client.query("SELECT");
    await peer.take("call");
    peer.cut();
    await expect(call).rejects.toBeInstanceOf(OutcomeUnknownError);
    await expect(query).rejects.toBeInstanceOf(ConnectionError);
    await expect(client.call("clear")).rejects.toBeInstanceOf(ConnectionError);
    expect(client.state).toBe("offline");
    expect(subscription.rows).toEqual([red, blue, green]);

    const again = await server.peer();
    expect(server.hellos[0]).toMatchObject({ schema_hash: null });
    await state(client, "online");
    expect(server.hellos[1]).toMatchObject({ schema_hash: "hash-1", token: "token-1" });
    expect(states).toEqual(["offline", "online"]);
    expect(subscription.rows).toEqual([red, blue, green]);
    // A restored database: its transactions may be older than those that were seen.
    const chunks = again.snapshotChunks(await again.take("subscribe"), {
      handle: 4, lsn: 2, description: PIXELS, chunk: 1,
      rows: [[4, "white", 1n], [2, "navy", 6n], [3, "green", 7n]],
    });
    for (const chunk of chunks) chunk();
    await eventually(() => expect(events).toHaveLength(3));
    expect(events).toEqual([
      ["delete", red],
      ["update", { id: 2, color: "navy" }],
      ["insert", { id: 4, color: "white" }],
    ]);
    expect([...lengths]).toEqual([3]);
    expect(subscription.rows).toContain(green);
    again.commit(3, [{ handle: 4, description: PIXELS, delete: [[4]] }]);
    await eventually(() => expect(subscription.rows).toHaveLength(2));
  });
});
