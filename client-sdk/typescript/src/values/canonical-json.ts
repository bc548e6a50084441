/** JSON as the server keeps it: RFC 8785, so that equal values are equal text. */

const DEPTH_MAX = 64;
/** Half of a surrogate pair: no UTF-8 has it. */
const LONE_SURROGATE = /\p{Surrogate}/u;

/**
 * The canonical text of what `JSON.stringify` would take: members that are undefined are left out. Undefined for
 * what JSON does not have: NaN, infinities, bigints, functions, halves of surrogate pairs, more than 64 levels.
 */
export function canonicalJson(value: unknown, depth = 0): string | undefined {
  if (value === null || typeof value === "boolean") return String(value);
  // JSON.stringify writes numbers as RFC 8785 wants them, which took its rule from there.
  if (typeof value === "number") return Number.isFinite(value) ? JSON.stringify(value) : undefined;
  if (typeof value === "string") {
    return LONE_SURROGATE.test(value) ? undefined : JSON.stringify(value);
  }
  if (typeof value !== "object") return undefined;
  if ("toJSON" in value && typeof value.toJSON === "function") {
    const plain: unknown = value.toJSON();
    return plain === value ? undefined : canonicalJson(plain, depth);
  }
  if (depth === DEPTH_MAX) return undefined;
  return Array.isArray(value)
    ? inBrackets("[]", value.map((item) => canonicalJson(item, depth + 1)))
    : inBrackets("{}", members(value as Record<string, unknown>, depth));
}

function members(value: Readonly<Record<string, unknown>>, depth: number): (string | undefined)[] {
  const names = Object.keys(value).filter((name) => value[name] !== undefined);
  return names.sort().map((name) => {
    const [key, member] = [canonicalJson(name), canonicalJson(value[name], depth + 1)];
    return key === undefined || member === undefined ? undefined : `${key}:${member}`;
  });
}

function inBrackets(brackets: string, parts: readonly (string | undefined)[]): string | undefined {
  if (parts.includes(undefined)) return undefined;
  return `${brackets[0]!}${parts.join(",")}${brackets[1]!}`;
}
