/**
 * What generated code puts over a client: calls with the types of a module's reducers. The client works
 * without it. CODEGEN.md has the shape of a generated file.
 */

import type { SynclineClient } from "./client.js";

/** A reducer in types: its arguments by name, and what it returns. */
export interface Reducer<Args, Result> {
  readonly args: Args;
  readonly result: Result;
}

type AnyReducers = { [name: string]: Reducer<unknown, unknown> };

/** The function that calls a reducer; one without parameters takes no argument. */
export type Caller<R> =
  R extends Reducer<infer Args, infer Result>
    ? keyof Args extends never
      ? () => Promise<Result>
      : (args: Args) => Promise<Result>
    : never;

/** A client with the types of one module. */
export interface TypedClient<Tables, Reducers> {
  readonly client: SynclineClient;
  /** `db.call.paint({ x: 1, y: 2, color: 3 })` */
  readonly call: { readonly [Name in keyof Reducers]: Caller<Reducers[Name]> };
  /** `client.subscribe(db.table.pixel)` */
  readonly table: Tables;
}

/** Puts the types of a module over a client. Generated code calls this. */
export function bindTyped<Tables, Reducers extends { [N in keyof Reducers]: AnyReducers[string] }>(
  client: SynclineClient,
  tables: Tables,
): TypedClient<Tables, Reducers> {
  const call = new Proxy(
    {},
    { get: (_, name) => (args?: object) => client.call(String(name), { ...args }) },
  );
  return { client, table: tables, call: call as TypedClient<Tables, Reducers>["call"] };
}
