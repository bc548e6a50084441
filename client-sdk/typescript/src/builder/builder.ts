/** The query itself: sources, clauses, and the types of its rows. */

import type { FLOATS, LogicalQuery, Mark, Query, ROW, Table } from "../query.js";
import { Expr, write, type Any, type Condition, type Names, type Operand } from "./expr.js";

/** The version of the structure, as docs/wire.md has it. */
const VERSION = 1;

const SOURCE: unique symbol = Symbol("source");

/** The columns of a source, by their names. `F` names those of floats. */
export type Columns<R, F = never> = {
  readonly [K in keyof R]-?: Expr<R[K], K extends F ? true : false>;
} & { readonly [SOURCE]: R };

/** Rows of a source that a LEFT JOIN may leave out. */
export type Nullable<R> = { [K in keyof R]: R[K] | null };

/** What a query can read: a table, a view, or another query. */
export type Source<R, F extends PropertyKey = never> =
  | Table<R, F>
  | View<R, F>
  | QueryBuilder<Any, R, F>;

/** Columns by name, or all columns of a source. */
export type Selection = { readonly [name: string]: Expr<Any, Any> } | Columns<Any, Any>;

/** The rows of a selection. */
export type RowOf<Items> = Items extends { readonly [SOURCE]: infer R }
  ? R
  : { -readonly [K in keyof Items]: Items[K] extends Expr<infer T, Any> ? T : never };

/** Which of them are floats. */
export type FloatsOf<Items> = {
  [K in keyof Items]: Items[K] extends Expr<Any, infer F> ? ([F] extends [true] ? K : never) : never;
}[keyof Items];

/** An expression to order by, largest first. */
export class Descending {
  readonly by: Expr<Any, Any>;

  constructor(by: Expr<Any, Any>) {
    this.by = by;
  }
}

/** Largest first. */
export function desc(by: Expr<Any, Any>): Descending {
  return new Descending(by);
}

type Ordering = Expr<Any, Any> | Descending;
type OneOrMany<T> = T | readonly T[];

/** A view of the module with the arguments of its parameters. */
export class View<R, F extends PropertyKey = never> {
  declare readonly [ROW]?: R;
  declare readonly [FLOATS]?: Mark<F>;
  readonly name: string;
  readonly args: readonly unknown[];

  constructor(name: string, args: readonly unknown[]) {
    this.name = name;
    this.args = args;
  }
}

/** A view whose rows have the type `R`, which nobody checks. */
export function view<R, F extends PropertyKey = never>(name: string, ...args: unknown[]): View<R, F> {
  return new View(name, args);
}

/** A source in a query. */
interface Joined {
  readonly kind: "inner" | "left" | "cross";
  readonly source: Source<Any, Any>;
  /** By its identity the source is told from others of the same table. */
  readonly columns: Columns<Any, Any>;
  readonly on?: Condition;
}

interface Clauses {
  readonly distinct?: boolean;
  readonly select?: Selection;
  readonly where: readonly Condition[];
  readonly group: readonly Expr<Any, Any>[];
  readonly having: readonly Condition[];
  readonly union: readonly { all: boolean; query: QueryBuilder<Any, Any, Any> }[];
  readonly order: readonly Ordering[];
  readonly limit?: unknown;
  readonly offset?: unknown;
  readonly after: readonly unknown[];
}

/** Gives sources their names, in the order in which they come. */
class SourceNames implements Names {
  private readonly names = new Map<object, string>();
  private count = 0;

  of(source: object): string {
    const name = this.names.get(source);
    if (!name) throw new TypeError("a column of a source that the query does not read");
    return name;
  }

  /** Names these sources while `act` runs; a query can stand inside itself. */
  during<T>(sources: readonly object[], act: () => T): T {
    const before = sources.map((source) => this.names.get(source));
    for (const source of sources) this.names.set(source, `t${this.count++}`);
    const result = act();
    sources.forEach((source, i) => {
      if (before[i] === undefined) this.names.delete(source);
      else this.names.set(source, before[i]);
    });
    return result;
  }
}

