/**
 * Messages that the server's own code has written (fixtures/wire.json, made by the `protocol` crate), in both
 * encodings: each must read as the same values.
 */

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { LiveCache } from "../src/cache/live-cache.js";
import { ResultShape } from "../src/cache/shape.js";
import type { ResultDescription, Schema, Type } from "../src/index.js";
import { MessagePackCodec } from "../src/wire/binary.js";
import type { WireCodec } from "../src/wire/codec.js";
import type { ServerMessage } from "../src/wire/messages.js";
import { JsonCodec } from "../src/wire/text.js";

const path = new URL("./fixtures/wire.json", import.meta.url);
type Fixtures = Record<string, { msgpack: string; json: string }>;
const fixtures = JSON.parse(readFileSync(path, "utf8")) as Fixtures;

const IDENTITY = "ab".repeat(32);
const POINT: Type = {
  struct: {
    name: "Point",
    fields: [{ name: "x", type: "f32" }, { name: "y", type: { option: "i16" } }],
  },
};
const SHAPE: Type = {
  enum: { name: "Shape", variants: [{ name: "Nothing" }, { name: "Dot", type: POINT }] },
};
const DOT = { tag: "Dot", value: { x: 1.5, y: -3 } };
const BOTH = {
  who: IDENTITY,
  tags: [null, "t"],
  data: Uint8Array.of(0, 255, 7),
  uuid: "00010203-0405-0607-0809-0a0b0c0d0e0f",
  big: -(2n ** 100n),
};
const ROWS = [
  { id: 1n, name: "ada 😀", shape: DOT, score: 0.1, ...BOTH },
  { id: 2n ** 64n - 1n, name: "bob", shape: "Nothing", score: NaN, ...BOTH },
];

/** Leaves off where a payload is absent or null, which are the same. */
const clean = (value: unknown): unknown =>
  JSON.parse(JSON.stringify(value, (_, part: unknown) => (part === null ? undefined : part)));

describe.each([
  ["msgpack", new MessagePackCodec() as WireCodec],
  ["json", new JsonCodec() as WireCodec],
] as const)("in %s", (encoding, codec) => {
  function read<T extends ServerMessage["type"]>(
    name: string,
    type: T,
  ): Extract<ServerMessage, { type: T }> {
    const text = fixtures[name]![encoding];
    const bytes = Uint8Array.from(Buffer.from(text, "hex"));
    const message = codec.decode(encoding === "json" ? text : bytes.buffer);
    expect(message.type).toBe(type);
    return message as Extract<ServerMessage, { type: T }>;
  }

  const shapeOf = (description: ResultDescription | null | undefined): ResultShape => {
    expect(clean(description!.columns[3]!.type)).toEqual(SHAPE);
    return new ResultShape(description!);
  };

  it("Welcome, with the schema or without", () => {
    const welcome = read("welcome", "welcome");
    expect(welcome).toMatchObject({
      identity: IDENTITY,
      connection: "cd".repeat(16),
      token: "a.b.c",
      epoch: 3,
      lsn: 41,
      schema_hash: "00ff",
      server: "0.1.0",
    });
    const schema = JSON.parse(welcome.schema!) as Schema;
    expect(schema.tables[0]).toMatchObject({ name: "shape", public: true, auto_increment: 0 });
    expect(schema.reducers[0]!.params[0]).toEqual({ name: "shape", type: SHAPE });
    expect(schema.reducers[1]).toEqual({ name: "init", params: [], returns: null, kind: "init" });
    const known = read("welcome_known", "welcome");
    expect(known).toMatchObject({ token: null, schema: null, lsn: 2 ** 40 });
    expect(read("schema_changed", "schema_changed").schema).toBe(welcome.schema);
  });

  it("Snapshot, Commit and Reset", () => {
    const snapshot = read("snapshot", "snapshot");
    expect(snapshot).toMatchObject({ id: 1, handle: 7, lsn: 41, last: true });
    expect(snapshot.description).toMatchObject({
      key: [0],
      order: [{ column: 9, descending: true }],
    });
    const shape = shapeOf(snapshot.description);
    const cache = new LiveCache(shape);
    cache.replace(shape, codec.rows(shape, snapshot.rows), snapshot.lsn);
    expect(cache.rows).toEqual(ROWS);

    const commit = read("commit", "commit");
    expect(commit.deltas).toHaveLength(1);
    expect(commit.deltas[0]!.handle).toBe(7);
    cache.apply(codec.ops(shape, commit.deltas[0]!.ops), commit.lsn);
    const eve = { ...BOTH, id: 9n, name: "eve", shape: "Nothing", score: -Infinity };
    expect(cache.rows).toEqual([eve, { ...ROWS[0], name: "ada" }]);

    const reset = read("reset", "reset");
    expect(reset).toMatchObject({ handle: 7, lsn: 43, last: true });
    cache.replace(shape, codec.rows(shape, reset.rows), reset.lsn);
    expect(cache.rows).toEqual(ROWS);
  });

  it("Rows", () => {
    const message = read("rows", "rows");
    expect(message).toMatchObject({ id: 5, lsn: 44, last: false });
    const rows = codec.rows(shapeOf(message.description), message.rows);
    expect(rows.map(({ row }) => row)).toEqual(ROWS);
    expect(rows.map(({ hidden }) => hidden)).toEqual([[1_700_000_000_000_000n], [-5n]]);
  });

  it("Reply, with a value, without, with an error", () => {
    const reply = read("reply_value", "reply");
    expect(reply).toMatchObject({ id: 2, lsn: 44 });
    expect(codec.result(SHAPE, reply.value)).toEqual(DOT);
    expect(reply.error ?? null).toBeNull();
    expect(read("reply_nothing", "reply").error ?? null).toBeNull();
    expect(read("reply_error", "reply").error).toEqual({
      code: "REDUCER_ERROR",
      message: "not yours",
      hint: "ask",
    });
  });

  it("Error and Pong", () => {
    expect(read("error", "error").error).toEqual({
      code: "SERVER_SHUTDOWN",
      message: "the server goes down",
      hint: null,
    });
    expect(read("pong", "pong")).toMatchObject({ id: 6, lsn: 44 });
  });
});
