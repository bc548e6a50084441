/** The hooks in StrictMode, over the real client and a server that says what the test tells it to. */

import { cleanup, configure, render, renderHook, screen, waitFor } from "@testing-library/react";
import { query, SynclineClient, type ResultDescription } from "@syncline/client";
import { StrictMode, type ReactNode } from "react";
import { afterEach, beforeEach, expect, it } from "vitest";
import { WebSocket } from "ws";
import { FakeServer, type Peer } from "../../typescript/test/fake-server.js";
import { queryKey } from "../src/shared-query.js";
import {
  SynclineProvider,
  useCall,
  useClient,
  useConnectionState,
  useQuery,
  useStats,
  useTyped,
  type QueryResult,
} from "../src/index.js";

const PIXELS: ResultDescription = {
  columns: [
    { name: "id", type: "u32", hidden: false },
    { name: "color", type: "string", hidden: false },
  ],
  key: [0],
  order: [],
};

interface Pixel {
  id: number;
  color: string;
}

// Long enough for a machine that has other things to do.
configure({ asyncUtilTimeout: 10_000 });

let server: FakeServer;
let client: SynclineClient;

beforeEach(async () => {
  server = await FakeServer.start();
  server.schema = {
    tables: [],
    reducers: [{ name: "paint", params: [{ name: "x", type: "u8" }], returns: "u32", kind: "call" }],
  };
  client = new SynclineClient({ url: server.url, database: "board", WebSocket });
});

afterEach(async () => {
  cleanup();
  client.close();
  await server.stop();
});

function wrapper({ children }: { children: ReactNode }): ReactNode {
  return (
    <StrictMode>
      <SynclineProvider client={client}>{children}</SynclineProvider>
    </StrictMode>
  );
}

