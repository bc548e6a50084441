/** Values: packed, as JSON, and in order. */

import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { toDate, type Type } from "../src/index.js";
import { canonicalJson } from "../src/values/canonical-json.js";
import { compileCompare, isEqual } from "../src/values/compare.js";
import { fromJson, toJson } from "../src/values/json.js";
import { compileReader, Cursor } from "../src/values/read.js";
import { fromBase64, fromHex, toBase64, toHex } from "../src/values/text.js";
import { PackedBuffer, writeValue } from "../src/values/write.js";
import { anyType, valuesOf } from "./arbitrary.js";
import { jsonOf, packAll } from "./fake-server.js";

const typedValue = anyType.chain((type) =>
  valuesOf(type).map((value): [Type, unknown] => [type, value]),
);
const typedPair = anyType.chain((type) =>
  fc.tuple(fc.constant(type), valuesOf(type), valuesOf(type)),
);

function write(type: Type, value: unknown): Uint8Array {
  const out = new PackedBuffer();
  writeValue(type, value, "value", out);
  return out.finish();
}

function read(type: Type, bytes: Uint8Array): unknown {
  const cursor = new Cursor(bytes);
  const value = compileReader(type)(cursor);
  cursor.finish();
  return value;
}

describe("packed values", () => {
  const shape: Type = {
    enum: { name: "Shape", variants: [{ name: "None" }, { name: "Dot", type: "u16" }] },
  };
  it.each<[Type, unknown, number[]]>([
    ["bool", true, [1]],
    ["i16", -2, [0xfe, 0xff]],
    ["u32", 0x01020304, [4, 3, 2, 1]],
    ["i64", -1n, [255, 255, 255, 255, 255, 255, 255, 255]],
    ["u64", 258n, [2, 1, 0, 0, 0, 0, 0, 0]],
    ["u128", 1n << 64n, [0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0]],
    ["i128", -(1n << 127n), [...Array<number>(15).fill(0), 0x80]],
    ["f32", 1.5, [0, 0, 0xc0, 0x3f]],
    ["f64", -2, [0, 0, 0, 0, 0, 0, 0, 0xc0]],
    ["string", "hé", [3, 0, 0, 0, 0x68, 0xc3, 0xa9]],
    ["bytes", Uint8Array.of(9, 8), [2, 0, 0, 0, 9, 8]],
    ["connection_id", "00".repeat(15) + "ff", [...Array<number>(15).fill(0), 255]],
    ["uuid", "01020304-0506-0708-090a-0b0c0d0e0f10", Array.from({ length: 16 }, (_, i) => i + 1)],
    ["decimal", "-12.5", [0x83, ...Array<number>(15).fill(0xff), 1]],
    ["json", { b: 1, a: ["é"] }, [18, 0, 0, 0, ...Buffer.from('{"a":["é"],"b":1}')]],
    ["timestamp", 1_000_000n, [0x40, 0x42, 0x0f, 0, 0, 0, 0, 0]],
    [{ option: "u8" }, 7, [0, 7]],
    [{ option: "u8" }, null, [1]],
    [{ list: "u8" }, [1, 2], [2, 0, 0, 0, 1, 2]],
    [shape, "None", [0]],
    [shape, { tag: "Dot", value: 3 }, [1, 3, 0]],
  ])("have the documented bytes: %o", (type, value, bytes) => {
    expect([...write(type, value)]).toEqual(bytes);
    expect(read(type, Uint8Array.from(bytes))).toEqual(value);
  });

  it("come back as they were, and are the bytes that the table says", () => {
    fc.assert(
      fc.property(typedValue, ([type, value]) => {
        const bytes = write(type, value);
        expect(toHex(bytes)).toBe(packAll([type], [[value]]).toString("hex"));
        expect(read(type, bytes)).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("are refused, not misread, when bytes are cut or random", () => {
    fc.assert(
      fc.property(typedValue, fc.nat(), ([type, value], at) => {
        const bytes = write(type, value);
        expect(() => read(type, bytes.subarray(0, at % bytes.length))).toThrow(Error);
      }),
    );
    fc.assert(
      fc.property(anyType, fc.uint8Array({ maxLength: 40 }), (type, bytes) => {
        try {
          read(type, bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(Error);
        }
      }),
      { numRuns: 1000 },
    );
    const lie = Uint8Array.of(255, 255, 255, 255, 1);
    for (const type of ["string", "bytes", { list: "u8" }] as const) {
      expect(() => read(type, lie)).toThrow(RangeError);
    }
    expect(() => read("string", Uint8Array.of(1, 0, 0, 0, 0xff))).toThrow(TypeError);
    expect(() => read("bool", Uint8Array.of(2))).toThrow("packed tag 2");
  });

  it.each<[Type, unknown, string]>([
    ["u8", 256, "v: expected u8, got 256"],
    ["i8", -129, "v: expected i8, got -129"],
    ["u64", -1n, "v: expected u64, got -1n"],
    ["i64", 0.5, "v: expected i64, got 0.5"],
    ["i64", "1", 'v: expected i64, got "1"'],
    ["string", undefined, "v: expected string, got undefined"],
    ["identity", "abc", 'v: expected identity, got "abc"'],
    ["bytes", [1], "v: expected bytes, got [1]"],
    [{ list: { option: "bool" } }, [true, null, 1], "v[2]: expected bool, got 1"],
    [{ struct: { name: "P", fields: [{ name: "x", type: "f32" }] } }, { x: "a" }, 'v.x: expected f32, got "a"'],
    ["decimal", "1.2.3", 'v: expected decimal, got "1.2.3"'],
    ["decimal", "", 'v: expected decimal, got ""'],
    ["decimal", "1e38", 'v: expected decimal, got "1e38"'],
    ["decimal", "1e-39", 'v: expected decimal, got "1e-39"'],
    ["decimal", NaN, "v: expected decimal, got NaN"],
    ["json", undefined, "v: expected json, got undefined"],
    ["json", { a: [NaN] }, "v: expected json"],
    ["json", { a: 1n }, 'v: expected json, got {"a":"1n"}'],
    ["json", ["\ud800"], "v: expected json"],
    [shape, "Dot", 'v: expected Shape, got "Dot"'],
    [shape, { tag: "Dot", value: -1 }, "v.Dot: expected u16, got -1"],
  ])("name the place where %o is not met", (type, value, message) => {
    expect(() => writeValue(type, value, "v", new PackedBuffer())).toThrow(message);
  });

  it("take what a person would write", () => {
    expect(read("u64", write("u64", 5))).toBe(5n);
    expect(read("u8", write("u8", 5n))).toBe(5);
    expect(read("timestamp", write("timestamp", new Date(12)))).toBe(12_000n);
    expect(Object.is(read("f64", write("f64", -0)), 0)).toBe(true);
    const decimals = { "+0.50": "0.5", "1e3": "1000", "-0": "0", "5.": "5", ".5": "0.5", "100e-4": "0.01" };
    for (const [text, canonical] of Object.entries(decimals)) {
      expect(read("decimal", write("decimal", text))).toBe(canonical);
    }
    expect(read("decimal", write("decimal", 1e-7))).toBe("0.0000001");
    expect(read("decimal", write("decimal", -(10n ** 37n)))).toBe(`-1${"0".repeat(37)}`);
    const canonical = '{"":[-1e-7,1e+21,null],"😀":"\\u001f\u007f","ﬁ":{}}';
    expect(canonicalJson(JSON.parse(canonical))).toBe(canonical);
    expect(canonicalJson({ b: undefined, a: new Date(0), c: -0 })).toBe(
      '{"a":"1970-01-01T00:00:00.000Z","c":0}',
    );
    const nested = (depth: number): unknown => (depth === 0 ? 1 : [nested(depth - 1)]);
    expect(canonicalJson(nested(64))).toBe(`${"[".repeat(64)}1${"]".repeat(64)}`);
    expect(canonicalJson(nested(65))).toBeUndefined();
    expect(toDate(12_345n).getTime()).toBe(12);
    expect(toDate(-1n).getTime()).toBe(-1);
    expect(toDate(-1000n).getTime()).toBe(-1);
  });
});

describe("JSON values", () => {
  it("come back as they were, and are what the table says", () => {
    fc.assert(
      fc.property(typedValue, ([type, value]) => {
        const json = toJson(type, value);
        expect(json).toEqual(jsonOf(type, value));
        expect(fromJson(type, JSON.parse(JSON.stringify(json)))).toEqual(value);
      }),
      { numRuns: 500 },
    );
  });

  it("have bytes as base64 and ids as hex", () => {
    fc.assert(
      fc.property(fc.uint8Array(), (bytes) => {
        expect(toBase64(bytes)).toBe(Buffer.from(bytes).toString("base64"));
        expect(fromBase64(toBase64(bytes))).toEqual(bytes);
        expect(fromHex(toHex(bytes), bytes.length)).toEqual(bytes);
      }),
    );
    expect(fromHex("0g", 1)).toBeUndefined();
    expect(fromHex("00", 2)).toBeUndefined();
  });
});

/** Sign and place of the first digit, then the digits moved to the front of 38. */
function decimalKey(text: string): number[] {
  const digits = text.replace(/[-.]/g, "").replace(/^0+/, "");
  if (digits === "") return [0x80];
  const isNegative = text.startsWith("-");
  const place = 40 + digits.length - (text.split(".")[1]?.length ?? 0);
  const aligned = BigInt(digits.padEnd(38, "0")).toString(16).padStart(32, "0");
  const bytes = [...Buffer.from(aligned, "hex")];
  return isNegative
    ? [0x80 - place, ...bytes.map((byte) => 255 - byte)]
    : [0x80 + place, ...bytes];
}

/** The memcomparable form of a value, whose order as bytes is the server's order of values. */
function memcomparable(type: Type, value: any): number[] {
  if (value === null && type !== "json") return [0];
  if (typeof type === "object") {
    if ("option" in type) return [1, ...memcomparable(type.option, value)];
    if ("list" in type) {
      return [...value.flatMap((it: unknown) => [1, ...memcomparable(type.list, it)]), 0];
    }
    if ("struct" in type) {
      return type.struct.fields.flatMap((it) => memcomparable(it.type, value[it.name]));
    }
    const at = type.enum.variants.findIndex(({ name }) => name === (value.tag ?? value));
    const payload = type.enum.variants[at]!.type;
    return [at, ...(payload == null ? [] : memcomparable(payload, value.value))];
  }
  if (type === "decimal") return decimalKey(value);
  const packed = [...packAll([type], [[value]])];
  if (type === "string" || type === "bytes" || type === "json") {
    return [...packed.slice(4).flatMap((byte) => (byte === 0 ? [0, 255] : [byte])), 0, 0];
  }
  if (["identity", "connection_id", "uuid"].includes(type)) return packed;
  packed.reverse();
  if (type[0] === "f") {
    const isNegative = packed[0]! >= 128;
    return packed.map((byte, i) => (isNegative ? 255 - byte : i === 0 ? byte | 128 : byte));
  }
  if (type[0] === "i" || type === "timestamp" || type === "duration") packed[0]! ^= 128;
  return packed;
}

describe("order and equality", () => {
  it("are those of the server's keys", () => {
    fc.assert(
      fc.property(typedPair, ([type, a, b]) => {
        const [left, right] = [memcomparable(type, a), memcomparable(type, b)];
        const expected = Buffer.compare(Buffer.from(left), Buffer.from(right));
        expect(Math.sign(compileCompare(type)(a, b))).toBe(expected);
        expect(compileCompare(type)(a, structuredClone(a))).toBe(0);
        expect(isEqual(a, b)).toBe(expected === 0);
        expect(isEqual(a, structuredClone(a))).toBe(true);
      }),
      { numRuns: 2000 },
    );
  });
});
