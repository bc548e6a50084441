/**
 * The part of MessagePack that the protocol uses. Reading takes every format but extensions; writing
 * makes nil, booleans, numbers, bigints of 64 bits, text, bytes, arrays and plain objects.
 */

import { GrowingBytes } from "../values/growing-bytes.js";
import { readText } from "../values/read.js";

/** Arrays and maps nest at most this deep. */
const DEPTH_MAX = 64;

/** Reads exactly one value. Bytes are views of `bytes`; integers over 53 bits are bigints. */
export function decodeMessagePack(bytes: Uint8Array): unknown {
  const decoder = new Decoder(bytes);
  const value = decoder.value(0);
  if (decoder.at !== bytes.length) throw new RangeError("bytes follow the message");
  return value;
}

class Decoder {
  at = 0;
  private readonly bytes: Uint8Array;
  private readonly view: DataView;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  value(depth: number): unknown {
    if (depth > DEPTH_MAX) throw new RangeError("message nests too deep");
    const head = this.uint(1);
    if (head < 0x80) return head;
    if (head < 0x90) return this.map(head & 0x0f, depth);
    if (head < 0xa0) return this.array(head & 0x0f, depth);
    if (head < 0xc0) return this.text(head & 0x1f);
    if (head >= 0xe0) return head - 0x100;
    switch (head) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return this.view.getFloat32(this.skip(4));
      case 0xcb:
        return this.view.getFloat64(this.skip(8));
      case 0xcf:
        return integer(this.view.getBigUint64(this.skip(8)));
      case 0xd0:
        return this.view.getInt8(this.skip(1));
      case 0xd1:
        return this.view.getInt16(this.skip(2));
      case 0xd2:
        return this.view.getInt32(this.skip(4));
      case 0xd3:
        return integer(this.view.getBigInt64(this.skip(8)));
    }
    // What is left comes in groups of one, two and four bytes of length.
    if (head >= 0xc4 && head <= 0xc6) return this.take(this.uint(1 << (head - 0xc4)));
    if (head >= 0xcc && head <= 0xce) return this.uint(1 << (head - 0xcc));
    if (head >= 0xd9 && head <= 0xdb) return this.text(this.uint(1 << (head - 0xd9)));
    if (head >= 0xdc && head <= 0xdd) return this.array(this.uint(2 << (head - 0xdc)), depth);
    if (head >= 0xde) return this.map(this.uint(2 << (head - 0xde)), depth);
    throw new RangeError(`message has the unknown format ${head}`);
  }

  private skip(length: number): number {
    const start = this.at;
    if (length > this.bytes.length - start) throw new RangeError("message ends too early");
    this.at = start + length;
    return start;
  }

  private take(length: number): Uint8Array {
    const start = this.skip(length);
    return this.bytes.subarray(start, this.at);
  }

  private uint(width: number): number {
    const start = this.skip(width);
    if (width === 1) return this.view.getUint8(start);
    return width === 2 ? this.view.getUint16(start) : this.view.getUint32(start);
  }

  private text(length: number): string {
    return readText(this.take(length));
  }

  private array(count: number, depth: number): unknown[] {
    const items: unknown[] = [];
    for (let i = 0; i < count; i++) items.push(this.value(depth + 1));
    return items;
  }

  private map(count: number, depth: number): Record<string, unknown> {
    const entries: [string, unknown][] = [];
    for (let i = 0; i < count; i++) {
      entries.push([String(this.value(depth + 1)), this.value(depth + 1)]);
    }
    return Object.fromEntries(entries);
  }
}

function integer(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

const UTF8 = new TextEncoder();

/** Writes one value. Throws for what the protocol has no form for. */
export function encodeMessagePack(value: unknown): Uint8Array<ArrayBuffer> {
  const encoder = new Encoder();
  encoder.put(value);
  return encoder.finish();
}

class Encoder extends GrowingBytes {
  put(value: unknown): void {
    if (value == null) this.u8(0xc0);
    else if (typeof value === "boolean") this.u8(value ? 0xc3 : 0xc2);
    else if (typeof value === "number") this.number(value);
    else if (typeof value === "bigint") this.bigint(value);
    else if (typeof value === "string") this.text(UTF8.encode(value));
    else if (value instanceof Uint8Array) this.sized(0xc4, value);
    else if (Array.isArray(value)) this.array(0x90, 0xdc, value);
    else if (Object.getPrototypeOf(value) === Object.prototype) {
      this.array(0x80, 0xde, Object.entries(value));
    }
    else throw new TypeError(`a message cannot hold ${Object.prototype.toString.call(value)}`);
  }

  private number(value: number): void {
    if (Number.isSafeInteger(value) && !Object.is(value, -0)) {
      if (value >= 0 && value < 0x80) this.u8(value);
      else if (value < 0 && value >= -0x20) this.u8(value + 0x100);
      else if (value >= 0 && value <= 0xffff_ffff) this.head(0xcc, value);
      else this.bigint(BigInt(value));
      return;
    }
    this.u8(0xcb);
    const at = this.room(8);
    this.view.setFloat64(at, value);
  }

  private bigint(value: bigint): void {
    if (value >= 0n && BigInt.asUintN(64, value) === value) this.u8(0xcf);
    else if (BigInt.asIntN(64, value) === value) this.u8(0xd3);
    else throw new RangeError("an integer of a message has at most 64 bits");
    const at = this.room(8);
    this.view.setBigUint64(at, BigInt.asUintN(64, value));
  }

  /** The first, second or third format of a group, then a number in one, two or four bytes. */
  private head(group: number, value: number): void {
    if (value <= 0xff) {
      this.u8(group);
      this.u8(value);
    } else if (value <= 0xffff) {
      this.u8(group + 1);
      const at = this.room(2);
      this.view.setUint16(at, value);
    } else {
      this.u8(group + 2);
      const at = this.room(4);
      this.view.setUint32(at, value);
    }
  }

  private sized(group: number, bytes: Uint8Array): void {
    this.head(group, bytes.length);
    this.raw(bytes);
  }

  private text(bytes: Uint8Array): void {
    if (bytes.length >= 0x20) return this.sized(0xd9, bytes);
    this.u8(0xa0 | bytes.length);
    this.raw(bytes);
  }

  /** An array, or an object as a list of its members. */
  private array(short: number, long: number, items: readonly unknown[]): void {
    if (items.length < 0x10) this.u8(short | items.length);
    else if (items.length <= 0xffff) {
      this.u8(long);
      const at = this.room(2);
      this.view.setUint16(at, items.length);
    } else {
      this.u8(long + 1);
      const at = this.room(4);
      this.view.setUint32(at, items.length);
    }
    for (const item of short === 0x80 ? items.flat(1) : items) this.put(item);
  }
}
