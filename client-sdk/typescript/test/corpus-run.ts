/** Runs a script with the real client against the real server. */

import { WebSocket } from "ws";
import {
  SynclineClient,
  SynclineError,
  type ClientOptions,
  type LogicalQuery,
  type Query,
  type Row,
  type Subscription,
  type WebSocketConstructor,
} from "../src/index.js";
import type { Action, Expected, Json, Script, Step } from "./corpus-script.js";
import type { Server } from "./corpus-server.js";
import { allMatch, argument, matches, toPlain } from "./corpus-values.js";

interface Live {
  who: string;
  sql: string;
  subscription: Subscription;
  /** Since the last look. */
  changes: unknown[];
}

interface Outcome {
  value?: unknown;
  rows?: unknown[];
  inOrder?: boolean;
  changes?: unknown[];
  error?: SynclineError;
}

/** Codes of what the client finds out before it asks the server: its words are its own. */
const CHECKED_HERE = new Set([
  "NO_REDUCER",
  "LIFECYCLE_REDUCER",
  "BAD_ARGUMENTS",
  "SQL_PARAMETER",
]);

export class ScriptRun {
  private readonly server: Server;
  private readonly database: string;
  private readonly encoding: "msgpack" | "json";
  private readonly clients = new Map<string, SynclineClient>();
  private readonly identities = new Map<string, string>();
  private readonly tokens = new Map<string, string>();
  private readonly live = new Map<string, Live>();

  constructor(server: Server, database: string, encoding: "msgpack" | "json") {
    this.server = server;
    this.database = database;
    this.encoding = encoding;
  }

  /** What went wrong first, or null. */
  async run(script: Script): Promise<string | null> {
    await this.server.publish(this.database, script.module);
    for (const step of script.steps) {
      const outcome = await this.act(step.action);
      const problem = this.check(step, outcome);
      if (problem) return `line ${step.line}: ${problem}`;
    }
    return null;
  }

  close(): void {
    for (const client of this.clients.values()) client.close();
    this.clients.clear();
    this.live.clear();
  }

  private async act(action: Action): Promise<Outcome> {
    switch (action.type) {
      case "connect":
        return this.connect(action);
      case "disconnect":
        return this.disconnect(action.who);
      case "call":
        return settled(this.call(action.who, action.reducer, action.args));
      case "query": {
        const { sql, params } = action;
        const rows = this.client(action.who).query(queryOf(sql), this.fill(params) as Json);
        const inOrder = isOrdered(sql);
        return settled(rows.then((rows) => ({ rows: rows.map(toPlain), inOrder })));
      }
      case "subscribe":
        return this.subscribe(action);
      case "set": {
        const live = this.live.get(action.subscription);
        if (!live) throw new Error(`no subscription ${action.subscription}`);
        const done = live.subscription.set(this.fill(action.params) as Json);
        return settled(done.then(() => ({ value: null })));
      }
      case "unsubscribe": {
        const live = this.live.get(action.subscription);
        live?.subscription.close();
        this.live.delete(action.subscription);
        return { value: null };
      }
      case "look":
        return this.look(action.subscription);
      case "publish":
        await this.server.publish(this.database, action.module);
        return { value: null };
      case "restart":
        this.close();
        await this.server.killAndRestart();
        return { value: null };
      case "send":
        throw new Error("a client library sends no bare frames: `needs socket`");
    }
  }

  private async connect(action: Action & { type: "connect" }): Promise<Outcome> {
    const { who } = action;
    const options: ClientOptions = {
      url: this.server.url,
      database: this.database,
      encoding: this.encoding,
      delivery: action.unconfirmed ? "unconfirmed" : "confirmed",
      WebSocket: WebSocket as unknown as WebSocketConstructor,
      tokenStore: {
        get: () => null,
        set: (_, token) => void this.tokens.set(who, token),
        delete: () => {},
      },
    };
    if (action.admin) options.token = await this.server.adminToken();
    if (action.like) options.token = this.tokens.get(action.like) ?? "";
    const client = new SynclineClient(options);
    await client.connect();
    if (options.token) this.tokens.set(who, options.token as string);
    this.clients.set(who, client);
    this.identities.set(who, client.identity ?? "");
    return { value: null };
  }

  /** Waits until the server has heard of it: the close frame comes back after that. */
  private async disconnect(who: string): Promise<Outcome> {
    const client = this.client(who);
    const socket = (client as any).connection.socket as WebSocket;
    const closed = new Promise((resolve) => socket.addEventListener("close", resolve));
    client.close();
    await closed;
    this.clients.delete(who);
    for (const [name, live] of this.live) if (live.who === who) this.live.delete(name);
    return { value: null };
  }

