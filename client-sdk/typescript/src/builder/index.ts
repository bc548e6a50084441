/**
 * Queries in TypeScript instead of SQL text, with the types of their rows: `@syncline/client/query`.
 *
 * {@link from} begins a query over a generated table; the methods of {@link QueryBuilder} are its clauses,
 * the other functions its expressions. The query goes wherever SQL text goes, as structure: text and
 * structure of one query are one live query on the server.
 */

export { desc, from, QueryBuilder, view } from "./builder.js";
export type { Columns, Nullable, RowOf, Selection, Source, View } from "./builder.js";
export { $, Expr, lit, me, named, param } from "./expr.js";
export type { Condition, Operand } from "./expr.js";
export * from "./functions.js";
export * from "./values.js";
