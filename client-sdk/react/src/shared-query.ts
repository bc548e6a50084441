/**
 * Live queries that components share: one subscription for all components that ask the same client the
 * same thing. When the last of them goes, it stays for a moment, because in StrictMode, and when a page
 * changes to another with the same query, the next one comes at once. One that asks the same query with
 * other parameters takes it over and moves it: the server tells the difference alone.
 */

import { keyOf } from "@syncline/client";
import type {
  Params,
  Query,
  Row,
  Subscription,
  SynclineClient,
  SynclineError,
} from "@syncline/client";

/** SQL text, or a query with the type of its rows. */
export type AnyQuery = string | Query<Row>;

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
  /** The text of the query, without parameters. */
  readonly text: string;
  private readonly listeners = new Set<() => void>();
  private readonly subscription: Subscription | undefined;
  private readonly end: (query: SharedQuery) => void;
  private graceTimer: ReturnType<typeof setTimeout> | undefined;
  /** Counts the moves; while the rows are not those of the last one, `result` does not show them. */
  private moves = 0;
  private isMoving = false;

  constructor(
    client: SynclineClient,
    query: AnyQuery,
    params: Params,
    end: (query: SharedQuery) => void,
  ) {
    this.end = end;
    this.text = keyOf(query);
    try {
      this.subscription = client.subscribe(query, { params });
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
        this.end(this);
      }, GRACE_MS);
    };
  }

  /** Whether somebody can take it over. */
  get isIdle(): boolean {
    return this.listeners.size === 0 && this.subscription?.error === null;
  }

  /** Goes over to other parameters. */
  move(params: Params): void {
    const move = ++this.moves;
    this.isMoving = true;
    this.result = NOT_READY;
    this.subscription!.set(params).then(
      () => {
        if (move !== this.moves) return;
        this.isMoving = false;
        this.update();
      },
      (error: SynclineError) => {
        if (move === this.moves) this.show({ ...NOT_READY, error });
      },
    );
  }

  private update(): void {
    if (this.isMoving) return;
    const { rows, ready, error } = this.subscription!;
    const { result } = this;
    if (rows === result.rows && ready === result.ready && error === result.error) return;
    this.show({ rows, ready, error });
  }

  private show(result: QueryResult): void {
    this.result = result;
    for (const notify of [...this.listeners]) notify();
  }
}

const QUERIES = new WeakMap<SynclineClient, Map<string, SharedQuery>>();

/** Adds a user of a query, which is subscribed if it is the first. Returns how to remove it. */
export function watchQuery(
  client: SynclineClient,
  key: string,
  query: AnyQuery,
  params: Params,
  notify: () => void,
): () => void {
  const queries = QUERIES.get(client) ?? new Map<string, SharedQuery>();
  QUERIES.set(client, queries);
  let shared = queries.get(key);
  if (!shared) {
    shared = takeOver(queries, keyOf(query), params);
    shared ??= new SharedQuery(client, query, params, (shared) => remove(queries, shared));
    queries.set(key, shared);
  }
  return shared.addUser(notify);
}

/** The query with other parameters that nobody uses any more, moved to these. */
function takeOver(
  queries: Map<string, SharedQuery>,
  text: string,
  params: Params,
): SharedQuery | undefined {
  for (const shared of queries.values()) {
    if (!shared.isIdle || shared.text !== text) continue;
    remove(queries, shared);
    shared.move(params);
    return shared;
  }
  return undefined;
}

function remove(queries: Map<string, SharedQuery>, shared: SharedQuery): void {
  for (const [key, each] of queries) if (each === shared) queries.delete(key);
}

/** What is known of a query, whether somebody watches it or not. */
export function resultOf(client: SynclineClient, key: string): QueryResult {
  return QUERIES.get(client)?.get(key)?.result ?? NOT_READY;
}

/** Equal for the same query with parameters of the same values, however these are ordered. */
export function queryKey(query: AnyQuery, params: Params): string {
  const names = Object.keys(params).sort();
  return JSON.stringify([keyOf(query), names.map((name) => [name, valueKey(params[name])])]);
}

function valueKey(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(valueKey);
  if (value instanceof Uint8Array) return ["bytes", ...value];
  if (value instanceof Date) return ["date", value.getTime()];
  return [typeof value, String(value)];
}
