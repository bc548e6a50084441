/** Operators, functions and aggregates. What they mean is SQL's: docs/query.md. */

import { Expr, call, operator, unary, write } from "./expr.js";
import type { Any, Computed, Condition, Counted, Decimals, Numeric, Operand, Result, Truth, ValueOf } from "./expr.js";

export function eq<T, B extends Operand<T>>(a: Expr<T, unknown>, b: B): Truth<T | ValueOf<B>> {
  return operator("eq", a, b);
}

export function ne<T, B extends Operand<T>>(a: Expr<T, unknown>, b: B): Truth<T | ValueOf<B>> {
  return operator("ne", a, b);
}

export function lt<T, B extends Operand<T>>(a: Expr<T, unknown>, b: B): Truth<T | ValueOf<B>> {
  return operator("lt", a, b);
}

export function le<T, B extends Operand<T>>(a: Expr<T, unknown>, b: B): Truth<T | ValueOf<B>> {
  return operator("le", a, b);
}

export function gt<T, B extends Operand<T>>(a: Expr<T, unknown>, b: B): Truth<T | ValueOf<B>> {
  return operator("gt", a, b);
}

export function ge<T, B extends Operand<T>>(a: Expr<T, unknown>, b: B): Truth<T | ValueOf<B>> {
  return operator("ge", a, b);
}

/** IS NOT DISTINCT FROM: equal, or both NULL. */
export function same<T>(a: Expr<T, unknown>, b: Operand<T> | null): Expr<boolean, false> {
  return operator("same", a, b);
}

export function between<T>(
  x: Expr<T, unknown>,
  low: Operand<T>,
  high: Operand<T>,
): Expr<boolean | null, false> {
  return operator("between", x, low, high);
}

export function isNull(x: Expr<unknown, unknown>): Expr<boolean, false> {
  return unary("is_null", x);
}

export function isNotNull(x: Expr<unknown, unknown>): Expr<boolean, false> {
  return not(isNull(x)) as Expr<boolean, false>;
}

/** All of them; true if there are none. */
export function and(...conditions: readonly Condition[]): Expr<boolean | null, false> {
  return operator("and", ...conditions);
}

/** One of them; false if there are none. */
export function or(...conditions: readonly Condition[]): Expr<boolean | null, false> {
  return operator("or", ...conditions);
}

export function not(condition: Condition): Expr<boolean | null, false> {
  return unary("not", condition);
}

/** `%` is any text and `_` one character, but after the escape character. */
export function like(
  text: Expr<string | null, unknown>,
  pattern: Operand<string>,
  escape?: string,
): Expr<boolean | null, false> {
  if (escape === undefined) return operator("like", text, pattern);
  return new Expr((names) => ({
    like_escape: [write(text, names), write(pattern, names), escape],
  }));
}

/** A query of one column, as the builder makes it. */
export interface Values<T> {
  readonly subQuery: Expr<T, unknown>;
}

/** In a list, in a parameter that is one, or among the values of a query of one column. */
export function isIn<T>(
  x: Expr<T, unknown>,
  items: readonly Operand<T>[] | Expr<readonly unknown[], unknown> | Values<unknown>,
): Expr<boolean | null, false> {
  if ("subQuery" in items) {
    return new Expr((names) => ({ in_query: [x.write(names), items.subQuery.write(names)] }));
  }
  const list = items instanceof Expr ? [items] : items;
  return new Expr((names) => ({
    in: [x.write(names), list.map((item) => write(item, names))],
  }));
}

export function exists(query: Values<unknown>): Expr<boolean, false> {
  return new Expr((names) => ({ exists: query.subQuery.write(names) }));
}

export function notExists(query: Values<unknown>): Expr<boolean, false> {
  return not(exists(query)) as Expr<boolean, false>;
}

/** The value of a query of one column and at most one row. */
export function scalar<T>(query: Values<T>): Expr<T | null> {
  return new Expr((names) => ({ scalar: query.subQuery.write(names) }));
}

export function add<A extends Numeric, const B extends Numeric>(
  a: A,
  b: B,
): Result<A, B> {
  return operator("add", a, b);
}

export function sub<A extends Numeric, const B extends Numeric>(
  a: A,
  b: B,
): Result<A, B> {
  return operator("subtract", a, b);
}

export function mul<A extends Numeric, const B extends Numeric>(
  a: A,
  b: B,
): Result<A, B> {
  return operator("multiply", a, b);
}

