/** When attempts are made, when a connection is given up: with a socket and a clock of the test's own. */

import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { Connection, TICK_MS, type WebSocketLike } from "../src/connection.js";
import type { ConnectionError } from "../src/errors.js";
import { connectUrl } from "../src/options.js";
import { defaultTokenStore } from "../src/token-store.js";

class FakeSocket implements WebSocketLike {
  static readonly all: FakeSocket[] = [];
  binaryType = "blob";
  readyState = 0;
  onopen: ((event: never) => void) | null = null;
  onmessage: ((event: never) => void) | null = null;
  onclose: ((event: never) => void) | null = null;
  onerror: ((event: never) => void) | null = null;
  readonly sent: unknown[] = [];
  readonly protocols: string[];
  closedWith: unknown[] | undefined;

  constructor(url: string, protocols: string[]) {
    if (url.includes("refused")) throw new SyntaxError("no such address");
    this.protocols = protocols;
    FakeSocket.all.push(this);
  }

  send(data: unknown): void {
    this.sent.push(data);
  }

  close(code?: number, reason?: string): void {
    this.closedWith = [code, reason];
  }

  open(): void {
    this.readyState = 1;
    this.onopen?.({} as never);
  }

  message(data: string): void {
    this.onmessage?.({ data } as never);
  }

  end(code = 1006, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason } as never);
  }
}

const events = {
  onOpen: vi.fn<() => void>(),
  onFrame: vi.fn<(frame: ArrayBuffer | string) => void>(),
  onLost: vi.fn<(error: ConnectionError) => void>(),
  onTick: vi.fn<() => void>(),
};
let connection: Connection;

beforeEach(() => {
  vi.useFakeTimers();
  vi.spyOn(Math, "random").mockReturnValue(1);
  FakeSocket.all.length = 0;
  for (const event of Object.values(events)) event.mockReset();
  connection = new Connection("ws://there", "protocol", FakeSocket, events);
});

afterEach(() => {
  connection.stop();
  vi.useRealTimers();
  vi.unstubAllGlobals();
  vi.restoreAllMocks();
});

const socket = (): FakeSocket => FakeSocket.all.at(-1)!;

/** Starts, and gets as far as the answer to Hello. */
function confirmed(): FakeSocket {
  connection.start();
  socket().open();
  connection.confirm();
  return socket();
}

it("opens a socket, hands frames on and sends", () => {
  connection.start();
  connection.start();
  expect(FakeSocket.all).toHaveLength(1);
  expect(socket().protocols).toEqual(["protocol"]);
  connection.send("too early");
  socket().open();
  expect(events.onOpen).toHaveBeenCalledTimes(1);
  expect(socket().binaryType).toBe("arraybuffer");
  connection.send("hello");
  expect(socket().sent).toEqual(["hello"]);
  socket().message("frame");
  expect(events.onFrame).toHaveBeenCalledWith("frame");
  connection.stop();
  expect(socket().closedWith?.[0]).toBe(1000);
  socket().end();
  socket().message("late");
  vi.advanceTimersByTime(60_000);
  expect(FakeSocket.all).toHaveLength(1);
  expect(events.onLost).not.toHaveBeenCalled();
  expect(events.onFrame).toHaveBeenCalledTimes(1);
});

it("waits longer after every failure, up to a limit, and starts over after a success", () => {
  connection.start();
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    const count = FakeSocket.all.length;
    socket().end(1006);
    let wait = 0;
    for (; FakeSocket.all.length === count; wait += 50) vi.advanceTimersByTime(50);
    waits.push(wait);
  }
  expect(waits).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  expect(events.onLost).toHaveBeenCalledTimes(8);
  expect(events.onLost.mock.lastCall![0]).toMatchObject({
    code: "CONNECTION_LOST",
    message: "cannot reach ws://there (code 1006)",
  });
  socket().open();
  connection.confirm();
  socket().end(1001, "the server goes down");
  expect(events.onLost.mock.lastCall![0].message).toBe("the server goes down");
  vi.advanceTimersByTime(100);
  expect(FakeSocket.all).toHaveLength(10);
});

it("gives an attempt up when nothing answers", () => {
  connection.start();
  socket().open();
  vi.advanceTimersByTime(10_000);
  expect(events.onLost.mock.lastCall![0].message).toBe("the server does not answer");
  expect(socket().closedWith).toBeDefined();
});

