/** What the client does when things are not as they should be. */

import { WebSocket } from "ws";
import { afterEach, beforeEach, expect, it, vi } from "vitest";
import {
  ConnectionError,
  memoryTokenStore,
  OutcomeUnknownError,
  SynclineClient,
  type ClientOptions,
  type ResultDescription,
  type Schema,
  type Subscription,
} from "../src/index.js";
import { eventually } from "./eventually.js";
import { FakeServer, type Peer } from "./fake-server.js";

const SCHEMA: Schema = {
  tables: [],
  reducers: [{ name: "clear", params: [], returns: null, kind: "call" }],
};

const PIXELS: ResultDescription = {
  columns: [
    { name: "id", type: "u32", hidden: false },
    { name: "color", type: "string", hidden: false },
  ],
  key: [0],
  order: [],
};

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
  const client = new SynclineClient({ url: server.url, database: "board", WebSocket, ...options });
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

const online = (client: SynclineClient): Promise<void> =>
  eventually(() => expect(client.state).toBe("online"));

async function answer(
  peer: Peer,
  subscription: Subscription,
  handle: number,
  rows: unknown[][],
): Promise<void> {
  peer.snapshot(await peer.take("subscribe"), { handle, lsn: 5, description: PIXELS, rows });
  await eventually(() => expect(subscription.ready).toBe(true));
}

it("says how to go on where there is no WebSocket", async () => {
  const client = new SynclineClient({ url: server.url, database: "board" });
  vi.stubGlobal("WebSocket", undefined);
  const failed = client.connect();
  vi.unstubAllGlobals();
  await expect(failed).rejects.toMatchObject({ code: "NO_WEBSOCKET" });
  expect(client.state).toBe("closed");
  expect(client.error?.hint).toContain("ws package");
  await expect(client.call("clear")).rejects.toMatchObject({ code: "NO_WEBSOCKET" });
});

it("lets calls wait for the first connection, for a while", async () => {
  const { port } = server;
  await server.stop();
  const client = makeClient({ connectTimeoutMs: 4000 });
  const impatient = makeClient({ connectTimeoutMs: 50 });
  await expect(client.call("clear")).rejects.toMatchObject({ code: "NOT_CONNECTED" });
  void client.connect();
  void impatient.connect();
  expect(client.state).toBe("connecting");
  const call = client.call("clear");
  const unknown = client.call("no such");
  await expect(impatient.call("clear")).rejects.toMatchObject({ code: "CONNECT_TIMEOUT" });
  impatient.close();
  await eventually(() => expect(client.state).toBe("offline"));
  expect(client.error).toBeInstanceOf(ConnectionError);

  server = await FakeServer.start(port);
  server.schema = SCHEMA;
  const peer = await server.peer();
  await expect(unknown).rejects.toMatchObject({ code: "NO_REDUCER", hint: "reducers: clear" });
  peer.reply(await peer.take("call"), 1);
  await call;
  expect(client.error).toBeNull();
});

it("starts as somebody new when the server does not know its own token any more", async () => {
  const tokenStore = memoryTokenStore();
  const key = `syncline:${server.url.replace("http", "ws")}/v1/databases/board/connect`;
  await tokenStore.set(key, "of another server");
  server.onHello = (peer, hello) => {
    if (hello["token"] === "token-1" || !hello["token"]) return peer.welcome(hello);
    peer.send({ type: "error", error: { code: "BAD_TOKEN", message: "forged", hint: null } });
    peer.close(1008, "BAD_TOKEN");
  };
  const client = makeClient({ tokenStore });
  await client.connect();
  expect(server.hellos.map((hello) => hello["token"])).toEqual(["of another server", null]);
  expect(await tokenStore.get(key)).toBe("token-1");
});

it("closes when the token of the application is refused, and renews one that it can ask for", async () => {
  server.onHello = (peer, hello) => {
    if (hello["token"] === "fresh") return peer.welcome(hello);
    peer.send({ type: "error", error: { code: "TOKEN_EXPIRED", message: "old", hint: "renew" } });
    peer.close(1008, "TOKEN_EXPIRED");
  };
  const fixed = makeClient({ token: "stale" });
  await expect(fixed.connect()).rejects.toMatchObject({ code: "TOKEN_EXPIRED", hint: "renew" });
  expect(fixed.state).toBe("closed");
  const tokens = ["stale", "fresh"];
  const asked = makeClient({ token: async () => tokens.shift() ?? "none" });
  await asked.connect();
  expect(asked.state).toBe("online");
  const failing = makeClient({
    token: () => {
      throw new Error("signed out");
    },
  });
  void failing.connect();
  await eventually(() => expect(failing.error?.message).toContain("signed out"));
});

