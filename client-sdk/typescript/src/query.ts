/**
 * Queries with the type of their rows. SQL text has it from those who know it, generated code does; the
 * query builder (`@syncline/client/query`) finds it out.
 */

/** Where a query keeps the type of its rows, and names of floats; there is no value. */
export declare const ROW: unique symbol;
export declare const FLOATS: unique symbol;

/** Holds a type without a value; which of two types it holds keeps nothing from being assigned. */
export type Mark<T> = { mark(type: T): void }["mark"];

/** A query as structure in place of SQL text; `query` is what docs/wire.md says, with values as they are. */
export interface LogicalQuery {
  readonly version: number;
  readonly query: object;
}

/** A query that knows the type of its rows. */
export interface Query<R> {
  readonly sql: string | LogicalQuery;
  readonly [ROW]?: R;
}

/** SQL text that knows the type of its rows. */
export interface SqlQuery<R> extends Query<R> {
  readonly sql: string;
}

/** A query whose rows have the type `R`, which nobody checks. */
export function query<R>(sql: string): SqlQuery<R> {
  return { sql };
}

/**
 * A public table: by itself the query of all its rows. `Floats` names the columns of f32 and f64, which
 * the query builder must tell from integers.
 */
export interface Table<R, Floats extends PropertyKey = never> extends SqlQuery<R> {
  readonly name: string;
  readonly [FLOATS]?: Mark<Floats>;
  /** All columns of the rows that meet a condition, for example `where("x < :x")`. */
  where(condition: string): SqlQuery<R>;
}

/** The descriptor of a table whose rows have the type `R`. */
export function table<R, Floats extends PropertyKey = never>(name: string): Table<R, Floats> {
  const sql = `SELECT * FROM "${name}"`;
  return { name, sql, where: (condition) => query<R>(`${sql} WHERE ${condition}`) };
}

/** SQL text, or the structure. */
export function sqlOf(query: string | Query<unknown>): string | LogicalQuery {
  return typeof query === "string" ? query : query.sql;
}

/** Text that is equal for equal queries. */
export function keyOf(query: string | Query<unknown>): string {
  const sql = sqlOf(query);
  if (typeof sql === "string") return sql;
  return JSON.stringify(sql, (_, value: unknown) =>
    typeof value === "bigint" ? ["bigint", String(value)] : value,
  );
}
