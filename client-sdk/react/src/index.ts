/**
 * React over the Syncline client: {@link SynclineProvider} gives a client to a tree, {@link useQuery}
 * makes the rows of a live query part of a component's state. No logic of its own: rows, order and
 * reconnecting are the client's.
 */

export { SynclineProvider, useClient } from "./provider.js";
export type { SynclineProviderProps } from "./provider.js";
export { useCall, useTyped } from "./use-call.js";
export { useConnectionState, useStats } from "./use-connection.js";
export { useQuery } from "./use-query.js";
export type { QueryOptions } from "./use-query.js";
export type { QueryResult } from "./shared-query.js";
