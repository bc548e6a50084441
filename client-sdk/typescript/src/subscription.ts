/** A live query as the application holds it. */

import { isEmpty, type Changes, type LiveCache } from "./cache/live-cache.js";
import type { Row } from "./cache/shape.js";
import { Emitter } from "./emitter.js";
import { ConnectionError, type SynclineError } from "./errors.js";
import type { Handle, Payload, WireParam } from "./wire/messages.js";

/**
 * Events come when a whole transaction has been applied to all subscriptions: for each subscription its
 * single rows, deleted, updated, inserted, and then `change` once. The first answer counts as inserts.
 */
export type SubscriptionEvents<R> = {
  insert: (row: R) => void;
  update: (old: R, now: R) => void;
  delete: (row: R) => void;
  change: (changes: Changes<R>) => void;
  /** The first answer is there, or the server takes the query again after an error. */
  ready: () => void;
  error: (error: SynclineError) => void;
};

export interface Subscription<R = Row> {
  /** The rows as they are now; the same array until one of them changes. */
  readonly rows: readonly R[];
  /** Whether the first answer has come. Stays true while the connection is away. */
  readonly ready: boolean;
  /** Why the server refuses the query; it is asked again at the next connection. */
  readonly error: SynclineError | null;
  /** Adds a listener; the returned function removes it. */
  on<K extends keyof SubscriptionEvents<R>>(
    event: K,
    listener: SubscriptionEvents<R>[K],
  ): () => void;
  /**
   * Gives the query other parameters, all of them: `rows` goes over to those of the new ones in one
   * change, and then the promise settles; without a connection that is when the next one has brought
   * them. It is rejected if the server refuses the parameters, and the query stays as it was. Nobody has
   * to look at the promise.
   */
  set(params: Params): Promise<void>;
  /** Ends the live query: no event comes any more and `rows` is not kept current. */
  close(): void;
}

const EMPTY: readonly Row[] = Object.freeze([]);

/** Values of the parameters of a query, by name. */
export type Params = Readonly<Record<string, unknown>>;

/** A result with one handle, and who looks at it. */
export interface Instance {
  /** The server's name of it; undefined after the connection that it was given on. */
  handle: Handle | undefined;
  cache: LiveCache;
  readonly subscriptions: Set<LiveSubscription>;
}

/** What a subscription asks of its client. */
export interface SubscriptionOwner {
  move(subscription: LiveSubscription, params: Params): Promise<void>;
  end(subscription: LiveSubscription): void;
}

/** The client's side of a {@link Subscription}. */
export class LiveSubscription extends Emitter<SubscriptionEvents<Row>> implements Subscription {
  readonly sql: Payload;
  params: readonly WireParam[];
  instance: Instance | undefined;
  ready = false;
  error: SynclineError | null = null;
  private readonly owner: SubscriptionOwner;
  private waiting: [resolve: () => void, reject: (error: SynclineError) => void][] = [];

  constructor(sql: Payload, params: readonly WireParam[], owner: SubscriptionOwner) {
    super();
    this.sql = sql;
    this.params = params;
    this.owner = owner;
  }

  get rows(): readonly Row[] {
    return this.instance?.cache.rows ?? EMPTY;
  }

  set(params: Params): Promise<void> {
    const done = this.owner.move(this, params);
    done.catch(() => {});
    return done;
  }

  close(): void {
    this.owner.end(this);
    this.settle(new ConnectionError("CLOSED", "the subscription is closed"));
  }

  /** Settles when the next first answer is there, or is refused. */
  nextAnswer(): Promise<void> {
    return new Promise((resolve, reject) => this.waiting.push([resolve, reject]));
  }

  /** A first answer is there, or why there is none. */
  settle(error?: SynclineError): void {
    for (const [resolve, reject] of this.waiting.splice(0)) {
      if (error) reject(error);
      else resolve();
    }
  }

  /** Tells of changes that `rows` already shows. */
  emitChanges(changes: Changes): void {
    const isNews = !this.ready || this.error !== null;
    this.ready = true;
    this.error = null;
    if (!isEmpty(changes)) {
      for (const row of changes.deleted) this.emit("delete", row);
      for (const [old, now] of changes.updated) this.emit("update", old, now);
      for (const row of changes.inserted) this.emit("insert", row);
      this.emit("change", changes);
    }
    if (isNews) this.emit("ready");
  }

  fail(error: SynclineError): void {
    this.error = error;
    this.settle(error);
    this.emit("error", error);
  }
}
