/** One connection in terms of messages: requests that wait for answers, subscriptions by their ids. */

import type { LiveQueries } from "./cache/live-queries.js";
import { ResultShape, type Row } from "./cache/shape.js";
import {
  type ConnectionError,
  errorFrom,
  OutcomeUnknownError,
  SynclineError,
} from "./errors.js";
import type { LiveSubscription } from "./subscription.js";
import type { ReducerDef, Type } from "./values/types.js";
import type { CallArguments, WireCodec } from "./wire/codec.js";
import type {
  ClientMessage,
  Delivery,
  ErrorMessage,
  Payload,
  Reply,
  Rows,
  SchemaChanged,
  ServerMessage,
  Welcome,
  WireParam,
} from "./wire/messages.js";

/** What the owner of a session hears of it. */
export interface SessionEvents {
  onWelcome(message: Welcome): void;
  onSchema(message: SchemaChanged): void;
  onError(message: ErrorMessage): void;
  /** A Pong or the Reply to a call came after so many milliseconds. */
  onAnswer(kind: "ping" | "call", ms: number): void;
}

interface Request {
  readonly kind: "ping" | "call" | "query";
  readonly sentAt: number;
  resolve(value: unknown): void;
  reject(error: SynclineError): void;
  /** What a call returns. */
  readonly returns?: Type | null;
  /** What has come of the answer to a query. */
  shape?: ResultShape;
  readonly rows: Row[];
}

export class Session {
  private readonly codec: WireCodec;
  private readonly queries: LiveQueries;
  private readonly transmit: (frame: string | Uint8Array<ArrayBuffer>) => void;
  private readonly events: SessionEvents;
  private readonly requests = new Map<number, Request>();
  private readonly subscriptions = new Map<number, LiveSubscription>();
  private readonly ids = new Map<LiveSubscription, number>();
  private lastId = 0;

  constructor(
    codec: WireCodec,
    queries: LiveQueries,
    transmit: (frame: string | Uint8Array<ArrayBuffer>) => void,
    events: SessionEvents,
  ) {
    this.codec = codec;
    this.queries = queries;
    this.transmit = transmit;
    this.events = events;
  }

  hello(token: string | null, schema_hash: string | null, delivery: Delivery): void {
    this.send({ type: "hello", token, schema_hash, delivery, resume: null });
  }

  call(reducer: ReducerDef, args: CallArguments): Promise<unknown> {
    return this.request("call", reducer.returns, (id) => {
      this.send({ type: "call", id, reducer: reducer.name, args: this.codec.args(reducer, args) });
    });
  }

  query(sql: Payload, params: readonly WireParam[]): Promise<unknown> {
    return this.request("query", null, (id) => this.send({ type: "query", id, sql, params }));
  }

  ping(): Promise<unknown> {
    return this.request("ping", null, (id) => this.send({ type: "ping", id }));
  }

  authenticate(token: string): Promise<unknown> {
    return this.request("query", null, (id) => this.send({ type: "auth", id, token }));
  }

  subscribe(subscription: LiveSubscription): void {
    const { sql, params } = subscription;
    const id = ++this.lastId;
    this.subscriptions.set(id, subscription);
    this.ids.set(subscription, id);
    this.send({ type: "subscribe", id, sql, params });
  }

  /** Whether the server knows the subscription, or will when it has read what was sent. */
  has(subscription: LiveSubscription): boolean {
    return this.ids.has(subscription);
  }

  /** Sends the parameters that the subscription now has. */
  setParams(target: LiveSubscription): Promise<unknown> {
    const { params } = target;
    const subscription = this.ids.get(target)!;
    return this.request("query", null, (id) =>
      this.send({ type: "set_params", id, subscription, params }),
    );
  }

  unsubscribe(subscription: LiveSubscription): void {
    const id = this.ids.get(subscription);
    if (id === undefined) return;
    this.forget(id, subscription);
    this.send({ type: "unsubscribe", id: ++this.lastId, subscription: id });
  }

  /** Takes a frame. Throws if it is no message, or one that does not fit what is here. */
  receive(message: ServerMessage): void {
    switch (message.type) {
      case "welcome":
        return this.events.onWelcome(message);
      case "snapshot": {
        // A subscription that is closed meanwhile is not there.
        const subscription = this.subscriptions.get(message.id);
        return subscription && this.queries.snapshot(subscription, message);
      }
      case "moved": {
        const subscription = this.subscriptions.get(message.id);
        return subscription && this.queries.moved(subscription, message);
      }
      case "commit":
        return this.queries.commit(message);
      case "reset":
        return this.queries.reset(message);
      case "reply":
        return this.reply(message);
      case "rows":
        return this.rows(message);
      case "schema_changed":
        return this.events.onSchema(message);
      case "error":
        return this.events.onError(message);
      case "pong": {
        const request = this.take(message.id);
        request?.resolve(undefined);
        return;
      }
    }
  }

  /** The connection is gone: nobody knows what became of calls, queries can be asked again. */
  end(error: ConnectionError): void {
    for (const { kind, reject } of this.requests.values()) {
      reject(kind === "call" ? new OutcomeUnknownError() : error);
    }
    this.requests.clear();
    this.queries.disconnect();
  }

  private reply({ id, value, error }: Reply): void {
    const subscription = this.subscriptions.get(id);
    if (subscription && error) {
      this.forget(id, subscription);
      return subscription.fail(errorFrom(error));
    }
    const request = this.take(id);
    if (!request) return;
    if (error) return request.reject(errorFrom(error));
    request.resolve(request.returns == null ? undefined : this.codec.result(request.returns, value));
  }

  private rows(message: Rows): void {
    const request = this.requests.get(message.id);
    if (!request) return;
    if (message.description) request.shape = new ResultShape(message.description);
    if (!request.shape) throw new TypeError("the first chunk has no description");
    for (const { row } of this.codec.rows(request.shape, message.rows)) request.rows.push(row);
    if (message.last) this.take(message.id)?.resolve(request.rows);
  }

  private request(
    kind: Request["kind"],
    returns: Type | null,
    send: (id: number) => void,
  ): Promise<unknown> {
    return new Promise((resolve, reject) => {
      const id = ++this.lastId;
      try {
        send(id);
      } catch (error) {
        // Only arguments of a call can fail to fit.
        return reject(new SynclineError("BAD_ARGUMENTS", (error as Error).message));
      }
      const sentAt = performance.now();
      this.requests.set(id, { kind, sentAt, resolve, reject, returns, rows: [] });
    });
  }

  private take(id: number): Request | undefined {
    const request = this.requests.get(id);
    if (!request) return undefined;
    this.requests.delete(id);
    if (request.kind !== "query") {
      this.events.onAnswer(request.kind, performance.now() - request.sentAt);
    }
    return request;
  }

  private forget(id: number, subscription: LiveSubscription): void {
    this.subscriptions.delete(id);
    this.ids.delete(subscription);
    this.queries.detach(subscription);
  }

  private send(message: ClientMessage): void {
    this.transmit(this.codec.encode(message));
  }
}
