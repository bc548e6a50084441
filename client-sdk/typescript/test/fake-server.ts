/**
 * A server that says what a test tells it to, in either encoding. Packed data is made by code of its own
 * (@msgpack/msgpack and DataView), so that client and test cannot share a mistake.
 */

import { decode, encode } from "@msgpack/msgpack";
import { WebSocketServer, type WebSocket } from "ws";
import type { ResultDescription, Schema, Type } from "../src/index.js";

export const IDENTITY = "ab".repeat(32);
export const CONNECTION = "cd".repeat(16);

/** A client message, with its fields by name in both encodings. */
export type Received = { type: string } & Record<string, any>;

const CLIENT_FIELDS: Record<number, [string, string[]]> = {
  1: ["hello", ["token", "schema_hash", "delivery", "resume"]],
  2: ["call", ["id", "reducer", "args"]],
  3: ["subscribe", ["id", "sql", "params"]],
  4: ["unsubscribe", ["id", "subscription"]],
  5: ["query", ["id", "sql", "params"]],
  6: ["ping", ["id"]],
  7: ["auth", ["id", "token"]],
  8: ["set_params", ["id", "subscription", "params"]],
};

/** Values of one column each. */
export type Values = unknown[];

export interface FakeDelta {
  handle: number;
  description: ResultDescription;
  insert?: Values[];
  /** Key, then the new values by column name. */
  update?: [Values, Record<string, unknown>][];
  delete?: Values[];
}

export class FakeServer {
  readonly url: string;
  readonly hellos: Received[] = [];
  schema: Schema = { tables: [], reducers: [] };
  schemaHash = "hash-1";
  token: string | null = "token-1";
  /** Answers a Hello; a test can replace it. */
  onHello: (peer: Peer, hello: Received) => void = (peer, hello) => peer.welcome(hello);
  private readonly server: WebSocketServer;
  private readonly peers: Peer[] = [];
  private waiting: ((peer: Peer) => void)[] = [];

  private constructor(server: WebSocketServer) {
    this.server = server;
    this.url = `http://127.0.0.1:${(server.address() as { port: number }).port}`;
    server.on("connection", (socket, request) => {
      const peer = new Peer(this, socket, request.url ?? "");
      const next = this.waiting.shift();
      if (next) next(peer);
      else this.peers.push(peer);
    });
  }

  static async start(port = 0): Promise<FakeServer> {
    const server = new WebSocketServer({
      port,
      host: "127.0.0.1",
      handleProtocols: (offered) => [...offered][0] ?? false,
    });
    await new Promise((resolve) => server.once("listening", resolve));
    return new FakeServer(server);
  }

  get port(): number {
    return Number(new URL(this.url).port);
  }

  /** The next connection. */
  peer(): Promise<Peer> {
    const peer = this.peers.shift();
    return peer ? Promise.resolve(peer) : new Promise((resolve) => this.waiting.push(resolve));
  }