async function answer(peer: Peer, handle: number, rows: unknown[][]): Promise<void> {
  const subscribe = await peer.take("subscribe");
  peer.snapshot(subscribe, { handle, lsn: 1, description: PIXELS, rows });
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

it("subscribes once in StrictMode, for all components with the same query", async () => {
  const seen: QueryResult<Pixel>[] = [];
  function Pixels({ x }: { x: number }): ReactNode {
    const result = useQuery<Pixel>("SELECT * FROM pixel WHERE x < :x", { x });
    seen.push(result);
    return <p>{result.rows.map((row) => row.color).join(" ")}</p>;
  }
  const { rerender } = render(<><Pixels x={1} /><Pixels x={1} /></>, { wrapper });
  const peer = await server.peer();
  await answer(peer, 1, [[1, "red"], [2, "blue"]]);
  await waitFor(() => expect(screen.getAllByText("red blue")).toHaveLength(2));
  expect(seen[0]).toEqual({ rows: [], ready: false, error: null });
  const ready = seen.at(-1)!;

  rerender(<><Pixels x={1} /><Pixels x={1} /></>);
  expect(seen.at(-1)).toBe(ready);
  peer.commit(2, [{ handle: 1, description: PIXELS, update: [[[2], { color: "navy" }]] }]);
  await waitFor(() => expect(screen.getAllByText("red navy")).toHaveLength(2));
  expect(seen.at(-1)!.rows[0]).toBe(ready.rows[0]);

  // One of them goes, then the other: only then, and a moment later, the server is told.
  rerender(<Pixels x={1} />);
  await pause(400);
  expect(peer.unread).toEqual([]);
  rerender(<p>none</p>);
  rerender(<Pixels x={1} />);
  expect(screen.getByText("red navy")).toBeDefined();
  await pause(400);
  expect(peer.unread).toEqual([]);
  rerender(<p>none</p>);
  await peer.take("unsubscribe");
  expect(peer.unread).toEqual([]);
});

it("goes over to other parameters with one subscription", async () => {
  const { result, rerender } = renderHook(
    ({ x }) => useQuery(query<Pixel>("SELECT"), { x, list: [1n] }),
    { wrapper, initialProps: { x: 1 } },
  );
  const peer = await server.peer();
  await answer(peer, 1, [[1, "red"]]);
  await waitFor(() => expect(result.current.ready).toBe(true));
  const subscribe = { type: "subscribe", id: 1 };
  rerender({ x: 2 });
  expect(result.current).toEqual({ rows: [], ready: false, error: null });
  const set = await peer.take("set_params");
  expect(set["params"]["x"]).toBe(2);
  subscribe.id = set["subscription"];
  peer.moved(subscribe, 1, { handle: 2, description: PIXELS, insert: [[5, "blue"]], delete: [[1]] });
  peer.reply(set, 1);
  await waitFor(() => expect(result.current.rows).toEqual([{ id: 5, color: "blue" }]));
  expect(result.current.ready).toBe(true);

  // What the server refuses shows as the error, and the next parameters as their rows.
  rerender({ x: -1 });
  peer.fail(await peer.take("set_params"), "SQL_PARAMETER", "no x");
  await waitFor(() => expect(result.current.error?.code).toBe("SQL_PARAMETER"));
  rerender({ x: 3 });
  const again = await peer.take("set_params");
  peer.moved(subscribe, 1, { handle: 3, description: PIXELS, insert: [[6, "red"]] });
  peer.reply(again, 1);
  await waitFor(() => expect(result.current.rows).toHaveLength(2));
  expect(peer.unread).toEqual([]);
});

it("asks anew for another query, and for one that somebody else still shows", async () => {
  const { result, rerender } = renderHook(
    ({ x }) => [useQuery("SELECT", { x }), useQuery("SELECT", { x: 1 })] as const,
    { wrapper, initialProps: { x: 1 } },
  );
  const peer = await server.peer();
  await answer(peer, 1, [[1, "red"]]);
  await waitFor(() => expect(result.current[1].ready).toBe(true));
  rerender({ x: 2 });
  await answer(peer, 2, [[5, "blue"]]);
  await waitFor(() => expect(result.current[0].rows).toEqual([{ id: 5, color: "blue" }]));
  expect(result.current[1].rows).toEqual([{ id: 1, color: "red" }]);
  expect(peer.unread).toEqual([]);
});

it("shows the rows of before until the new ones are there, if it is asked to", async () => {
  const { result, rerender } = renderHook(
    ({ x }) => useQuery("SELECT", { x }, { keepPrevious: true }),
    { wrapper, initialProps: { x: 1 } },
  );
  const peer = await server.peer();
  await answer(peer, 1, [[1, "red"]]);
  await waitFor(() => expect(result.current.ready).toBe(true));
  const { rows } = result.current;
  rerender({ x: 2 });
  expect(result.current).toEqual({ rows, ready: false, error: null });
  expect(result.current.rows).toBe(rows);
  const set = await peer.take("set_params");
  // The server may send the rows in place of the difference.
  const subscribe = { type: "subscribe", id: set["subscription"] };
  peer.snapshot(subscribe, { handle: 2, lsn: 1, description: PIXELS, rows: [] });
  peer.reply(set, 1);
  await waitFor(() => expect(result.current).toEqual({ rows: [], ready: true, error: null }));
  rerender({ x: 3 });
  peer.fail(await peer.take("set_params"), "SQL_PARAMETER", "no x");
  await waitFor(() => expect(result.current.error?.code).toBe("SQL_PARAMETER"));
});

it("keeps rows while the connection is away", async () => {
  const { result } = renderHook(
    () => ({ query: useQuery("SELECT"), state: useConnectionState(), stats: useStats() }),
    { wrapper },
  );
  const peer = await server.peer();
  await answer(peer, 1, [[1, "red"]]);
  await waitFor(() => expect(result.current.query.ready).toBe(true));
  await waitFor(() => expect(result.current.stats.bytesReceived).toBeGreaterThan(0));
  expect(result.current.state).toBe("online");
  const before = result.current.query;
  peer.cut();
  await waitFor(() => expect(result.current.state).toBe("offline"));
  expect(result.current.query).toBe(before);
  await answer(await server.peer(), 7, [[1, "red"]]);
  await waitFor(() => expect(result.current.state).toBe("online"));
  await pause(50);
  expect(result.current.query).toBe(before);
});

it("shows errors, and asks nothing for null", async () => {
  const { result, rerender } = renderHook(
    ({ sql, x }: { sql: string | null; x: unknown }) => useQuery(sql, { x }),
    { wrapper, initialProps: { sql: null as string | null, x: 1 as unknown } },
  );
  const peer = await server.peer();
  await waitFor(() => expect(client.state).toBe("online"));
  expect(peer.unread).toEqual([]);
  rerender({ sql: "SELEC", x: 1 });
  peer.fail(await peer.take("subscribe"), "SQL_SYNTAX", "expected SELECT");
  await waitFor(() => expect(result.current.error?.code).toBe("SQL_SYNTAX"));
  rerender({ sql: "SELECT", x: { not: "a parameter" } });
  expect(result.current.error?.code).toBe("SQL_PARAMETER");
});

it("calls reducers, with and without types", async () => {
  const typed = (client: SynclineClient) => ({
    paint: (x: number) => client.call<number>("paint", { x }),
  });
  const { result, rerender } = renderHook(
    () => ({ call: useCall<number>("paint"), typed: useTyped(typed), client: useClient() }),
    { wrapper },
  );
  const first = result.current;
  rerender();
  expect(result.current.call).toBe(first.call);
  expect(result.current.typed).toBe(first.typed);
  expect(first.client).toBe(client);
  const peer = await server.peer();
  const calls = [first.call([3]), first.typed.paint(4)];
  for (const lsn of [5, 6]) {
    peer.reply(await peer.take("call"), lsn, { type: "u32", value: lsn });
  }
  expect(await Promise.all(calls)).toEqual([5, 6]);
});

it("says what is missing without a provider", () => {
  expect(() => renderHook(() => useClient())).toThrow("SynclineProvider");
});

it("knows queries by value", () => {
  const key = (params: Record<string, unknown>): string => queryKey("SELECT", params);
  expect(key({ a: 1, b: [2n] })).toBe(key({ b: [2n], a: 1 }));
  const different = [1, 1n, "1", true, null, new Date(1), new Uint8Array([1]), [1], [[1]], ["1"]];
  expect(new Set(different.map((a) => key({ a }))).size).toBe(different.length);
});
