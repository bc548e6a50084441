/**
 * Values in JSON: integers of 64 bits and more as decimal strings, bytes as base64, ids as hex, NaN and
 * infinities as strings, decimals as text, JSON as it is, an enum as its variant's name or an object with that one member.
 */

import { fromBase64, toBase64 } from "./text.js";
import type { ScalarType, Type } from "./types.js";

/** Types that are bigints here and decimal strings there. */
const WIDE: ReadonlySet<ScalarType> = new Set<ScalarType>([
  "i64", "i128", "u64", "u128", "timestamp", "duration",
]);

/** The value of `type` that the JSON stands for. Throws if its structure is not that of the type. */
export function fromJson(type: Type, json: unknown): unknown {
  if (typeof type === "string") return scalarFromJson(type, json);
  if ("option" in type) return json === null ? null : fromJson(type.option, json);
  if ("list" in type) return (json as unknown[]).map((item) => fromJson(type.list, item));
  if ("struct" in type) {
    const members = json as Record<string, unknown>;
    return Object.fromEntries(
      type.struct.fields.map(({ name, type }) => [name, fromJson(type, members[name])]),
    );
  }
  if (typeof json === "string") return json;
  const [tag, carried] = Object.entries(json as object)[0] as [string, unknown];
  const variant = type.enum.variants.find(({ name }) => name === tag);
  if (variant?.type == null) throw new TypeError(`${type.enum.name} has no variant ${tag}`);
  return { tag, value: fromJson(variant.type, carried) };
}

function scalarFromJson(type: ScalarType, json: unknown): unknown {
  if (WIDE.has(type)) return BigInt(json as string | number);
  if (type === "bytes") return fromBase64(json as string);
  if (type === "f32" || type === "f64") return Number(json);
  return json;
}

/** The JSON of a value that {@link writeValue} accepts for the type. */
export function toJson(type: Type, value: unknown): unknown {
  if (type === "json") return value;
  if (typeof type === "string") return scalarToJson(value);
  if ("option" in type) return value == null ? null : toJson(type.option, value);
  if ("list" in type) return (value as unknown[]).map((item) => toJson(type.list, item));
  if ("struct" in type) {
    const fields = value as Record<string, unknown>;
    return Object.fromEntries(
      type.struct.fields.map(({ name, type }) => [name, toJson(type, fields[name])]),
    );
  }
  if (typeof value === "string") return value;
  const { tag, value: carried } = value as { tag: string; value: unknown };
  const variant = type.enum.variants.find(({ name }) => name === tag);
  return { [tag]: variant?.type == null ? null : toJson(variant.type, carried) };
}

/** A value of any scalar type, or a query parameter. */
export function scalarToJson(value: unknown): unknown {
  if (value instanceof Date) return String(BigInt(value.getTime()) * 1000n);
  if (value instanceof Uint8Array) return toBase64(value);
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  return value ?? null;
}