it("takes an address that the platform refuses as a failed attempt", () => {
  connection = new Connection("ws://refused", "protocol", FakeSocket, events);
  connection.start();
  expect(events.onLost.mock.lastCall![0].message).toContain("no such address");
  vi.advanceTimersByTime(200);
  expect(events.onLost).toHaveBeenCalledTimes(2);
});

it("notices a silent server, by ticks that it has answered none of", () => {
  confirmed();
  for (let i = 0; i < 10; i++) {
    vi.advanceTimersByTime(TICK_MS);
    socket().message("pong");
  }
  expect(events.onTick).toHaveBeenCalledTimes(10);
  expect(events.onLost).not.toHaveBeenCalled();
  vi.advanceTimersByTime(TICK_MS * 3);
  expect(events.onLost).not.toHaveBeenCalled();
  vi.advanceTimersByTime(TICK_MS);
  expect(events.onLost).toHaveBeenCalledTimes(1);
});

it("does not wait when the platform says that the network or the page is back", () => {
  const listeners = new Map<string, () => void>();
  const target = {
    addEventListener: (name: string, listener: () => void) => listeners.set(name, listener),
    removeEventListener: (name: string) => listeners.delete(name),
  };
  const page = { ...target, visibilityState: "hidden" };
  vi.stubGlobal("addEventListener", target.addEventListener);
  vi.stubGlobal("removeEventListener", target.removeEventListener);
  vi.stubGlobal("document", page);
  connection.start();
  for (let i = 0; i < 6; i++) {
    socket().end();
    if (i < 5) vi.advanceTimersByTime(5_000);
  }
  const count = FakeSocket.all.length;
  listeners.get("visibilitychange")!();
  vi.advanceTimersByTime(10);
  expect(FakeSocket.all).toHaveLength(count);
  page.visibilityState = "visible";
  listeners.get("visibilitychange")!();
  vi.advanceTimersByTime(10);
  expect(FakeSocket.all).toHaveLength(count + 1);

  // An open socket may be dead after a sleep: it has to answer soon.
  socket().open();
  connection.confirm();
  const lost = events.onLost.mock.calls.length;
  listeners.get("online")!();
  expect(events.onTick).toHaveBeenCalledTimes(1);
  socket().message("pong");
  vi.advanceTimersByTime(2_500);
  expect(events.onLost).toHaveBeenCalledTimes(lost);
  listeners.get("online")!();
  vi.advanceTimersByTime(2_500);
  expect(events.onLost).toHaveBeenCalledTimes(lost + 1);
  connection.stop();
  expect(listeners.size).toBe(0);
});

it.each([
  [{ url: "http://127.0.0.1:4510" }, "ws://127.0.0.1:4510/v1/databases/a%20b/connect"],
  [{ url: "https://x.org/syncline/?q#h" }, "wss://x.org/syncline/v1/databases/a%20b/connect"],
  [{ url: "wss://x.org" }, "wss://x.org/v1/databases/a%20b/connect"],
  [{}, "ws://127.0.0.1:4510/v1/databases/a%20b/connect"],
])("makes the address of %o", (options, url) => {
  expect(connectUrl({ database: "a b", ...options })).toBe(url);
});

it("takes the page's own address without a url", () => {
  vi.stubGlobal("location", { origin: "https://demo.org" });
  expect(connectUrl({ database: "d" })).toBe("wss://demo.org/v1/databases/d/connect");
  vi.stubGlobal("location", { origin: "null" });
  expect(connectUrl({ database: "d" })).toBe("ws://127.0.0.1:4510/v1/databases/d/connect");
});

it("keeps tokens in localStorage where it may", async () => {
  const items = new Map<string, string>();
  const storage = {
    getItem: (key: string) => items.get(key) ?? null,
    setItem: (key: string, value: string) => void items.set(key, value),
    removeItem: (key: string) => void items.delete(key),
  };
  vi.stubGlobal("localStorage", storage);
  const store = defaultTokenStore();
  await store.set("k", "t");
  expect(items.get("k")).toBe("t");
  expect(await defaultTokenStore().get("k")).toBe("t");
  await store.delete("k");
  expect(items.size).toBe(0);
  vi.stubGlobal("localStorage", {
    getItem: () => {
      throw new Error("forbidden");
    },
  });
  const memory = defaultTokenStore();
  await memory.set("k", "t");
  expect(await memory.get("k")).toBe("t");
  await memory.delete("k");
  expect(await memory.get("k")).toBeNull();
});