/** NULL for a division by zero; between integers it cuts towards zero. */
export function div<A extends Numeric, const B extends Numeric>(
  a: A,
  b: B,
): Result<A, B> {
  return operator("divide", a, b);
}

export function rem<A extends Numeric, const B extends Numeric>(
  a: A,
  b: B,
): Result<A, B> {
  return operator("remainder", a, b);
}

export function neg<F>(x: Counted<F>): Computed<F> {
  return unary("negate", x);
}

export function abs<F>(x: Counted<F>): Computed<F> {
  return call("abs", x);
}

/** NULL too if no row could hold the text. */
export function concat(a: Operand<string>, b: Operand<string>): Expr<string | null, false> {
  return operator("concat", a, b);
}

export function lower<T extends string | null>(text: Expr<T, unknown>): Expr<T, false> {
  return call("lower", text);
}

export function upper<T extends string | null>(text: Expr<T, unknown>): Expr<T, false> {
  return call("upper", text);
}

/** Characters of text, or bytes. */
export function length<T extends string | Uint8Array | null>(
  x: Expr<T, unknown>,
): Expr<bigint | Extract<T, null>, false> {
  return call("length", x);
}

export function startsWith(
  text: Expr<string | null, unknown>,
  prefix: Operand<string>,
): Expr<boolean | null, false> {
  return call("starts_with", text, prefix);
}

/** The first that is not NULL. */
export function coalesce<T, F, const B extends Operand<T>>(
  first: Expr<T, F>,
  ...others: readonly B[]
): Expr<
  [B] extends [Expr<infer U, unknown>] ? NonNullable<T> | Extract<U, null> : NonNullable<T>,
  F
> {
  return call("coalesce", first, ...others);
}

/** NULL if both are equal, else the first. */
export function nullif<T, F>(x: Expr<T, F>, other: Operand<T>): Expr<T | null, F> {
  return call("nullif", x, other);
}

/** The value of the first condition that is true; without one of them `otherwise`, or NULL. */
export function caseWhen<T, F = boolean>(
  arms: readonly (readonly [condition: Condition, value: Expr<T, F>])[],
  otherwise?: Expr<T, F>,
): Expr<T | null, F> {
  return new Expr((names) => ({
    case: {
      arms: arms.map((arm) => arm.map((part) => part.write(names))),
      ...(otherwise && { otherwise: otherwise.write(names) }),
    },
  }));
}

interface CastTypes {
  bool: boolean;
  string: string;
  f32: number;
  f64: number;
  decimal: string;
  json: Any;
}

type Integer = `${"i" | "u"}${8 | 16 | 32 | 64 | 128}`;

/** NULL where the value has none of that type. */
export function cast<N extends keyof CastTypes | Integer>(
  x: Expr<unknown, unknown>,
  type: N,
): Expr<
  | (N extends keyof CastTypes ? CastTypes[N] : N extends `${string}8` | `${string}16` | `${string}32` ? (N extends `${string}128` ? bigint : number) : bigint)
  | null,
  N extends "f32" | "f64" ? true : N extends "decimal" ? "decimal" : false
> {
  return new Expr((names) => ({ cast: [x.write(names), type] }));
}

/** Rows, or those where the expression is not NULL. */
export function count(x?: Expr<unknown, unknown>): Expr<bigint, false> {
  return x ? call("count", x) : new Expr(() => "count_rows");
}

/** Different values. */
export function countDistinct(x: Expr<unknown, unknown>): Expr<bigint, false> {
  return new Expr((names) => ({ call_distinct: ["count", [x.write(names)]] }));
}

/** NULL of no rows. */
export function sum<F>(x: Counted<F>): Computed<F> {
  return call("sum", x);
}

/** A float; of decimals a decimal. */
export function avg<F>(
  x: Counted<F>,
): [F] extends ["decimal"] ? Decimals : Expr<number | null, true> {
  return call("avg", x);
}

export function min<T, F>(x: Expr<T, F>): Expr<T | null, F> {
  return call("min", x);
}

export function max<T, F>(x: Expr<T, F>): Expr<T | null, F> {
  return call("max", x);
}

export function boolAnd(x: Condition): Expr<boolean | null, false> {
  return call("bool_and", x);
}

export function boolOr(x: Condition): Expr<boolean | null, false> {
  return call("bool_or", x);
}
