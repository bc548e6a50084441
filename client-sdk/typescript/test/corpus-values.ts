/** Between the JSON of scripts and the values of the client. */

import type { Type } from "../src/index.js";
import { fromJson } from "../src/values/json.js";
import { toBase64 } from "../src/values/text.js";

/**
 * The value that a program would pass for what a script writes. Scripts also use forms that only JSON has:
 * bytes as numbers, uuids without hyphens, hex in upper case. What does not fit is left for the client to refuse.
 */
export function argument(type: Type, json: unknown): unknown {
  if (json === undefined || json === null) return json;
  if (typeof type === "string") return scalar(type, json);
  if ("option" in type) return argument(type.option, json);
  if ("list" in type) {
    return Array.isArray(json) ? json.map((item) => argument(type.list, item)) : json;
  }
  if ("struct" in type) {
    if (typeof json !== "object") return json;
    const members = json as Record<string, unknown>;
    const fields = type.struct.fields.map(({ name, type }) => [name, argument(type, members[name])]);
    return Object.fromEntries(fields);
  }
  if (typeof json !== "object") return json;
  const [tag, carried] = Object.entries(json)[0] ?? ["", null];
  const variant = type.enum.variants.find(({ name }) => name === tag);
  return { tag, value: variant?.type == null ? null : argument(variant.type, carried) };
}

function scalar(type: string, json: unknown): unknown {
  if (type === "bytes" && Array.isArray(json)) return Uint8Array.from(json as number[]);
  if (type === "identity" && typeof json === "string") return json.toLowerCase();
  if (type === "uuid" && typeof json === "string") {
    const digits = json.replaceAll("-", "").toLowerCase();
    return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
  }
  try {
    return fromJson(type as Type, json);
  } catch {
    return json;
  }
}

/** A value of the client as JSON; its types need not be known. */
export function toPlain(value: unknown): unknown {
  if (typeof value === "bigint") return String(value);
  if (typeof value === "number" && !Number.isFinite(value)) return String(value);
  if (value instanceof Uint8Array) return toBase64(value);
  if (Array.isArray(value)) return value.map(toPlain);
  if (typeof value !== "object" || value === null) return value ?? null;
  const entries = Object.entries(value).map(([name, member]) => [name, toPlain(member)] as const);
  const [first, second] = entries;
  if (entries.length === 2 && first?.[0] === "tag" && second?.[0] === "value") {
    return { [first[1] as string]: second[1] };
  }
  return Object.fromEntries(entries);
}

/** Whether a value is as expected; `"..."` stands for anything. */
export function matches(expected: unknown, found: unknown): boolean {
  if (expected === "...") return true;
  if (typeof expected !== "object" || typeof found !== "object" || !expected || !found) {
    return Object.is(expected, found) || (expected === 0 && found === 0);
  }
  const [left, right] = [Object.entries(expected), found as Record<string, unknown>];
  return (
    Array.isArray(expected) === Array.isArray(found) &&
    left.length === Object.keys(right).length &&
    left.every(([name, value]) => name in right && matches(value, right[name]))
  );
}

/** Whether lists match one for one, in order or in any. */
export function allMatch(expected: unknown[], found: unknown[], inOrder: boolean): boolean {
  if (expected.length !== found.length) return false;
  if (inOrder) return expected.every((value, i) => matches(value, found[i]));
  const left = [...found];
  return expected.every((value) => {
    const at = left.findIndex((candidate) => matches(value, candidate));
    return at >= 0 && left.splice(at, 1).length === 1;
  });
}
