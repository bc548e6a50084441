/** Types and values of them, for property tests. */

import * as fc from "fast-check";
import type { ScalarType, Type } from "../src/index.js";
import { canonicalJson } from "../src/values/canonical-json.js";
import { formatDecimal } from "../src/values/decimal.js";

const int = (bits: number): fc.Arbitrary<number> =>
  fc.integer({ min: -(2 ** (bits - 1)), max: 2 ** (bits - 1) - 1 });
const uint = (bits: number): fc.Arbitrary<number> => fc.integer({ min: 0, max: 2 ** bits - 1 });
const bigInt = (bits: bigint): fc.Arbitrary<bigint> =>
  fc.bigInt({ min: -(1n << (bits - 1n)), max: (1n << (bits - 1n)) - 1n });
const bigUint = (bits: bigint): fc.Arbitrary<bigint> =>
  fc.bigInt({ min: 0n, max: (1n << bits) - 1n });
const hex = (length: number): fc.Arbitrary<string> =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((it) => Buffer.from(it).toString("hex"));
/** What is left after the canonical form: no -0. */
const canonical = (value: number): number => value + 0;

/** Few characters from all over Unicode, so that texts have common beginnings. */
const text = fc.string({ unit: fc.constantFrom("a", "b", "\0", "é", "￿", "𐀀", "😀"), maxLength: 30 });

/** Canonical texts of decimals, small ones often. */
const decimal = fc
  .tuple(
    fc.oneof(fc.bigInt({ min: -50n, max: 50n }), fc.bigInt({ min: -(10n ** 38n) + 1n, max: 10n ** 38n - 1n })),
    fc.oneof(fc.integer({ min: 0, max: 2 }), fc.integer({ min: 0, max: 38 })),
  )
  .map(([mantissa, scale]) => {
    let [left, places] = [mantissa, scale];
    for (; places > 0 && left % 10n === 0n; places--) left /= 10n;
    return formatDecimal({ mantissa: left, scale: places });
  });

/** What JSON.parse makes of canonical text. */
const json = fc
  .jsonValue({ maxDepth: 3 })
  .map((value) => JSON.parse(canonicalJson(value) ?? "null") as unknown);

export const SCALAR_VALUES: Record<ScalarType, fc.Arbitrary<unknown>> = {
  bool: fc.boolean(),
  i8: int(8),
  i16: int(16),
  i32: int(32),
  i64: bigInt(64n),
  i128: bigInt(128n),
  u8: uint(8),
  u16: uint(16),
  u32: uint(32),
  u64: bigUint(64n),
  u128: bigUint(128n),
  f32: fc.float().map(canonical),
  f64: fc.double().map(canonical),
  string: text,
  bytes: fc.uint8Array({ maxLength: 20 }),
  identity: hex(32),
  connection_id: hex(16),
  timestamp: bigInt(64n),
  duration: bigInt(64n),
  uuid: fc.uuid(),
  decimal,
  json,
};

const scalar = fc.constantFrom(...(Object.keys(SCALAR_VALUES) as ScalarType[]));

/** Any type, up to a small depth. Options do not nest. */
export const anyType: fc.Arbitrary<Type> = fc.letrec<{ type: Type; member: Type }>((tie) => ({
  type: fc.oneof({ depthSize: "small" }, scalar, tie("member")),
  member: fc.oneof(
    tie("type")
      .filter((type) => typeof type === "string" || !("option" in type))
      .map((type): Type => ({ option: type })),
    tie("type").map((type): Type => ({ list: type })),
    fc.array(tie("type"), { minLength: 1, maxLength: 3 }).map(
      (types): Type => ({
        struct: { name: "S", fields: types.map((type, i) => ({ name: `f${i}`, type })) },
      }),
    ),
    fc.array(fc.option(tie("type")), { minLength: 1, maxLength: 3 }).map(
      (types): Type => ({
        enum: { name: "E", variants: types.map((type, i) => ({ name: `V${i}`, type })) },
      }),
    ),
  ),
})).type;

/** Values of a type. */
export function valuesOf(type: Type): fc.Arbitrary<unknown> {
  if (typeof type === "string") return SCALAR_VALUES[type];
  if ("option" in type) return fc.option(valuesOf(type.option));
  if ("list" in type) return fc.array(valuesOf(type.list), { maxLength: 4 });
  if ("struct" in type) {
    return fc.record(
      Object.fromEntries(type.struct.fields.map(({ name, type }) => [name, valuesOf(type)])),
      { noNullPrototype: true },
    );
  }
  return fc.oneof(
    ...type.enum.variants.map(({ name, type }) =>
      type == null ? fc.constant(name) : valuesOf(type).map((value) => ({ tag: name, value })),
    ),
  );
}