it("renews the token of an open connection", async () => {
  const { client, peer } = await connected({ token: "one" });
  const renewed = client.authenticate("two");
  const auth = await peer.take("auth");
  expect(auth["token"]).toBe("two");
  peer.reply(auth, 0);
  await renewed;
  peer.cut();
  await server.peer();
  await online(client);
  expect(server.hellos.map((hello) => hello["token"])).toEqual(["one", "two"]);
});

it("tells of a token that cannot be kept, and goes on", async () => {
  const tokenStore = {
    get: () => null,
    set: () => Promise.reject(new Error("quota")),
    delete: () => {},
  };
  const client = makeClient({ tokenStore });
  const errors: string[] = [];
  client.on("error", ({ code }) => errors.push(code));
  await client.connect();
  await eventually(() => expect(errors).toEqual(["TOKEN_STORE"]));
});

it.each([
  ["random bytes", (peer: Peer) => peer.sendRaw(Uint8Array.of(0xc1, 2, 3))],
  ["a text frame", (peer: Peer) => peer.sendRaw("{}")],
  ["an unknown tag", (peer: Peer) => peer.sendRaw(Uint8Array.of(0x92, 99, 0x90))],
  ["a delta that does not fit", (peer: Peer) =>
    peer.commit(6, [{ handle: 1, description: PIXELS, delete: [[42]] }])],
])("connects anew after %s, with the rows as they were", async (_, misbehave) => {
  const { client, peer } = await connected();
  const subscription = client.subscribe("SELECT");
  await answer(peer, subscription, 1, [[1, "red"]]);
  const { rows } = subscription;
  misbehave(peer);
  await eventually(() => expect(client.state).toBe("offline"));
  expect(client.error?.message).toContain("cannot be read");
  expect(subscription.rows).toBe(rows);
  const again = await server.peer();
  await online(client);
  await answer(again, subscription, 1, [[1, "red"], [2, "blue"]]);
  await eventually(() => expect(subscription.rows).toHaveLength(2));
  expect(subscription.rows[0]).toBe(rows[0]);
});

it("says why the server closes, and comes back", async () => {
  const { client, peer } = await connected();
  const errors: string[] = [];
  client.on("error", (error) => errors.push(error.code));
  const error = { code: "SERVER_SHUTDOWN", message: "the server goes down", hint: null };
  peer.send({ type: "error", error });
  peer.close(1001, "SERVER_SHUTDOWN");
  await eventually(() => expect(client.error?.code).toBe("SERVER_SHUTDOWN"));
  await server.peer();
  await online(client);
  expect(errors).toEqual(["SERVER_SHUTDOWN"]);
});

it("takes a Reset in place of its rows when its last chunk has come", async () => {
  const { client, peer } = await connected();
  const subscription = client.subscribe("SELECT");
  await answer(peer, subscription, 1, [[1, "red"], [2, "blue"]]);
  const [red] = subscription.rows;
  const changes: unknown[] = [];
  subscription.on("change", (change) => changes.push(change));
  const head = { handle: 1, lsn: 9 };
  peer.chunk("reset", head, PIXELS, { rows: [[1, "red"]], isFirst: true, isLast: false });
  peer.commit(10, [{ handle: 1, description: PIXELS, delete: [[3]] }]);
  peer.chunk("reset", head, PIXELS, {
    rows: [[3, "gone"], [4, "new"]],
    isFirst: false,
    isLast: true,
  });
  await eventually(() => expect(changes).toHaveLength(1));
  expect(changes[0]).toEqual({
    inserted: [{ id: 4, color: "new" }],
    updated: [],
    deleted: [{ id: 2, color: "blue" }],
  });
  expect(subscription.rows[0]).toBe(red);
});

it("leaves out a delta that a second snapshot of the handle has overtaken", async () => {
  const { client, peer } = await connected();
  const one = client.subscribe("SELECT");
  await answer(peer, one, 1, [[1, "red"]]);
  const inserts: unknown[] = [];
  one.on("insert", (row) => inserts.push(row));
  const two = client.subscribe("SELECT");
  const rows = [[1, "red"], [2, "blue"]];
  const options = { handle: 1, lsn: 8, description: PIXELS, rows };
  peer.snapshot(await peer.take("subscribe"), options);
  await eventually(() => expect(two.ready).toBe(true));
  expect(one.rows).toHaveLength(2);
  peer.commit(8, [{ handle: 1, description: PIXELS, insert: [[2, "blue"]] }]);
  peer.commit(9, [{ handle: 1, description: PIXELS, insert: [[3, "green"]] }]);
  await eventually(() => expect(two.rows).toHaveLength(3));
  expect(one.rows).toBe(two.rows);
  expect(inserts).toEqual([{ id: 2, color: "blue" }, { id: 3, color: "green" }]);
  expect(client.state).toBe("online");
});

