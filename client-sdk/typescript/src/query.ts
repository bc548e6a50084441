/** SQL text with the type of its rows, for those who know it: generated code does. */

declare const ROW: unique symbol;

/** SQL text that knows the type of its rows. */
export interface Query<R> {
  readonly sql: string;
  readonly [ROW]?: R;
}

/** A query whose rows have the type `R`, which nobody checks. */
export function query<R>(sql: string): Query<R> {
  return { sql };
}

/** A public table: by itself the query of all its rows. */
export interface Table<R> extends Query<R> {
  readonly name: string;
  /** All columns of the rows that meet a condition, for example `where("x < :x")`. */
  where(condition: string): Query<R>;
}

/** The descriptor of a table whose rows have the type `R`. */
export function table<R>(name: string): Table<R> {
  const sql = `SELECT * FROM "${name}"`;
  return { name, sql, where: (condition) => query<R>(`${sql} WHERE ${condition}`) };
}

/** The SQL of either form. */
export function sqlOf(query: string | Query<unknown>): string {
  return typeof query === "string" ? query : query.sql;
}
