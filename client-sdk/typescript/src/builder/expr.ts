/**
 * Expressions: what they are to the server, and in types what they are to the application.
 *
 * An expression is a function from the names of sources to the JSON of docs/wire.md. Sources get their
 * names when the whole query is written, so that equal queries are equal text.
 */

declare const VALUE: unique symbol;

/** Whatever type it is: `unknown` would not be taken where an expression of some type is needed. */
// oxlint-disable-next-line no-explicit-any
export type Any = any;

/** Names of the sources of a query while it is written. */
export interface Names {
  /** The name of a source. Throws if it is none of the query. */
  of(source: object): string;
}

/**
 * An expression with values of type `T`. `F` tells whether a number is a float: integers and floats are
 * `number`s both, and sum to different types. It is `"decimal"` for what is computed as decimals, whose values
 * are texts: `cast(t.price, "decimal")` makes one of a column.
 */
export class Expr<T, F = boolean> {
  declare readonly [VALUE]?: readonly [T, F];
  readonly write: (names: Names) => unknown;

  constructor(write: (names: Names) => unknown) {
    this.write = write;
  }
}

/** A condition: rows pass where it is true. */
export type Condition = Expr<boolean | null, unknown>;

/** What an expression of type `T` can be compared with; the server looks at the numbers closely. */
export type Operand<T> = NonNullable<Loose<T>> | Expr<Loose<T> | null, unknown>;

type Loose<T> = T extends bigint ? bigint | number | Date : T extends number ? number | bigint : T;

/** An expression that is computed with as decimals. */
export type Decimals = Expr<string | null, "decimal">;

/** A number whose float-ness is known. */
export type Counted<F> = Expr<number | bigint | (F extends "decimal" ? string : never) | null, F>;

/** A number as a value or an expression; text is the value of a decimal. */
export type Numeric = number | bigint | string | Expr<number | bigint | null, unknown> | Decimals;

/** The type of an expression, or of a value. */
export type ValueOf<E> = E extends Expr<infer T, unknown> ? T : E;

/** Whether it is a float; `boolean` if that is not known. A literal is one if it is written with a point. */
export type IsFloat<E> =
  E extends Expr<unknown, infer F>
    ? F
    : E extends bigint
      ? false
      : E extends number
        ? number extends E
          ? boolean
          : `${E}` extends `${string}.${string}` | `${string}e-${string}`
            ? true
            : false
        : boolean;

/** What arithmetic makes: 64 bits or more of integers, floats if one is a float; NULL on overflow. */
export type Computed<F> = [F] extends [true]
  ? Expr<number | null, true>
  : [F] extends [false]
    ? Expr<bigint | null, false>
    : [F] extends ["decimal"]
      ? Decimals
      : Expr<number | bigint | null, boolean>;

/** The float-ness of two operands together. */
export type Either<A, B> = [A] extends [true] ? true : [B] extends [true] ? true : A | B;

type IsDecimal<E> = [E] extends [Expr<string | null, infer F>]
  ? [F] extends ["decimal"]
    ? true
    : false
  : false;

/** What arithmetic of two operands makes. A literal beside a decimal is one itself. */
export type Result<A, B> =
  IsDecimal<A> extends true
    ? B extends Expr<number | bigint | null, true>
      ? Computed<true>
      : Decimals
    : IsDecimal<B> extends true
      ? A extends Expr<number | bigint | null, true>
        ? Computed<true>
        : Decimals
      : Computed<Either<IsFloat<A>, IsFloat<B>>>;

/** A boolean that can be unknown if one of the operands can be NULL. */
export type Truth<A> = Expr<null extends A ? boolean | null : boolean, false>;

/** The JSON of an expression or a value. */
export function write(operand: unknown, names: Names): unknown {
  if (operand instanceof Expr) return operand.write(names);
  if (operand === undefined) throw new TypeError("a query cannot hold undefined");
  return { value: operand };
}

/** An operator with its operands. */
export function operator<E>(name: string, ...operands: readonly unknown[]): E {
  return new Expr((names) => ({
    [name]: operands.map((operand) => write(operand, names)),
  })) as E;
}

/** An operator with one operand. */
export function unary<E>(name: string, operand: unknown): E {
  return new Expr((names) => ({ [name]: write(operand, names) })) as E;
}

/** A function of the server. */
export function call<E>(name: string, ...args: readonly unknown[]): E {
  return new Expr((names) => ({ call: [name, args.map((arg) => write(arg, names))] })) as E;
}

/** A value as an expression, where one is needed. */
export function lit<const T extends string | number | bigint | boolean | null | Uint8Array>(
  value: T,
): Expr<T extends number ? number : T extends bigint ? bigint : T extends boolean ? boolean : T, IsFloat<T>> {
  return new Expr((names) => write(value, names));
}

/** A parameter of a type that nobody checks here: `param<number>("x")` is `:x`. */
export function param<T = Any>(name: string): Expr<T> {
  return new Expr(() => ({ param: name }));
}

/** Parameters by name: `$.x` is `:x`. Of type any, so that strict settings do not take it for undefined. */
export const $ = new Proxy({} as { readonly [name: string]: Any }, {
  get: (_, name) => param(String(name)),
});

/** The identity of who asks. */
export function me(): Expr<string, false> {
  return new Expr(() => ({ param: "me" }));
}

/** A column of the result by its name, for `orderBy` and `having`. */
export function named<T = Any>(name: string): Expr<T> {
  return new Expr(() => ({ column: [null, name] }));
}
