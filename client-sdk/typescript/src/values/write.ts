/**
 * Writes packed values. Unlike reading, this meets values that people wrote, so an error names the place
 * and what was expected there.
 */

import { canonicalJson } from "./canonical-json.js";
import { parseDecimal } from "./decimal.js";
import { typeName, type Field, type ScalarType, type Type } from "./types.js";
import { GrowingBytes } from "./growing-bytes.js";
import { fromHex } from "./text.js";

/** A value is not of its type. `path` leads to it. */
export class ValueError extends TypeError {
  constructor(path: string, type: Type, value: unknown) {
    super(`${path}: expected ${typeName(type)}, got ${show(value)}`);
  }
}

function show(value: unknown): string {
  if (typeof value === "bigint") return `${value}n`;
  if (typeof value === "number" || value === undefined) return String(value);
  const text = JSON.stringify(value, (_, part: unknown) =>
    typeof part === "bigint" ? `${part}n` : part,
  ) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 57)}...` : text;
}

/** Packed values, one after the other. */
export class PackedBuffer extends GrowingBytes {
  u16(value: number): void {
    const at = this.room(2);
    this.view.setUint16(at, value, true);
  }

  u32(value: number): void {
    const at = this.room(4);
    this.view.setUint32(at, value, true);
  }

  /** The low 64 bits of a bigint, in two's complement. */
  u64(value: bigint): void {
    const at = this.room(8);
    this.view.setBigUint64(at, BigInt.asUintN(64, value), true);
  }

  f32(value: number): void {
    const at = this.room(4);
    this.view.setFloat32(at, value, true);
  }

  f64(value: number): void {
    const at = this.room(8);
    this.view.setFloat64(at, value, true);
  }

  sized(bytes: Uint8Array): void {
    this.u32(bytes.length);
    this.raw(bytes);
  }
}

const UTF8 = new TextEncoder();
const INTEGER_BITS: Partial<Record<ScalarType, number>> = {
  i8: 8, i16: 16, i32: 32, i64: 64, i128: 128,
  u8: 8, u16: 16, u32: 32, u64: 64, u128: 128,
  timestamp: 64, duration: 64,
};
/** Bytes of the types that are written as hex text. */
const ID_BYTES: Partial<Record<ScalarType, number>> = { identity: 32, connection_id: 16, uuid: 16 };

/** Appends one value of `type`. `path` names it in errors. */
export function writeValue(type: Type, value: unknown, path: string, out: PackedBuffer): void {
  if (typeof type === "string") return writeScalar(type, value, path, out);
  if ("option" in type) {
    if (value == null) return out.u8(1);
    out.u8(0);
    return writeValue(type.option, value, path, out);
  }
  if ("list" in type) {
    if (!Array.isArray(value)) throw new ValueError(path, type, value);
    out.u32(value.length);
    return value.forEach((item, i) => writeValue(type.list, item, `${path}[${i}]`, out));
  }
  if ("struct" in type) {
    if (typeof value !== "object" || value === null) throw new ValueError(path, type, value);
    return writeFields(type.struct.fields, value as Record<string, unknown>, path, out);
  }
  const carries = typeof value === "object" && value !== null && "tag" in value;
  const name = carries ? value.tag : value;
  const position = type.enum.variants.findIndex((variant) => variant.name === name);
  const payload = type.enum.variants[position]?.type;
  if (position < 0 || (payload != null) !== carries) throw new ValueError(path, type, value);
  out.u8(position);
  if (payload != null) {
    writeValue(payload, (value as { value?: unknown }).value, `${path}.${String(name)}`, out);
  }
}

/** Appends fields by name, in their order. */
export function writeFields(
  fields: readonly Field[],
  values: Readonly<Record<string, unknown>>,
  path: string,
  out: PackedBuffer,
): void {
  for (const field of fields) {
    writeValue(field.type, values[field.name], `${path}.${field.name}`, out);
  }
}

function writeScalar(type: ScalarType, value: unknown, path: string, out: PackedBuffer): void {
  const bits = INTEGER_BITS[type];
  if (bits) return writeInteger(toInteger(type, bits, value, path), bits, out);
  const idBytes = ID_BYTES[type];
  if (idBytes && typeof value === "string") {
    const bytes = fromHex(type === "uuid" ? value.replaceAll("-", "") : value, idBytes);
    if (bytes) return out.raw(bytes);
  } else if (type === "bool" && typeof value === "boolean") {
    return out.u8(value ? 1 : 0);
  } else if (type === "string" && typeof value === "string") {
    return out.sized(UTF8.encode(value));
  } else if (type === "decimal") {
    const decimal = isDecimalLike(value) ? parseDecimal(String(value)) : undefined;
    if (decimal) {
      out.u64(decimal.mantissa);
      out.u64(decimal.mantissa >> 64n);
      return out.u8(decimal.scale);
    }
  } else if (type === "json") {
    const text = canonicalJson(value);
    if (text !== undefined) return out.sized(UTF8.encode(text));
  } else if (type === "bytes" && value instanceof Uint8Array) {
    return out.sized(value);
  } else if (typeof value === "number") {
    // Zero has one form on the server; adding 0 turns -0 into it.
    if (type === "f32") return out.f32(value + 0);
    if (type === "f64") return out.f64(value + 0);
  }
  throw new ValueError(path, type, value);
}

/** A number stands for the digits that it is written with. */
function isDecimalLike(value: unknown): value is string | number | bigint {
  return typeof value === "string" || typeof value === "number" || typeof value === "bigint";
}

/** The integer that a number, a bigint or (for times) a Date stands for, if it is in range. */
export function toInteger(
  type: ScalarType,
  bits: number,
  value: unknown,
  path: string,
): number | bigint {
  let integer = value;
  if (value instanceof Date && type === "timestamp") integer = BigInt(value.getTime()) * 1000n;
  if (typeof integer === "number" && Number.isInteger(integer)) integer = BigInt(integer);
  if (typeof integer === "bigint") {
    const wrapped = type[0] === "u" ? BigInt.asUintN(bits, integer) : BigInt.asIntN(bits, integer);
    if (wrapped === integer) return bits > 32 ? integer : Number(integer);
  }
  throw new ValueError(path, type, value);
}

function writeInteger(value: number | bigint, bits: number, out: PackedBuffer): void {
  if (typeof value === "bigint") {
    out.u64(value);
    if (bits === 128) out.u64(value >> 64n);
  } else if (bits === 8) out.u8(value);
  else if (bits === 16) out.u16(value);
  else out.u32(value);
}
