/**
 * Client of the Syncline database.
 *
 * {@link SynclineClient} connects, calls reducers, asks queries and keeps live ones; a
 * {@link Subscription} holds the rows of a live query. Works without generated code: the server sends
 * the schema. `wire/` knows the messages, `values/` the packed values, `cache/` the rows.
 */

export { SynclineClient } from "./client.js";
export type { ClientEvents, ConnectionState } from "./client.js";
export type { ClientOptions } from "./options.js";
export type { ClientStats } from "./stats.js";
export type { Params, Subscription, SubscriptionEvents } from "./subscription.js";
export type { Changes } from "./cache/live-cache.js";
export type { Row } from "./cache/shape.js";
export {
  ConnectionError,
  OutcomeUnknownError,
  QueryError,
  ReducerError,
  SynclineError,
} from "./errors.js";
export { memoryTokenStore } from "./token-store.js";
export type { TokenStore } from "./token-store.js";
export type { WebSocketConstructor, WebSocketLike } from "./connection.js";
export { keyOf, query, table } from "./query.js";
export type { LogicalQuery, Query, SqlQuery, Table } from "./query.js";
export { bindTyped } from "./typed.js";
export type { Caller, Reducer, TypedClient } from "./typed.js";
export { toDate } from "./values/time.js";
export type { CallArguments } from "./wire/codec.js";
export type { Delivery } from "./wire/messages.js";
export type * from "./values/types.js";