  async stop(): Promise<void> {
    for (const client of this.server.clients) client.terminate();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

/** The server's end of one connection. */
export class Peer {
  readonly path: string;
  readonly isJson: boolean;
  private readonly server: FakeServer;
  private readonly socket: WebSocket;
  private readonly inbox: Received[] = [];
  private waiting: [(message: Received) => boolean, (message: Received) => void][] = [];

  constructor(server: FakeServer, socket: WebSocket, path: string) {
    this.server = server;
    this.socket = socket;
    this.path = path;
    this.isJson = socket.protocol === "syncline.v1.json";
    socket.on("message", (data, isBinary) => this.received(data as Buffer, isBinary));
  }

  private received(data: Buffer, isBinary: boolean): void {
    let message: Received;
    if (this.isJson) {
      if (isBinary) throw new Error("JSON travels in text frames");
      message = JSON.parse(data.toString()) as Received;
    } else {
      const [tag, body] = decode(data) as [number, unknown[]];
      const [type, fields] = CLIENT_FIELDS[tag]!;
      if (body.length > fields.length) throw new Error("more fields than the message has");
      message = { type, ...Object.fromEntries(fields.map((name, i) => [name, body[i]])) };
      if (message["params"]) message["params"] = Object.fromEntries(message["params"]);
      const { sql } = message;
      if (sql instanceof Uint8Array) message["sql"] = decode(sql, { useBigInt64: true });
    }
    if (message.type === "hello") {
      this.server.hellos.push(message);
      this.server.onHello(this, message);
      return;
    }
    if (message.type === "ping") return this.send({ type: "pong", id: message["id"], lsn: 0 });
    const at = this.waiting.findIndex(([matches]) => matches(message));
    if (at < 0) this.inbox.push(message);
    else this.waiting.splice(at, 1)[0]![1](message);
  }

  /** The next message of a type that no one has taken. */
  take(type: string): Promise<Received> {
    const matches = (message: Received): boolean => message.type === type;
    const at = this.inbox.findIndex(matches);
    if (at >= 0) return Promise.resolve(this.inbox.splice(at, 1)[0]!);
    return new Promise((resolve) => this.waiting.push([matches, resolve]));
  }

  get unread(): readonly Received[] {
    return this.inbox;
  }

  welcome(hello: Received): void {
    const { schema, schemaHash, token } = this.server;
    const isKnown = hello["schema_hash"] === schemaHash;
    this.send({
      type: "welcome",
      identity: this.isJson ? IDENTITY : Buffer.from(IDENTITY, "hex"),
      connection: this.isJson ? CONNECTION : Buffer.from(CONNECTION, "hex"),
      token: hello["token"] ? null : token,
      epoch: 1,
      lsn: 1,
      schema_hash: schemaHash,
      schema: isKnown ? null : JSON.stringify(schema),
      server: "0.0.0",
    });
  }

  snapshot(
    subscribe: Received,
    options: {
      handle: number;
      lsn: number;
      description: ResultDescription;
      rows: Values[];
      /** Rows of one chunk. */
      chunk?: number;
    },
  ): void {
    for (const part of this.snapshotChunks(subscribe, options)) part();
  }

  /** One function a chunk, which sends it. */
  snapshotChunks(
    subscribe: Received,
    { handle, lsn, description, rows, chunk = Math.max(rows.length, 1) }: Parameters<Peer["snapshot"]>[1],
  ): (() => void)[] {
    const count = Math.max(1, Math.ceil(rows.length / chunk));
    return Array.from({ length: count }, (_, i) => () =>
      this.chunk("snapshot", { id: subscribe["id"], handle, lsn }, description, {
        rows: rows.slice(i * chunk, (i + 1) * chunk),
        isFirst: i === 0,
        isLast: i === count - 1,
      }),
    );
  }

  /** One chunk of a snapshot, reset or query. */
  chunk(
    type: "snapshot" | "reset" | "rows",
    head: Record<string, unknown>,
    description: ResultDescription,
    { rows, isFirst, isLast }: { rows: Values[]; isFirst: boolean; isLast: boolean },
  ): void {
    const types = description.columns.map((column) => column.type);
    this.send({
      type,
      ...head,
      ...(isFirst && type !== "reset" ? { description } : {}),
      ...(this.isJson
        ? { rows: rows.map((row) => row.map((value, i) => jsonOf(types[i]!, value))) }
        : { rows: packAll(types, rows), row_count: rows.length }),
      last: isLast,
    });
  }

  commit(lsn: number, deltas: FakeDelta[]): void {
    const form = this.isJson ? jsonDelta : packedDelta;
    this.send({ type: "commit", lsn, deltas: deltas.map(form) });
  }

  /** Other parameters for the subscription of a Subscribe. */
  moved(subscribe: Received, lsn: number, delta: FakeDelta): void {
    const form = this.isJson ? { delta: jsonDelta(delta) } : { handle: delta.handle, ops: packOps(delta) };
    this.send({ type: "moved", id: subscribe["id"], lsn, ...form });
  }

  reply(request: Received, lsn: number, value?: { type: Type; value: unknown }): void {
    const packed = value ? packAll([value.type], [[value.value]]) : Buffer.alloc(0);
    const json = value ? jsonOf(value.type, value.value) : null;
    this.send({ type: "reply", id: request["id"], lsn, value: this.isJson ? json : packed });
  }

  fail(request: Received, code: string, message: string, hint: string | null = null): void {
    this.send({ type: "reply", id: request["id"], lsn: 0, error: { code, message, hint } });
  }

  /** Sends any message: fields by name. */
  send(message: Received): void {
    if (this.isJson) return this.socket.send(JSON.stringify(message));
    const [tag, fields] = SERVER_FIELDS[message.type]!;
    const parts = { ...message };
    if (parts["error"]) parts["error"] = Object.values(parts["error"]);
    if (parts["description"]) parts["description"] = descriptionArray(parts["description"]);
    this.socket.send(encode([tag, fields.map((field) => parts[field] ?? null)]));
  }

  sendRaw(data: string | Uint8Array): void {
    this.socket.send(data);
  }

  close(code: number, reason: string): void {
    this.socket.close(code, reason);
  }

  /** Cuts the connection as a crash does. */
  cut(): void {
    this.socket.terminate();
  }
}

const SERVER_FIELDS: Record<string, [number, string[]]> = {
  welcome: [
    1,
    ["identity", "connection", "token", "epoch", "lsn", "schema_hash", "schema", "server"],
  ],
  snapshot: [2, ["id", "handle", "lsn", "description", "rows", "row_count", "last"]],
  commit: [3, ["lsn", "deltas"]],
  reset: [4, ["handle", "lsn", "rows", "row_count", "last"]],
  reply: [5, ["id", "lsn", "value", "error"]],
  rows: [6, ["id", "lsn", "description", "rows", "row_count", "last"]],
  schema_changed: [7, ["schema_hash", "schema"]],
  error: [8, ["error"]],
  pong: [9, ["id", "lsn"]],
  moved: [10, ["id", "handle", "lsn", "ops"]],
};

function typeArray(type: Type): unknown {
  if (typeof type === "string") return type;
  if ("option" in type) return { option: typeArray(type.option) };
  if ("list" in type) return { list: typeArray(type.list) };
  if ("struct" in type) {
    const { name, fields } = type.struct;
    return { struct: [name, fields.map((field) => [field.name, typeArray(field.type)])] };
  }
  const { name, variants } = type.enum;
  // Like the server, leaves the type off where there is none.
  const parts = variants.map((it) => (it.type == null ? [it.name] : [it.name, typeArray(it.type)]));
  return { enum: [name, parts] };
}

function descriptionArray({ columns, key, order }: ResultDescription): unknown {
  return [
    columns.map(({ name, type, hidden }) => [name, typeArray(type), hidden]),
    key,
    order.map(({ column, descending }) => [column, descending]),
  ];
}

/** Appends a packed value to `out`, byte by byte from the table in docs/wire.md. */
function pack(type: Type, value: any, out: number[]): void {
  const bits = typeof type === "string" ? /^[iu](\d+)$/.exec(type)?.[1] : undefined;
  const width = bits ?? (type === "timestamp" || type === "duration" ? "64" : undefined);
  if (width) {
    let rest = BigInt.asUintN(Number(width), BigInt(value));
    for (let i = 0; i < Number(width) / 8; i++, rest >>= 8n) out.push(Number(rest & 0xffn));
  } else if (type === "bool") out.push(value ? 1 : 0);
  else if (type === "f32") out.push(...new Uint8Array(new Float32Array([value]).buffer));
  else if (type === "f64") out.push(...new Uint8Array(new Float64Array([value]).buffer));
  else if (type === "string" || type === "bytes") {
    const bytes = Buffer.from(value);
    pack("u32", bytes.length, out);
    for (const byte of bytes) out.push(byte);
  } else if (type === "decimal") {
    pack("i128", BigInt(value.replace(".", "")), out);
    out.push(value.split(".")[1]?.length ?? 0);
  } else if (type === "json") pack("string", jsonText(value), out);
  else if (typeof type === "string") out.push(...Buffer.from(value.replaceAll("-", ""), "hex"));
  else if ("option" in type) {
    out.push(value === null ? 1 : 0);
    if (value !== null) pack(type.option, value, out);
  } else if ("list" in type) {
    pack("u32", value.length, out);
    for (const item of value) pack(type.list, item, out);
  } else if ("struct" in type) {
    for (const field of type.struct.fields) pack(field.type, value[field.name], out);
  } else {
    const name = value.tag ?? value;
    const at = type.enum.variants.findIndex((variant) => variant.name === name);
    out.push(at);
    const payload = type.enum.variants[at]!.type;
    if (payload != null) pack(payload, value.value, out);
  }
}

/** JSON with the members of objects in order. */
function jsonText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(jsonText).join(",")}]`;
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return `{${members.map(([name, it]) => `${JSON.stringify(name)}:${jsonText(it)}`).join(",")}}`;
}

export function packAll(types: Type[], rows: Values[]): Buffer {
  const out: number[] = [];
  for (const row of rows) row.forEach((value, i) => pack(types[i]!, value, out));
  return Buffer.from(out);
}

/** The JSON of a value, as the table in docs/wire.md has it. */
export function jsonOf(type: Type, value: any): unknown {
  if (value === null || type === "json") return value;
  if (typeof value === "bigint") return value.toString();
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (typeof type === "string") return value;
  if ("option" in type) return jsonOf(type.option, value);
  if ("list" in type) return value.map((item: unknown) => jsonOf(type.list, item));
  if ("struct" in type) {
    return Object.fromEntries(
      type.struct.fields.map((field) => [field.name, jsonOf(field.type, value[field.name])]),
    );
  }
  if (typeof value === "string") return value;
  const variant = type.enum.variants.find(({ name }) => name === value.tag)!;
  return { [value.tag]: jsonOf(variant.type!, value.value) };
}

function packedDelta(delta: FakeDelta): unknown {
  return [delta.handle, packOps(delta)];
}

export function packOps({ description, ...delta }: FakeDelta): Buffer {
  const types = description.columns.map((column) => column.type);
  const keyTypes = description.key.map((column) => types[column]!);
  const parts: Buffer[] = [];
  for (const row of delta.insert ?? []) parts.push(Buffer.of(1), packAll(types, [row]));
  for (const [key, set] of delta.update ?? []) {
    const mask = Buffer.alloc(Math.ceil(types.length / 8));
    const columns = description.columns.flatMap(({ name }, i) => (name in set ? [i] : []));
    for (const column of columns) mask[column >> 3]! |= 1 << (column & 7);
    parts.push(Buffer.of(2), packAll(keyTypes, [key]), mask);
    const values = columns.map((column) => set[description.columns[column]!.name]);
    parts.push(packAll(columns.map((column) => types[column]!), [values]));
  }
  for (const key of delta.delete ?? []) parts.push(Buffer.of(3), packAll(keyTypes, [key]));
  return Buffer.concat(parts);
}

function jsonDelta({ handle, description, ...delta }: FakeDelta): unknown {
  const { columns, key } = description;
  const rowOf = (row: Values): unknown => row.map((value, i) => jsonOf(columns[i]!.type, value));
  const keyOf = (values: Values): unknown =>
    values.map((value, i) => jsonOf(columns[key[i]!]!.type, value));
  return {
    handle,
    ...(delta.insert && { insert: delta.insert.map(rowOf) }),
    ...(delta.update && {
      update: delta.update.map(([key, set]) => ({
        key: keyOf(key),
        set: Object.fromEntries(
          Object.entries(set).map(([name, value]) => {
            const column = columns.find((column) => column.name === name)!;
            return [name, jsonOf(column.type, value)];
          }),
        ),
      })),
    }),
    ...(delta.delete && { delete: delta.delete.map(keyOf) }),
  };
}
