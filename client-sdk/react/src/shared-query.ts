/**
 * Live queries that components share: one subscription for all components that ask the same client the
 * same thing. When the last of them goes, it stays for a moment, because in StrictMode, and when a page
 * changes to another with the same query, the next one comes at once.
 */

import type { Params, Row, Subscription, SynclineClient, SynclineError } from "@syncline/client";

/** What a component sees of a live query; a new object when something in it has changed. */
export interface QueryResult<R = Row> {
  /** The same array until a row changes; empty before the first answer. */
  readonly rows: readonly R[];
  /** Whether the first answer has come. */
  readonly ready: boolean;
  /** Why the server refuses the query. */
  readonly error: SynclineError | null;
}

/** Time that a subscription outlives its last component, in milliseconds. */
const GRACE_MS = 250;

export const NOT_READY: QueryResult = Object.freeze({
  rows: Object.freeze([]),
  ready: false,
  error: null,
});

class SharedQuery {
  result: QueryResult = NOT_READY;
  private readonly listeners = new Set<() => void>();
  private readonly subscription: Subscription | undefined;
  private readonly end: () => void;
  private graceTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(client: SynclineClient, sql: string, params: Params, end: () => void) {
    this.end = end;
    try {
      this.subscription = client.subscribe(sql, { params });
    } catch (error) {
      // Parameters that cannot be sent.
      this.result = { ...NOT_READY, error: error as SynclineError };
      return;
    }
    this.subscription.on("change", () => this.update());
    this.subscription.on("ready", () => this.update());
    this.subscription.on("error", () => this.update());
  }

  addUser(notify: () => void): () => void {
    clearTimeout(this.graceTimer);
    this.listeners.add(notify);
    return () => {
      this.listeners.delete(notify);
      if (this.listeners.size > 0) return;
      this.graceTimer = setTimeout(() => {
        this.subscription?.close();
        this.end();
      }, GRACE_MS);
    };
  }

  private update(): void {
    const { rows, ready, error } = this.subscription!;
    const { result } = this;
    if (rows === result.rows && ready === result.ready && error === result.error) return;
    this.result = { rows, ready, error };
    for (const notify of [...this.listeners]) notify();
  }
}

const QUERIES = new WeakMap<SynclineClient, Map<string, SharedQuery>>();

/** Adds a user of a query, which is subscribed if it is the first. Returns how to remove it. */
export function watchQuery(
  client: SynclineClient,
  key: string,
  sql: string,
  params: Params,
  notify: () => void,
): () => void {
  const queries = QUERIES.get(client) ?? new Map<string, SharedQuery>();
  QUERIES.set(client, queries);
  let query = queries.get(key);
  if (!query) {
    query = new SharedQuery(client, sql, params, () => queries.delete(key));
    queries.set(key, query);
  }
  return query.addUser(notify);
}

/** What is known of a query, whether somebody watches it or not. */
export function resultOf(client: SynclineClient, key: string): QueryResult {
  return QUERIES.get(client)?.get(key)?.result ?? NOT_READY;
}

/** Equal for the same SQL with parameters of the same values, however these are ordered. */
export function queryKey(sql: string, params: Params): string {
  const names = Object.keys(params).sort();
  return JSON.stringify([sql, names.map((name) => [name, valueKey(params[name])])]);
}

function valueKey(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(valueKey);
  if (value instanceof Uint8Array) return ["bytes", ...value];
  if (value instanceof Date) return ["date", value.getTime()];
  return [typeof value, String(value)];
}
