/** Our part of MessagePack against a complete implementation. */

import { decode, encode } from "@msgpack/msgpack";
import * as fc from "fast-check";
import { expect, it } from "vitest";
import { decodeMessagePack, encodeMessagePack } from "../src/wire/msgpack.js";

const leaf = fc.oneof(
  fc.constant(null),
  fc.boolean(),
  fc.maxSafeInteger(),
  fc.integer({ min: -300, max: 70_000 }),
  fc.double().filter((value) => !Number.isSafeInteger(value)),
  fc.string({ unit: "grapheme", maxLength: 40 }),
  fc.uint8Array({ maxLength: 300 }),
);
const value = fc.letrec((tie) => ({
  value: fc.oneof({ depthSize: "medium" }, leaf, tie("list")),
  list: fc.array(tie("value"), { maxLength: 20 }),
})).value;

it("writes what the other reads", () => {
  fc.assert(
    fc.property(value, (value) => {
      const bytes = encodeMessagePack(value);
      expect(decode(bytes)).toEqual(value);
      expect(decodeMessagePack(bytes)).toEqual(value);
    }),
    { numRuns: 500 },
  );
  fc.assert(
    fc.property(fc.oneof(fc.maxSafeNat(), fc.nat(), fc.nat(70_000), leaf), (value) => {
      fc.pre(typeof value !== "number" || value >= -32);
      expect(encodeMessagePack(value).length).toBe(encode(value).length);
    }),
  );
});

it("reads what the other writes, maps and long forms too", () => {
  const withMaps = fc.letrec((tie) => ({
    value: fc.oneof(
      leaf,
      fc.array(tie("value")),
      fc.dictionary(fc.string(), tie("value"), { noNullPrototype: true }),
    ),
  })).value;
  fc.assert(
    fc.property(withMaps, (value) => {
      expect(decodeMessagePack(encode(value))).toEqual(value);
    }),
    { numRuns: 500 },
  );
  const long = [
    "x".repeat(70_000),
    "y".repeat(300),
    new Uint8Array(70_000),
    Array(70_000).fill(1),
    Array(20).fill("a"),
    Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`k${i}`, i])),
  ];
  for (const value of long) {
    expect(decodeMessagePack(encode(value))).toEqual(value);
  }
  expect(decode(encodeMessagePack(long.slice(0, 5)))).toEqual(long.slice(0, 5));
  expect(decodeMessagePack(encode(1.5, { forceFloat32: true }))).toBe(1.5);
});

it("has integers over 53 bits as bigints", () => {
  const options = { useBigInt64: true };
  fc.assert(
    fc.property(fc.bigInt({ min: -(2n ** 63n), max: 2n ** 64n - 1n }), (value) => {
      const isSafe = Number.isSafeInteger(Number(value));
      expect(BigInt(decode(encodeMessagePack(value), options) as bigint)).toBe(value);
      expect(decodeMessagePack(encodeMessagePack(value))).toBe(isSafe ? Number(value) : value);
      expect(decodeMessagePack(encode(value, options))).toBe(isSafe ? Number(value) : value);
    }),
  );
  expect(() => encodeMessagePack(2n ** 64n)).toThrow(RangeError);
  expect(() => encodeMessagePack(new Map())).toThrow("cannot hold [object Map]");
});

it("refuses random, cut and deep bytes with an error", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 60 }), (bytes) => {
      let ours: unknown;
      try {
        ours = decodeMessagePack(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(Error);
        return;
      }
      expect(ours).toBeDefined();
    }),
    { numRuns: 2000 },
  );
  const bytes = encodeMessagePack([1, "text", new Uint8Array(3), [2.5]]);
  for (let length = 0; length < bytes.length; length++) {
    expect(() => decodeMessagePack(bytes.subarray(0, length))).toThrow(Error);
  }
  expect(() => decodeMessagePack(new Uint8Array(1000).fill(0x91))).toThrow("too deep");
  expect(() => decodeMessagePack(Uint8Array.of(1, 1))).toThrow("follow");
  expect(() => decodeMessagePack(Uint8Array.of(0xc1))).toThrow("unknown format");
  expect(() => decodeMessagePack(Uint8Array.of(0xc7, 1, 1, 1))).toThrow("unknown format");
});
