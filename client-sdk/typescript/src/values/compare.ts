/** The order of values on the server, for results that are sorted: NULL first, NaN last. */

import { canonicalJson } from "./canonical-json.js";
import { compareDecimals } from "./decimal.js";
import type { Type } from "./types.js";

export type Compare = (a: unknown, b: unknown) => number;

const simple = (a: unknown, b: unknown): number =>
  (a as number) < (b as number) ? -1 : (a as number) > (b as number) ? 1 : 0;

const float = (a: unknown, b: unknown): number =>
  Number.isNaN(a) || Number.isNaN(b) ? simple(Number.isNaN(a), Number.isNaN(b)) : simple(a, b);

/** UTF-8 order, which is the order of code points and not of UTF-16 units. */
function text(a: unknown, b: unknown): number {
  const left = a as string;
  const right = b as string;
  const length = Math.min(left.length, right.length);
  for (let i = 0; i < length; i++) {
    if (left.charCodeAt(i) !== right.charCodeAt(i)) {
      // Within a surrogate pair the units decide alike, outside of it the code points do.
      return simple(rank(left.charCodeAt(i)), rank(right.charCodeAt(i)));
    }
  }
  return left.length - right.length;
}

/** Moves surrogates (0xd800 to 0xdfff) above the other units, where their code points are. */
function rank(unit: number): number {
  return unit >= 0xd800 && unit <= 0xdfff ? unit + 0x10000 : unit;
}

function listOf(inner: Compare): Compare {
  return (a, b) => {
    const left = a as ArrayLike<unknown>;
    const right = b as ArrayLike<unknown>;
    const length = Math.min(left.length, right.length);
    for (let i = 0; i < length; i++) {
      const order = inner(left[i], right[i]);
      if (order !== 0) return order;
    }
    return left.length - right.length;
  };
}

/** The comparison of two values of a type. */
export function compileCompare(type: Type): Compare {
  if (type === "f32" || type === "f64") return float;
  if (type === "string") return text;
  // No order that means anything, but a result can have JSON in its key, which settles ties.
  if (type === "json") return (a, b) => text(canonicalJson(a), canonicalJson(b));
  if (type === "decimal") return (a, b) => compareDecimals(a as string, b as string);
  if (type === "bytes") return listOf(simple);
  // Booleans, numbers, bigints; and hex text of one length, which sorts like its bytes.
  if (typeof type === "string") return simple;
  if ("option" in type) {
    const inner = compileCompare(type.option);
    return (a, b) => (a === null || b === null ? simple(a !== null, b !== null) : inner(a, b));
  }
  if ("list" in type) return listOf(compileCompare(type.list));
  if ("struct" in type) {
    const fields = type.struct.fields.map(({ name, type }) => ({
      name,
      compare: compileCompare(type),
    }));
    return (a, b) => {
      for (const { name, compare } of fields) {
        const order = compare(
          (a as Record<string, unknown>)[name],
          (b as Record<string, unknown>)[name],
        );
        if (order !== 0) return order;
      }
      return 0;
    };
  }
  return enumCompare(type.enum.variants);
}

function nameOf(value: unknown): string {
  return typeof value === "string" ? value : (value as { tag: string }).tag;
}

function enumCompare(variants: readonly { name: string; type?: Type | null }[]): Compare {
  const payloads = variants.map(({ type }) => (type == null ? undefined : compileCompare(type)));
  const positions = new Map(variants.map(({ name }, position) => [name, position]));
  return (a, b) => {
    const position = positions.get(nameOf(a)) ?? 0;
    const order = position - (positions.get(nameOf(b)) ?? 0);
    const payload = payloads[position];
    if (order !== 0 || !payload) return order;
    return payload((a as { value: unknown }).value, (b as { value: unknown }).value);
  };
}

/** Whether two decoded values are the same value. */
export function isEqual(a: unknown, b: unknown): boolean {
  if (Object.is(a, b)) return true;
  if (typeof a !== "object" || typeof b !== "object" || a === null || b === null) return false;
  const left = a as Record<string, unknown>;
  const right = b as Record<string, unknown>;
  const keys = Object.keys(left);
  if (keys.length !== Object.keys(right).length) return false;
  return keys.every((key) => key in right && isEqual(left[key], right[key]));
}
