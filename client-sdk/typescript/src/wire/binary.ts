/** The MessagePack encoding: `[tag, [field, ..]]`, packed bytes inside as one `bin`. */

import type { Entry, Op, ResultShape } from "../cache/shape.js";
import type { LogicalQuery } from "../query.js";
import { toHex } from "../values/text.js";
import type { EnumType, ReducerDef, ResultDescription, StructType, Type } from "../values/types.js";
import { checkParam, mapValues, packArguments, readResult, type CallArguments, type WireCodec } from "./codec.js";
import type { ClientMessage, Payload, ServerMessage } from "./messages.js";
import { decodeMessagePack, encodeMessagePack } from "./msgpack.js";

/** Name and fields of the client's messages; the first has tag 1. */
const CLIENT: readonly (readonly [ClientMessage["type"], string])[] = [
  ["hello", "token schema_hash delivery resume"],
  ["call", "id reducer args"],
  ["subscribe", "id sql params"],
  ["unsubscribe", "id subscription"],
  ["query", "id sql params"],
  ["ping", "id"],
  ["auth", "id token"],
  ["set_params", "id subscription params"],
];

/** Name and fields of the server's messages; the first has tag 1. */
const SERVER: readonly (readonly [ServerMessage["type"], string])[] = [
  ["welcome", "identity connection token epoch lsn schema_hash schema server"],
  ["snapshot", "id handle lsn description rows row_count last"],
  ["commit", "lsn deltas"],
  ["reset", "handle lsn rows row_count last"],
  ["reply", "id lsn value error"],
  ["rows", "id lsn description rows row_count last"],
  ["schema_changed", "schema_hash schema"],
  ["error", "error"],
  ["pong", "id lsn"],
  ["moved", "id handle lsn ops"],
];

/** The codec of `syncline.v1.msgpack`. */
export class MessagePackCodec implements WireCodec {
  readonly subprotocol = "syncline.v1.msgpack";

  encode(message: ClientMessage): Uint8Array<ArrayBuffer> {
    const position = CLIENT.findIndex(([type]) => type === message.type);
    const fields = CLIENT[position]![1].split(" ");
    const body = fields.map((field) => (message as unknown as Record<string, unknown>)[field]);
    return encodeMessagePack([position + 1, body]);
  }

  decode(frame: ArrayBuffer | string): ServerMessage {
    if (typeof frame === "string") throw new TypeError("expected a binary frame");
    const [tag, body] = decodeMessagePack(new Uint8Array(frame)) as [number, unknown[]];
    const known = SERVER[tag - 1];
    if (!known || !Array.isArray(body)) throw new TypeError(`unknown message tag ${tag}`);
    const message = named(known[1], body);
    message["type"] = known[0];
    convert(message);
    return message as unknown as ServerMessage;
  }

  args(reducer: ReducerDef, args: CallArguments): Payload {
    return packArguments(reducer, args).packed;
  }

  result(type: Type, payload: Payload): unknown {
    return readResult(type, payload as Uint8Array);
  }

  param(value: unknown): unknown {
    checkParam(value);
    if (value instanceof Date) return BigInt(value.getTime()) * 1000n;
    if (Array.isArray(value)) return value.map((item) => this.param(item));
    const fits = typeof value !== "bigint" || (value >= -(1n << 63n) && value < 1n << 64n);
    return fits ? value : String(value);
  }

  query(sql: string | LogicalQuery): Payload {
    if (typeof sql === "string") return sql;
    return encodeMessagePack(mapValues(sql, (value) => this.param(value)));
  }

  rows(shape: ResultShape, payload: Payload): Entry[] {
    return shape.readRows(payload as Uint8Array);
  }

  ops(shape: ResultShape, payload: Payload): Op[] {
    return shape.readOps(payload as Uint8Array);
  }
}

type Named = Record<string, unknown>;

/** An object of fields in order. Fields that the peer leaves off or adds are ignored. */
function named(names: string, values: unknown): Named {
  const list = values as unknown[];
  return Object.fromEntries(names.split(" ").map((name, i) => [name, list[i] ?? null]));
}

/** Turns the parts of a message that are objects of their own from arrays into objects. */
function convert(message: Named): void {
  for (const field of ["identity", "connection"]) {
    if (message[field]) message[field] = toHex(message[field] as Uint8Array);
  }
  if (message["error"]) message["error"] = named("code message hint", message["error"]);
  if (message["description"]) message["description"] = description(message["description"]);
  if (message["deltas"]) {
    message["deltas"] = (message["deltas"] as unknown[]).map((it) => named("handle ops", it));
  }
}

function description(value: unknown): ResultDescription {
  const { columns, key, order } = named("columns key order", value);
  return {
    columns: (columns as unknown[]).map((column) => {
      const { name, type, hidden } = named("name type hidden", column);
      return { name: name as string, type: typeOf(type), hidden: hidden === true };
    }),
    key: key as number[],
    order: (order as unknown[]).map(
      (column) => named("column descending", column) as unknown as ResultDescription["order"][0],
    ),
  };
}

/** A type, whose structs, enums and members are arrays of their fields in MessagePack. */
function typeOf(value: unknown): Type {
  if (typeof value === "string") return value as Type;
  const type = value as Named;
  if ("option" in type) return { option: typeOf(type["option"]) };
  if ("list" in type) return { list: typeOf(type["list"]) };
  const members = (names: string, body: unknown): StructType & EnumType => {
    const { name, members } = named("name members", body);
    const list = (members as unknown[]).map((member) => {
      const { name, type } = named("name type", member);
      return { name, type: type === null ? null : typeOf(type) };
    });
    return { name, [names]: list } as unknown as StructType & EnumType;
  };
  if ("struct" in type) return { struct: members("fields", type["struct"]) };
  return { enum: members("variants", type["enum"]) };
}
