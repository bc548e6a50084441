/** Functions of numbers and texts, and parts of JSON. What they mean is SQL's: docs/query.md. */

import { call, operator } from "./expr.js";
import type { Any, Computed, Counted, Expr, Operand } from "./expr.js";

type Text = Expr<string | null, unknown>;

/** To a number of digits behind the point, none by default; a half goes away from zero. */
export function round<F>(x: Counted<F>, places?: Operand<number>): Computed<F> {
  return places === undefined ? call("round", x) : call("round", x, places);
}

export function floor<F>(x: Counted<F>): Computed<F> {
  return call("floor", x);
}

export function ceil<F>(x: Counted<F>): Computed<F> {
  return call("ceil", x);
}

export function trunc<F>(x: Counted<F>): Computed<F> {
  return call("trunc", x);
}

/** -1, 0 or 1. */
export function sign<F>(x: Counted<F>): Expr<bigint | null, false> {
  return call("sign", x);
}

/** A power with a whole exponent. */
export function power<F>(x: Counted<F>, exponent: Operand<number>): Computed<F> {
  return call("power", x, exponent);
}

export function sqrt<F>(x: Counted<F>): Expr<number | null, true> {
  return call("sqrt", x);
}

/** The greatest of some values; NULL if one is. */
export function greatest<T, F>(
  first: Expr<T, F>,
  ...others: readonly Operand<T>[]
): Expr<T | null, F> {
  return call("greatest", first, ...others);
}

/** The least of some values; NULL if one is. */
export function least<T, F>(
  first: Expr<T, F>,
  ...others: readonly Operand<T>[]
): Expr<T | null, F> {
  return call("least", first, ...others);
}

export function endsWith(text: Text, suffix: Operand<string>): Expr<boolean | null, false> {
  return call("ends_with", text, suffix);
}

/** Without blanks, or these characters, at its ends. */
export function trim(text: Text, characters?: Operand<string>): Expr<string | null, false> {
  return characters === undefined ? call("trim", text) : call("trim", text, characters);
}

/** `count` characters, or all, from the place `from`, which begins at 1. */
export function substr(
  text: Text,
  from: Operand<number>,
  count?: Operand<number>,
): Expr<string | null, false> {
  return count === undefined ? call("substr", text, from) : call("substr", text, from, count);
}

/** The first characters; below zero all but the last ones. */
export function left(text: Text, count: Operand<number>): Expr<string | null, false> {
  return call("left", text, count);
}

/** The last characters; below zero all but the first ones. */
export function right(text: Text, count: Operand<number>): Expr<string | null, false> {
  return call("right", text, count);
}

/** With `to` in every place of `from`. */
export function replace(
  text: Text,
  from: Operand<string>,
  to: Operand<string>,
): Expr<string | null, false> {
  return call("replace", text, from, to);
}

/** Where a part begins, from 1; 0 if it is not there. */
export function position(text: Text, part: Operand<string>): Expr<bigint | null, false> {
  return call("strpos", text, part);
}

/** The member of a JSON value of this name, or the item of this place (from 0; -1 is the last). */
export function get(json: Expr<Any, unknown>, key: string | number): Expr<Any, false> {
  return operator("get", json, key);
}

/** That part as text; NULL for a JSON null too. */
export function getText(
  json: Expr<Any, unknown>,
  key: string | number,
): Expr<string | null, false> {
  return operator("get_text", json, key);
}

/** What a JSON value is. */
export function jsonType(
  json: Expr<Any, unknown>,
): Expr<"null" | "boolean" | "number" | "string" | "array" | "object" | null, false> {
  return call("json_type", json);
}

/** Items of a JSON array; NULL of anything else. */
export function jsonArrayLength(json: Expr<Any, unknown>): Expr<bigint | null, false> {
  return call("json_array_length", json);
}