  private async call(who: string, name: string, json: unknown): Promise<Outcome> {
    const client = this.client(who);
    const params = client.schema?.reducers.find((reducer) => reducer.name === name)?.params ?? [];
    const filled = this.fill(json);
    const type = (key: string | number) =>
      typeof key === "number" ? params[key]?.type : params.find(({ name }) => name === key)?.type;
    const convert = (key: string | number, value: unknown) => {
      const found = type(key);
      return found === undefined ? value : argument(found, value);
    };
    const args = Array.isArray(filled)
      ? filled.map((value, i) => convert(i, value))
      : Object.fromEntries(
          Object.entries(filled as Json).map(([key, value]) => [key, convert(key, value)]),
        );
    return { value: toPlain(await client.call(name, args)) };
  }

  private async subscribe(action: Action & { type: "subscribe" }): Promise<Outcome> {
    const { who, sql } = action;
    const params = this.fill(action.params) as Json;
    const subscription = this.client(who).subscribe(queryOf(sql), { params });
    const live: Live = { who, sql, subscription, changes: [] };
    // An instance that the client has already is ready at once.
    if (!subscription.ready) {
      const error = await new Promise<SynclineError | null>((resolve) => {
        subscription.on("ready", () => resolve(null));
        subscription.on("error", resolve);
      });
      if (error) {
        subscription.close();
        return { error };
      }
    }
    subscription.on("insert", (row) => live.changes.push(["+", toPlain(row)]));
    subscription.on("delete", (row) => live.changes.push(["-", toPlain(row)]));
    subscription.on("update", (old, now) => {
      const [before, after] = [toPlain(old), toPlain(now)];
      if (JSON.stringify(before) !== JSON.stringify(after)) live.changes.push(["~", after]);
    });
    this.live.set(action.subscription, live);
    return { rows: rowsOf(live), inOrder: isOrdered(sql) };
  }

  private async look(name: string): Promise<Outcome> {
    const live = this.live.get(name);
    if (!live) throw new Error(`no subscription ${name}`);
    // Everything that was sent before the answer is there with it.
    await (this.client(live.who) as any).session.ping();
    const changes = live.changes.splice(0);
    return { changes, rows: rowsOf(live), inOrder: isOrdered(live.sql) };
  }

  private check({ action, expected }: Step, outcome: Outcome): string | null {
    // The client knows what it has closed, and closes it once.
    if (action.type === "unsubscribe") return null;
    const changes = expected.filter((e) => e.type === "change").map((e) => this.fill(e.change));
    if (changes.length > 0 && !allMatch(changes, outcome.changes ?? [], false)) {
      return `expected ${JSON.stringify(changes)}, found ${JSON.stringify(outcome.changes)}`;
    }
    for (const one of expected) {
      if (!this.isMet(one, outcome)) {
        const { error, ...rest } = outcome;
        const found = error ? `${error.code} ${error.message} (${error.hint})` : rest;
        return `expected ${JSON.stringify(one)}, found ${JSON.stringify(found)}`;
      }
    }
    return outcome.error && expected.length === 0 ? `failed: ${String(outcome.error)}` : null;
  }

  private isMet(expected: Expected, outcome: Outcome): boolean {
    switch (expected.type) {
      case "value":
        return !outcome.error && matches(this.fill(expected.value), outcome.value);
      case "rows": {
        const rows = expected.rows.map((row) => this.fill(row));
        return allMatch(rows, outcome.rows ?? [], outcome.inOrder ?? false);
      }
      case "error": {
        const { error } = outcome;
        if (!error) return false;
        const text = `${error.message} (${error.hint ?? ""})`;
        const isSaid = CHECKED_HERE.has(error.code) || text.includes(expected.part);
        return error.code === expected.code && isSaid;
      }
      case "nothing":
        return outcome.changes?.length === 0;
      case "change":
        // All of them at once, before.
        return true;
      case "closed":
        return false;
    }
  }

  private client(who: string): SynclineClient {
    const client = this.clients.get(who);
    if (!client) throw new Error(`nobody named ${who}`);
    return client;
  }

  /** Puts identities in the place of `$name`. */
  private fill(json: unknown): unknown {
    if (typeof json === "string" && json.startsWith("$")) {
      return this.identities.get(json.slice(1)) ?? json;
    }
    if (Array.isArray(json)) return json.map((item) => this.fill(item));
    if (typeof json !== "object" || json === null) return json;
    return Object.fromEntries(Object.entries(json).map(([name, value]) => [name, this.fill(value)]));
  }
}

function rowsOf(live: Live): unknown[] {
  return (live.subscription.rows as readonly Row[]).map(toPlain);
}

function isOrdered(sql: string): boolean {
  return sql.includes(" ORDER BY ") || sql.includes('"order"');
}

/** SQL text, or a query as structure in braces. */
function queryOf(sql: string): string | Query<Row> {
  return sql.startsWith("{") ? { sql: JSON.parse(sql) as LogicalQuery } : sql;
}

async function settled(outcome: Promise<Outcome>): Promise<Outcome> {
  try {
    return await outcome;
  } catch (error) {
    if (error instanceof SynclineError) return { error };
    throw error;
  }
}