/**
 * A query over sources with columns `S` and rows of type `R`. Nothing changes it: every method returns
 * another query.
 */
export class QueryBuilder<S extends readonly unknown[], R, F extends PropertyKey = never>
  implements Query<R>
{
  declare readonly [ROW]?: R;
  declare readonly [FLOATS]?: Mark<F>;
  private readonly sources: readonly Joined[];
  private readonly clauses: Clauses;
  private written: LogicalQuery | undefined;

  constructor(sources: readonly Joined[], clauses: Clauses) {
    this.sources = sources;
    this.clauses = clauses;
  }

  /** The query as it travels. */
  get sql(): LogicalQuery {
    return (this.written ??= { version: VERSION, query: this.write(new SourceNames()) });
  }

  /** The query inside another one: what `exists`, `isIn` and `scalar` take. */
  get subQuery(): Expr<R[keyof R]> {
    return new Expr((names) => this.write(names as SourceNames));
  }

  /** Rows that meet a row of another source. */
  join<R2, F2 extends PropertyKey = never>(
    source: Source<R2, F2>,
    on: (...columns: [...S, Columns<R2, F2>]) => Condition,
  ): QueryBuilder<[...S, Columns<R2, F2>], { [column: string]: unknown }> {
    return this.joined("inner", source, on);
  }

  /** All rows, with NULL in the columns of the other source where it has none that meets. */
  leftJoin<R2, F2 extends PropertyKey = never>(
    source: Source<R2, F2>,
    on: (...columns: [...S, Columns<Nullable<R2>, F2>]) => Condition,
  ): QueryBuilder<[...S, Columns<Nullable<R2>, F2>], { [column: string]: unknown }> {
    return this.joined("left", source, on);
  }

  /** Every row with every row of another source. */
  crossJoin<R2, F2 extends PropertyKey = never>(
    source: Source<R2, F2>,
  ): QueryBuilder<[...S, Columns<R2, F2>], { [column: string]: unknown }> {
    return this.joined("cross", source);
  }

  /** Only rows that pass; called again, all conditions must. */
  where(condition: (...columns: S) => Condition): QueryBuilder<S, R, F> {
    return this.with({ where: [...this.clauses.where, condition(...this.columns)] });
  }

  groupBy(keys: (...columns: S) => OneOrMany<Expr<Any, Any>>): QueryBuilder<S, R, F> {
    return this.with({ group: list(keys(...this.columns)) });
  }

  /** Only groups that pass. */
  having(condition: (...columns: S) => Condition): QueryBuilder<S, R, F> {
    return this.with({ having: [...this.clauses.having, condition(...this.columns)] });
  }

  /** The columns of the result, by name; or all of one source. */
  select<const Items extends Selection>(
    items: (...columns: S) => Items,
  ): QueryBuilder<S, RowOf<Items>, FloatsOf<Items>> {
    return this.with({ select: items(...this.columns) });
  }

  /** Equal rows once. */
  distinct(): QueryBuilder<S, R, F> {
    return this.with({ distinct: true });
  }

  /** And the rows of another query; equal ones once. */
  union(query: QueryBuilder<Any, R, Any>): QueryBuilder<S, R, F> {
    return this.with({ union: [...this.clauses.union, { all: false, query }] });
  }

  /** And the rows of another query. */
  unionAll(query: QueryBuilder<Any, R, Any>): QueryBuilder<S, R, F> {
    return this.with({ union: [...this.clauses.union, { all: true, query }] });
  }

  orderBy(order: (...columns: S) => OneOrMany<Ordering>): QueryBuilder<S, R, F> {
    return this.with({ order: list(order(...this.columns)) });
  }

  limit(count: number | Expr<Any, Any>): QueryBuilder<S, R, F> {
    return this.with({ limit: count });
  }

  offset(count: number | Expr<Any, Any>): QueryBuilder<S, R, F> {
    return this.with({ offset: count });
  }

  /** Only rows behind the one with these values of the columns of `orderBy`. */
  after(...values: readonly Operand<Any>[]): QueryBuilder<S, R, F> {
    return this.with({ after: values });
  }

  private get columns(): S {
    return this.sources.map(({ columns }) => columns) as unknown as S;
  }

  private joined(
    kind: Joined["kind"],
    source: Source<Any, Any>,
    on?: (...columns: Any) => Condition,
  ): QueryBuilder<Any, Any, Any> {
    const columns = columnsOf({});
    const condition = on && { on: on(...this.columns, columns) };
    return new QueryBuilder([...this.sources, { kind, source, columns, ...condition }], this.clauses);
  }

  private with(clauses: Partial<Clauses>): QueryBuilder<Any, Any, Any> {
    return new QueryBuilder(this.sources, { ...this.clauses, ...clauses });
  }

  private write(names: SourceNames): object {
    const tokens = this.sources.map(({ columns }) => columns[SOURCE] as object);
    return names.during(tokens, () => this.writeClauses(names));
  }

  private writeClauses(names: SourceNames): object {
    const { distinct, select, where, group, having, union, order, after } = this.clauses;
    const all = (list: readonly unknown[]): unknown[] => list.map((item) => write(item, names));
    const one = (conditions: readonly Condition[]): unknown =>
      conditions.length === 1 ? write(conditions[0], names) : { and: all(conditions) };
    const [from, ...joins] = this.sources.map(({ kind, source, columns, on }) => ({
      of: relation(source, names),
      as: names.of(columns[SOURCE] as object),
      ...(kind !== "inner" && { kind }),
      ...(on && { on: write(on, names) }),
    }));
    const { limit, offset } = this.clauses;
    return {
      ...(distinct && { distinct }),
      ...(select && { select: items(select, names) }),
      from,
      ...(joins.length > 0 && { joins }),
      ...(where.length > 0 && { where: one(where) }),
      ...(group.length > 0 && { group: all(group) }),
      ...(having.length > 0 && { having: one(having) }),
      ...(union.length > 0 && {
        union: union.map(({ all, query }) => ({ all, query: query.write(names) })),
      }),
      ...(order.length > 0 && { order: order.map((item) => ordering(item, names)) }),
      ...(limit !== undefined && { limit: write(limit, names) }),
      ...(offset !== undefined && { offset: write(offset, names) }),
      ...(after.length > 0 && { after: all(after) }),
    };
  }
}

