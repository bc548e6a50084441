/**
 * Reads packed values: little-endian scalars, u32 length before bytes, u8 tag for option and enum.
 *
 * A reader is compiled once for a type and is a plain closure. Every reader checks what it reads: bytes
 * that are not of the type throw, none reads past the end.
 */

import type { Type } from "./types.js";
import { formatDecimal } from "./decimal.js";
import { toHex, toUuid } from "./text.js";

/** A position in packed bytes. */
export class Cursor {
  readonly bytes: Uint8Array;
  readonly view: DataView;
  at = 0;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get isAtEnd(): boolean {
    return this.at === this.bytes.length;
  }

  /** Steps over `length` bytes and returns where they start. */
  skip(length: number): number {
    const start = this.at;
    if (length > this.bytes.length - start) throw new RangeError("packed bytes end too early");
    this.at = start + length;
    return start;
  }

  take(length: number): Uint8Array {
    const start = this.skip(length);
    return this.bytes.subarray(start, this.at);
  }

  u8(): number {
    return this.view.getUint8(this.skip(1));
  }

  u32(): number {
    return this.view.getUint32(this.skip(4), true);
  }

  /** A u32 length, then that many bytes: a view, not a copy. */
  sized(): Uint8Array {
    return this.take(this.u32());
  }

  finish(): void {
    if (!this.isAtEnd) throw new RangeError("bytes follow the packed value");
  }
}

export type Reader = (cursor: Cursor) => unknown;

const UTF8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
/**
 * Up to this length a loop over ASCII beats the call into TextDecoder. Longer strings that grow by a
 * character at a time are trees in V8 until somebody looks at them, which costs time and memory.
 */
const SHORT_TEXT = 12;

/** The text of UTF-8 bytes. Throws if they are not UTF-8. */
export function readText(bytes: Uint8Array): string {
  if (bytes.length > SHORT_TEXT) return UTF8.decode(bytes);
  let text = "";
  for (const byte of bytes) {
    if (byte > 0x7f) return UTF8.decode(bytes);
    text += String.fromCharCode(byte);
  }
  return text;
}

const i64: Reader = (c) => c.view.getBigInt64(c.skip(8), true);
const wide = (high: (at: number, view: DataView) => bigint): Reader => (c) => {
  const at = c.skip(16);
  return (high(at + 8, c.view) << 64n) | c.view.getBigUint64(at, true);
};
const i128 = wide((at, view) => view.getBigInt64(at, true));
const id = (length: number): Reader => (c) => toHex(c.take(length));

const SCALARS: Record<Extract<Type, string>, Reader> = {
  bool: (c) => tag(c, 2) === 1,
  i8: (c) => c.view.getInt8(c.skip(1)),
  i16: (c) => c.view.getInt16(c.skip(2), true),
  i32: (c) => c.view.getInt32(c.skip(4), true),
  i64,
  i128,
  u8: (c) => c.u8(),
  u16: (c) => c.view.getUint16(c.skip(2), true),
  u32: (c) => c.u32(),
  u64: (c) => c.view.getBigUint64(c.skip(8), true),
  u128: wide((at, view) => view.getBigUint64(at, true)),
  f32: (c) => c.view.getFloat32(c.skip(4), true),
  f64: (c) => c.view.getFloat64(c.skip(8), true),
  string: (c) => readText(c.sized()),
  bytes: (c) => new Uint8Array(c.sized()),
  identity: id(32),
  connection_id: id(16),
  timestamp: i64,
  duration: i64,
  uuid: (c) => toUuid(c.take(16)),
  decimal: (c) => formatDecimal({ mantissa: i128(c) as bigint, scale: tag(c, 39) }),
  json: (c) => JSON.parse(readText(c.sized())) as unknown,
};

function tag(cursor: Cursor, count: number): number {
  const value = cursor.u8();
  if (value >= count) throw new RangeError(`packed tag ${value} is not one of ${count}`);
  return value;
}

/** The reader of a type. */
export function compileReader(type: Type): Reader {
  if (typeof type === "string") {
    const reader = SCALARS[type];
    if (!reader) throw new TypeError(`unknown type ${type}`);
    return reader;
  }
  if ("option" in type) {
    const inner = compileReader(type.option);
    return (c) => (tag(c, 2) === 0 ? inner(c) : null);
  }
  if ("list" in type) return listReader(compileReader(type.list));
  if ("struct" in type) {
    const { fields } = type.struct;
    const readers = fields.map((field) => compileReader(field.type));
    return (c) => {
      const value: Record<string, unknown> = {};
      for (let i = 0; i < readers.length; i++) value[fields[i]!.name] = readers[i]!(c);
      return value;
    };
  }
  const variants = type.enum.variants.map(({ name, type }) => ({
    name,
    payload: type == null ? undefined : compileReader(type),
  }));
  return (c) => {
    const { name, payload } = variants[tag(c, variants.length)]!;
    return payload ? { tag: name, value: payload(c) } : name;
  };
}

function listReader(inner: Reader): Reader {
  return (c) => {
    const count = c.u32();
    // Every element has at least one byte, so a larger count is a lie.
    if (count > c.bytes.length - c.at) throw new RangeError("packed list is too long");
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(inner(c));
    return items;
  };
}
