/** Other parameters for live queries, in both encodings. */

import { WebSocket } from "ws";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { SynclineClient, type ResultDescription, type Row } from "../src/index.js";
import { eventually } from "./eventually.js";
import { FakeServer, type Peer } from "./fake-server.js";

const description: ResultDescription = {
  columns: [
    { name: "id", type: "u32", hidden: false },
    { name: "name", type: "string", hidden: false },
  ],
  key: [0],
  order: [],
};

const SQL = "SELECT id, name FROM player WHERE team = :team";

describe.each(["msgpack", "json"] as const)("in %s", (encoding) => {
  let server: FakeServer;
  let client: SynclineClient;
  let peer: Peer;

  beforeEach(async () => {
    server = await FakeServer.start();
    client = new SynclineClient({ url: server.url, database: "game", WebSocket, encoding });
    void client.connect();
    peer = await server.peer();
  });

  afterEach(async () => {
    client.close();
    await server.stop();
  });

  const subscribe = async (handle: number, rows: unknown[][], team = 1) => {
    const subscription = client.subscribe(SQL, { params: { team } });
    const events: unknown[] = [];
    subscription.on("insert", (row) => events.push(["+", row]));
    subscription.on("delete", (row) => events.push(["-", row]));
    subscription.on("update", (_, row) => events.push(["~", row]));
    subscription.on("change", () => events.push("change"));
    const asked = await peer.take("subscribe");
    peer.snapshot(asked, { handle, lsn: 5, description, rows });
    await eventually(() => expect(subscription.ready).toBe(true));
    events.length = 0;
    return { subscription, asked, events };
  };
  const names = (rows: readonly Row[]): unknown[] => rows.map((row) => row["name"]);

  it("goes over to rows that a publish sends, and leaves others where they are", async () => {
    const { subscription, asked, events } = await subscribe(1, [[1, "ada"], [2, "bob"]]);
    const still = await subscribe(1, [[1, "ada"], [2, "bob"]]);
    const bob = subscription.rows[1];
    // Nobody asked for it.
    peer.snapshot(asked, { handle: 7, lsn: 6, description, rows: [[2, "bob"], [3, "cid"]] });
    await eventually(() => expect(names(subscription.rows)).toEqual(["bob", "cid"]));
    expect(subscription.rows[0]).toBe(bob);
    expect(events).toEqual([["-", { id: 1, name: "ada" }], ["+", { id: 3, name: "cid" }], "change"]);
    expect(still.events).toEqual([]);
    peer.commit(7, [
      { handle: 1, description, insert: [[4, "dan"]] },
      { handle: 7, description, delete: [[2]] },
    ]);
    await eventually(() => expect(names(subscription.rows)).toEqual(["cid"]));
    expect(names(still.subscription.rows)).toEqual(["ada", "bob", "dan"]);
    // And back to those who are there.
    peer.snapshot(asked, { handle: 1, lsn: 8, description, rows: [[1, "ada"], [2, "bob"], [4, "dan"]] });
    await eventually(() => expect(names(subscription.rows)).toEqual(["ada", "bob", "dan"]));
    expect(still.events.filter((event) => event === "change")).toHaveLength(1);
  });

  it("goes over by the difference, and leaves others where they are", async () => {
    const { subscription, asked, events } = await subscribe(1, [[1, "ada"], [2, "bob"]]);
    const still = await subscribe(1, [[1, "ada"], [2, "bob"]]);
    const bob = subscription.rows[1];
    const done = subscription.set({ team: 2 });
    const set = await peer.take("set_params");
    expect(set).toMatchObject({ subscription: asked["id"], params: { team: 2 } });
    peer.moved(asked, 5, { handle: 2, description, insert: [[3, "cid"]], delete: [[1]] });
    peer.reply(set, 5);
    await done;
    expect(names(subscription.rows)).toEqual(["bob", "cid"]);
    expect(subscription.rows[0]).toBe(bob);
    expect(events).toEqual([["-", { id: 1, name: "ada" }], ["+", { id: 3, name: "cid" }], "change"]);
    expect(names(still.subscription.rows)).toEqual(["ada", "bob"]);
    expect(still.events).toEqual([]);

    peer.commit(6, [
      { handle: 1, description, insert: [[4, "dan"]] },
      { handle: 2, description, update: [[[3], { name: "cy" }]] },
    ]);
    await eventually(() => expect(names(subscription.rows)).toEqual(["bob", "cy"]));
    expect(names(still.subscription.rows)).toEqual(["ada", "bob", "dan"]);

    // To an instance that is here already: its rows are known.
    const other = subscription.set({ team: 1 });
    const again = await peer.take("set_params");
    peer.moved(asked, 6, {
      handle: 1,
      description,
      insert: [[1, "ada"], [4, "dan"]],
      delete: [[3]],
    });
    peer.reply(again, 6);
    await other;
    expect(subscription.rows).toBe(still.subscription.rows);
    still.subscription.close();
    peer.commit(7, [{ handle: 1, description, delete: [[4]] }]);
    await eventually(() => expect(names(subscription.rows)).toEqual(["ada", "bob"]));
  });

  it("goes over by new rows, whose difference it finds", async () => {
    const { subscription, asked, events } = await subscribe(1, [[1, "ada"], [2, "bob"]]);
    const bob = subscription.rows[1];
    const done = subscription.set({ team: 2 });
    const set = await peer.take("set_params");
    peer.snapshot(asked, { handle: 9, lsn: 5, description, rows: [[2, "bob"], [3, "cid"]], chunk: 1 });
    peer.reply(set, 5);
    await done;
    expect(names(subscription.rows)).toEqual(["bob", "cid"]);
    expect(subscription.rows).toContain(bob);
    expect(events).toEqual([["-", { id: 1, name: "ada" }], ["+", { id: 3, name: "cid" }], "change"]);
    // What the server still says of the old instance is nobody's.
    peer.commit(6, [
      { handle: 1, description, insert: [[7, "old"]] },
      { handle: 9, description, insert: [[8, "new"]] },
    ]);
    await eventually(() => expect(names(subscription.rows)).toEqual(["bob", "cid", "new"]));
  });

  it("stays where it is when the server refuses", async () => {
    const { subscription, events } = await subscribe(1, [[1, "ada"]]);
    const refused = subscription.set({ team: "x" });
    peer.fail(await peer.take("set_params"), "SQL_TYPE", "no team");
    await expect(refused).rejects.toMatchObject({ code: "SQL_TYPE" });
    await expect(subscription.set({ team: { no: "parameter" } })).rejects.toMatchObject({
      code: "SQL_PARAMETER",
    });
    expect(events).toEqual([]);
    expect(subscription.error).toBeNull();
    // The next connection asks as before.
    peer.cut();
    peer = await server.peer();
    expect((await peer.take("subscribe"))["params"]).toEqual({ team: 1 });
  });

  it("gets there over a lost connection", async () => {
    const { subscription } = await subscribe(1, [[1, "ada"]]);
    const done = subscription.set({ team: 2 });
    await peer.take("set_params");
    peer.cut();
    peer = await server.peer();
    const asked = await peer.take("subscribe");
    expect(asked["params"]).toEqual({ team: 2 });
    expect(names(subscription.rows)).toEqual(["ada"]);
    peer.snapshot(asked, { handle: 4, lsn: 5, description, rows: [[2, "bob"]] });
    await done;
    expect(names(subscription.rows)).toEqual(["bob"]);
    const closed = subscription.set({ team: 3 });
    await peer.take("set_params");
    peer.cut();
    await eventually(() => expect(client.state).toBe("offline"));
    subscription.close();
    await expect(closed).rejects.toMatchObject({ code: "CLOSED" });
  });

  it("asks again when it was refused before", async () => {
    const subscription = client.subscribe(SQL);
    peer.fail(await peer.take("subscribe"), "SQL_PARAMETER", "no :team");
    await eventually(() => expect(subscription.error?.code).toBe("SQL_PARAMETER"));
    const done = subscription.set({ team: 2 });
    const asked = await peer.take("subscribe");
    expect(asked["params"]).toEqual({ team: 2 });
    peer.snapshot(asked, { handle: 4, lsn: 5, description, rows: [[2, "bob"]] });
    await done;
    expect(subscription.error).toBeNull();
    expect(names(subscription.rows)).toEqual(["bob"]);
  });
});