/** A query of all rows of a source: `from(tables.message).where((m) => eq(m.room, $.room))`. */
export function from<R, F extends PropertyKey = never>(
  source: Source<R, F>,
): QueryBuilder<[Columns<R, F>], R, F> {
  const joined: Joined = { kind: "inner", source, columns: columnsOf({}) };
  const none = { where: [], group: [], having: [], union: [], order: [], after: [] };
  return new QueryBuilder([joined], none);
}

/** Any name is a column; which there are is known to types and to the server. */
function columnsOf(source: object): Columns<Any, Any> {
  return new Proxy(source as Columns<Any, Any>, {
    get: (_, name) =>
      name === SOURCE
        ? source
        : new Expr((names) => ({ column: [names.of(source), String(name)] })),
  });
}

function list<T>(items: OneOrMany<T>): readonly T[] {
  return Array.isArray(items) ? (items as readonly T[]) : [items as T];
}

function relation(source: Source<Any, Any>, names: SourceNames): object {
  if (source instanceof QueryBuilder) return { query: source.subQuery.write(names) };
  if (source instanceof View && source.args.length > 0) {
    return { view: [source.name, source.args.map((arg) => write(arg, names))] };
  }
  return { table: source.name };
}

function items(selection: Selection, names: SourceNames): unknown[] {
  const source = selection[SOURCE as never] as object | undefined;
  if (source) return [{ all_of: names.of(source) }];
  return Object.entries(selection).map(([name, item]) => ({ as: [name, write(item, names)] }));
}

function ordering(item: Ordering, names: SourceNames): object {
  if (item instanceof Descending) return { by: write(item.by, names), descending: true };
  return { by: write(item, names) };
}