it("parts subscriptions that shared an instance when the next server does", async () => {
  const { client, peer } = await connected();
  const [one, two] = [client.subscribe("SELECT"), client.subscribe("SELECT")];
  await answer(peer, one, 1, [[1, "red"]]);
  await answer(peer, two, 1, [[1, "red"]]);
  expect(one.rows).toBe(two.rows);
  peer.cut();
  const again = await server.peer();
  await answer(again, one, 1, [[1, "red"]]);
  await answer(again, two, 2, [[1, "red"], [2, "blue"]]);
  await eventually(() => expect(two.rows).toHaveLength(2));
  again.commit(6, [{ handle: 1, description: PIXELS, delete: [[1]] }]);
  await eventually(() => expect(one.rows).toHaveLength(0));
  expect(two.rows).toHaveLength(2);
});

it("asks again for what was refused when the schema has changed", async () => {
  const { client, peer } = await connected();
  const subscription = client.subscribe("SELECT * FROM soon");
  peer.fail(await peer.take("subscribe"), "SQL_UNKNOWN_TABLE", "no table soon");
  await eventually(() => expect(subscription.error?.code).toBe("SQL_UNKNOWN_TABLE"));
  const schema = { ...SCHEMA, reducers: [{ ...SCHEMA.reducers[0]!, name: "fill" }] };
  peer.send({ type: "schema_changed", schema_hash: "hash-2", schema: JSON.stringify(schema) });
  await answer(peer, subscription, 1, []);
  expect(subscription.error).toBeNull();
  const call = client.call("fill");
  peer.reply(await peer.take("call"), 6);
  await call;
  await expect(client.call("clear")).rejects.toMatchObject({ code: "NO_REDUCER" });
});

it("closes for good, rejects what waits, and can be opened again", async () => {
  const { client, peer } = await connected();
  const subscription = client.subscribe("SELECT");
  await answer(peer, subscription, 1, [[1, "red"]]);
  const [call, query] = [client.call("clear"), client.query("SELECT")];
  await peer.take("query");
  client.close();
  await expect(call).rejects.toBeInstanceOf(OutcomeUnknownError);
  await expect(query).rejects.toBeInstanceOf(ConnectionError);
  expect(client.state).toBe("closed");
  expect(subscription.rows).toHaveLength(1);
  const waiting = client.connect();
  const early = client.call("clear");
  const again = await server.peer();
  await waiting;
  again.reply(await again.take("call"), 6);
  await early;
  await answer(again, subscription, 1, []);
  await eventually(() => expect(subscription.rows).toHaveLength(0));
  const refused = makeClient();
  const never = refused.connect();
  refused.close();
  await expect(never).rejects.toMatchObject({ code: "CLOSED" });
});

it("ends a subscription wherever it stands", async () => {
  const early = makeClient();
  const unsent = early.subscribe("SELECT 0");
  unsent.close();
  void early.connect();
  const peer = await server.peer();
  await online(early);
  const pending = early.subscribe("SELECT 1");
  const subscribe = await peer.take("subscribe");
  expect(subscribe["sql"]).toBe("SELECT 1");
  pending.close();
  pending.close();
  expect((await peer.take("unsubscribe"))["subscription"]).toBe(subscribe["id"]);
  peer.snapshot(subscribe, { handle: 1, lsn: 1, description: PIXELS, rows: [[1, "red"]] });
  const next = early.subscribe("SELECT 2");
  await answer(peer, next, 2, []);
  expect(pending.ready).toBe(false);
  expect(peer.unread).toEqual([]);
});

it("reports what a listener throws, and tells the others", async () => {
  const error = vi.spyOn(console, "error").mockImplementation(() => {});
  const { client, peer } = await connected();
  const subscription = client.subscribe("SELECT");
  const seen: unknown[] = [];
  subscription.on("insert", () => {
    throw new Error("mine");
  });
  const stop = subscription.on("insert", (row) => seen.push(row));
  await answer(peer, subscription, 1, [[1, "red"]]);
  expect(seen).toHaveLength(1);
  expect(error).toHaveBeenCalledTimes(1);
  stop();
  peer.commit(6, [{ handle: 1, description: PIXELS, insert: [[2, "blue"]] }]);
  await eventually(() => expect(subscription.rows).toHaveLength(2));
  expect(seen).toHaveLength(1);
  error.mockRestore();
});
