/** The JSON encoding: an object whose `type` names the message, packed data as plain JSON values. */

import type { ColumnValue, Entry, Op, ResultShape } from "../cache/shape.js";
import type { LogicalQuery } from "../query.js";
import { fromJson, scalarToJson, toJson } from "../values/json.js";
import { fromBase64 } from "../values/text.js";
import type { ReducerDef, ResultDescription, Type } from "../values/types.js";
import { checkParam, mapValues, packArguments, readResult, type CallArguments, type WireCodec } from "./codec.js";
import type { ClientMessage, Handle, Payload, ServerMessage } from "./messages.js";

type Values = readonly unknown[];

/** A delta as JSON has it: what is empty is left out. */
interface JsonOps {
  insert?: Values[];
  update?: { key: Values; set: Record<string, unknown> }[];
  delete?: Values[];
  ops?: unknown;
}

/** The codec of `syncline.v1.json`. */
export class JsonCodec implements WireCodec {
  readonly subprotocol = "syncline.v1.json";

  encode(message: ClientMessage): string {
    if (!("params" in message)) return JSON.stringify(message);
    return JSON.stringify({ ...message, params: Object.fromEntries(message.params) });
  }

  decode(frame: ArrayBuffer | string): ServerMessage {
    if (typeof frame !== "string") throw new TypeError("expected a text frame");
    const message = JSON.parse(frame) as ServerMessage;
    // The operations of a delta are its other members.
    if (message.type === "moved") {
      const { delta } = message as unknown as { delta: { handle: Handle } };
      return { ...message, handle: delta.handle, ops: delta };
    }
    if (message.type !== "commit") return message;
    return { ...message, deltas: message.deltas.map((it) => ({ handle: it.handle, ops: it })) };
  }

  args(reducer: ReducerDef, args: CallArguments): Payload {
    // Packing finds what does not fit, and names it.
    const { values } = packArguments(reducer, args);
    return values.map((value, i) => toJson(reducer.params[i]!.type, value));
  }

  result(type: Type, payload: Payload): unknown {
    const packed = packedBytes(payload);
    return packed ? readResult(type, packed) : fromJson(type, payload);
  }

  param(value: unknown): unknown {
    checkParam(value);
    if (Array.isArray(value)) return value.map((item) => this.param(item));
    // Where a number can hold it, a bigint is one: text would be text where no type is known.
    if (typeof value === "bigint" && Number.isSafeInteger(Number(value))) return Number(value);
    return scalarToJson(value);
  }

  query(sql: string | LogicalQuery): Payload {
    return typeof sql === "string" ? sql : mapValues(sql, (value) => this.param(value));
  }

  rows(shape: ResultShape, payload: Payload): Entry[] {
    const packed = packedBytes(payload);
    if (packed) return shape.readRows(packed);
    return (payload as Values[]).map((row) => shape.entryOf(this.row(shape, row)));
  }

  ops(shape: ResultShape, payload: Payload): Op[] {
    const delta = payload as JsonOps;
    const packed = packedBytes(delta.ops);
    if (packed) return shape.readOps(packed);
    const { description } = shape;
    const keyOf = (key: Values): unknown =>
      shape.keyOf(key.map((it, i) => fromJson(description.columns[description.key[i]!]!.type, it)));
    return [
      ...(delta.insert ?? []).map(
        (row): Op => ({ op: "insert", entry: shape.entryOf(this.row(shape, row)) }),
      ),
      ...(delta.update ?? []).map(
        ({ key, set }): Op => ({ op: "update", key: keyOf(key), values: setOf(description, set) }),
      ),
      ...(delta.delete ?? []).map((key): Op => ({ op: "delete", key: keyOf(key) })),
    ];
  }

  private row({ description }: ResultShape, row: Values): unknown[] {
    return description.columns.map(({ type }, i) => fromJson(type, row[i]));
  }
}

/** The bytes of `{"packed": base64}`, the form of data that the server could not write as JSON. */
function packedBytes(payload: Payload): Uint8Array | undefined {
  const isPacked = typeof payload === "object" && payload !== null && "packed" in payload;
  return isPacked ? fromBase64(payload.packed as string) : undefined;
}

/** Columns go by name, or by `#` and the position if an earlier column has the name. */
function setOf({ columns }: ResultDescription, set: Record<string, unknown>): ColumnValue[] {
  return Object.entries(set).map(([name, value]) => {
    const column = name.startsWith("#")
      ? Number(name.slice(1))
      : columns.findIndex((column) => column.name === name);
    return [column, fromJson(columns[column]!.type, value)];
  });
}
