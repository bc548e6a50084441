/**
 * What the client asks of an encoding: messages to frames and back, and values to payloads and back.
 * There are two, {@link MessagePackCodec} and {@link JsonCodec}; nothing else knows the difference.
 */

import type { Entry, Op, ResultShape } from "../cache/shape.js";
import type { LogicalQuery } from "../query.js";
import { compileReader, Cursor } from "../values/read.js";
import type { ReducerDef, Type } from "../values/types.js";
import { PackedBuffer, writeValue } from "../values/write.js";
import type { ClientMessage, Payload, ServerMessage } from "./messages.js";

export interface WireCodec {
  /** Name of the WebSocket subprotocol. */
  readonly subprotocol: string;
  encode(message: ClientMessage): Uint8Array<ArrayBuffer> | string;
  /** Throws if the frame is no message. */
  decode(frame: ArrayBuffer | string): ServerMessage;
  /** Arguments, by position or by name. Throws {@link ValueError} where they do not fit. */
  args(reducer: ReducerDef, args: CallArguments): Payload;
  /** The value of a reply to a reducer that returns `type`. */
  result(type: Type, payload: Payload): unknown;
  /** A query parameter. Throws for what cannot be one. */
  param(value: unknown): unknown;
  /** SQL text, or a query as structure. */
  query(sql: string | LogicalQuery): Payload;
  rows(shape: ResultShape, payload: Payload): Entry[];
  ops(shape: ResultShape, payload: Payload): Op[];
}

/** By position, or by name. */
export type CallArguments = readonly unknown[] | Readonly<Record<string, unknown>>;

/** Checks that a query parameter is null, a boolean, a number, text, bytes, a Date or a list. */
export function checkParam(value: unknown): void {
  const isOther = typeof value === "object" && value !== null;
  if (Array.isArray(value) || value instanceof Uint8Array || value instanceof Date) return;
  if (isOther || typeof value === "function" || typeof value === "symbol") {
    throw new TypeError("expected null, a boolean, a number, text, bytes, a Date or a list");
  }
}

/** A query as structure with its values in the form of the encoding. */
export function mapValues(part: unknown, param: (value: unknown) => unknown): unknown {
  if (Array.isArray(part)) return part.map((item) => mapValues(item, param));
  if (part === null || Object.getPrototypeOf(part) !== Object.prototype) return param(part);
  return Object.fromEntries(
    Object.entries(part as object).map(([name, member]) => [name, mapValues(member, param)]),
  );
}

/** The arguments in order, as they are and packed. Throws if they are not those of the reducer. */
export function packArguments(
  reducer: ReducerDef,
  args: CallArguments,
): { values: readonly unknown[]; packed: Uint8Array } {
  const values = positional(reducer, args);
  const out = new PackedBuffer();
  reducer.params.forEach(({ name, type }, i) => {
    writeValue(type, values[i], `${reducer.name}.${name}`, out);
  });
  return { values, packed: out.finish() };
}

function positional({ name, params }: ReducerDef, args: CallArguments): readonly unknown[] {
  if (Array.isArray(args)) {
    if (args.length <= params.length) return params.map((_, i) => args[i] as unknown);
    throw new TypeError(`${name}: expected ${params.length} arguments, got ${args.length}`);
  }
  const named = args as Readonly<Record<string, unknown>>;
  for (const key of Object.keys(named)) {
    if (!params.some((param) => param.name === key)) {
      throw new TypeError(`${name}: there is no parameter ${key}`);
    }
  }
  return params.map((param) => named[param.name]);
}

/** The value of a packed result. */
export function readResult(type: Type, packed: Uint8Array): unknown {
  const cursor = new Cursor(packed);
  const value = compileReader(type)(cursor);
  cursor.finish();
  return value;
}
