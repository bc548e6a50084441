/** The client of one database: calls, queries and subscriptions over a connection that comes back. */

import { LiveQueries } from "./cache/live-queries.js";
import type { Row } from "./cache/shape.js";
import { Connection, type WebSocketConstructor } from "./connection.js";
import { Emitter } from "./emitter.js";
import { ConnectionError, QueryError, SynclineError } from "./errors.js";
import { connectUrl, type ClientOptions } from "./options.js";
import { sqlOf, type Query } from "./query.js";
import { Session } from "./session.js";
import { StatsCounter, type ClientStats } from "./stats.js";
import { LiveSubscription, type Params, type Subscription } from "./subscription.js";
import { defaultTokenStore, type TokenStore } from "./token-store.js";
import type { ReducerDef, Schema } from "./values/types.js";
import { MessagePackCodec } from "./wire/binary.js";
import type { CallArguments, WireCodec } from "./wire/codec.js";
import type { ErrorMessage, SchemaChanged, Welcome, WireParam } from "./wire/messages.js";
import { JsonCodec } from "./wire/text.js";

/**
 * `connecting`: no attempt has ended yet. `online`: the server answers. `offline`: the connection is lost,
 * or could not be made; the client tries again. `closed`: not connected, and not trying.
 */
export type ConnectionState = "connecting" | "online" | "offline" | "closed";

export type ClientEvents = {
  state: (state: ConnectionState) => void;
  /** Why the connection, or an attempt, was lost. */
  error: (error: SynclineError) => void;
  schema: (schema: Schema) => void;
  /** At most ten times a second. */
  stats: (stats: ClientStats) => void;
};

/** A request that waits for the first connection. */
interface Waiting {
  run(session: Session): void;
  reject(error: SynclineError): void;
}

const TOKEN_REFUSED = new Set(["BAD_TOKEN", "TOKEN_EXPIRED"]);

export class SynclineClient {
  /** Who this client is to the server, as hex; null before the first connection. */
  identity: string | null = null;
  /** The server's name of the current connection, as hex. */
  connectionId: string | null = null;
  /** What the database's module declares; null before the first connection. */
  schema: Schema | null = null;
  /** Why there is no connection; null while there is one. */
  error: SynclineError | null = null;
  private currentState: ConnectionState = "closed";
  private readonly options: ClientOptions;
  private readonly url: string;
  private readonly codec: WireCodec;
  private readonly queries: LiveQueries;
  private readonly emitter = new Emitter<ClientEvents>();
  private readonly counter = new StatsCounter((stats) => this.emitter.emit("stats", stats));
  private readonly subscriptions = new Set<LiveSubscription>();
  private readonly waiting = new Set<Waiting>();
  private readonly tokenStore: TokenStore;
  private token: ClientOptions["token"] | null;
  /** The token of the identity that the server made for this client. */
  private issuedToken: string | null = null;
  private schemaHash: string | null = null;
  private wasOnline = false;
  private connection: Connection | undefined;
  private session: Session | undefined;
  /** Changes with every socket, so that what was asked for an old one is not done on a new one. */
  private attempt = 0;

  constructor(options: ClientOptions) {
    this.options = options;
    this.url = connectUrl(options);
    this.codec = options.encoding === "json" ? new JsonCodec() : new MessagePackCodec();
    this.queries = new LiveQueries(this.codec);
    this.tokenStore = options.tokenStore ?? defaultTokenStore();
    this.token = options.token ?? null;
  }

  get state(): ConnectionState {
    return this.currentState;
  }

  /** Figures of the connection; a new object when one has changed. */
  get stats(): ClientStats {
    return this.counter.stats;
  }

  /** Adds a listener; the returned function removes it. */
  on<K extends keyof ClientEvents>(event: K, listener: ClientEvents[K]): () => void {
    return this.emitter.on(event, listener);
  }

  /**
   * Connects, and keeps connecting until {@link close}. The promise is for those who want to wait for the
   * first connection; it is rejected only if the client is closed before.
   */
  connect(): Promise<void> {
    const online = new Promise<void>((resolve, reject) => {
      if (this.state === "online") return resolve();
      this.waiting.add({ run: () => resolve(), reject });
    });
    // Nobody has to look at it: `state` and `error` tell the same.
    online.catch(() => {});
    if (this.state !== "closed") return online;
    const constructorOf = (this.options.WebSocket ??
      globalThis.WebSocket) as WebSocketConstructor | undefined;
    if (!constructorOf) {
      const hint = "use Node 22 or later, or pass the WebSocket of the ws package as an option";
      this.close(new ConnectionError("NO_WEBSOCKET", "there is no WebSocket here", hint));
      return online;
    }
    this.setState("connecting");
    this.connection ??= new Connection(this.url, this.codec.subprotocol, constructorOf, {
      onOpen: () => void this.opened(),
      onFrame: (frame) => this.received(frame),
      onLost: (error) => this.lost(error),
      onTick: () => void this.session?.ping().catch(() => {}),
    });
    this.connection.start();
    return online;
  }

  /** Ends the connection. Subscriptions keep their rows; {@link connect} takes them up again. */
  close(reason?: SynclineError): void {
    this.error = reason ?? null;
    this.connection?.stop();
    const error = new ConnectionError("CLOSED", reason?.message ?? "the client is closed");
    this.endSession(error);
    for (const { reject } of this.waiting) reject(reason ?? error);
    this.waiting.clear();
    this.wasOnline = false;
    this.setState("closed");
  }

  /**
   * Calls a reducer with its arguments by position or by name. The promise settles after the effects are
   * in the subscriptions. A call is never sent twice: if the connection is lost before the reply, the
   * promise is rejected with {@link OutcomeUnknownError}.
   */
  call<Result = unknown>(reducer: string, args: CallArguments = []): Promise<Result> {
    return this.whenOnline((session) => session.call(this.reducer(reducer), args));
  }

  /** Evaluates a query once. */
  query<R = Row>(query: string | Query<R>, params: Params = {}): Promise<R[]> {
    return this.whenOnline((session) => session.query(this.codec.query(sqlOf(query)), this.params(params)));
  }

  /** Starts a live query; it survives the loss of the connection. */
  subscribe<R = Row>(
    query: string | Query<R>,
    options: { params?: Params } = {},
  ): Subscription<R> {
    const params = this.params(options.params ?? {});
    const subscription = new LiveSubscription(this.codec.query(sqlOf(query)), params, {
      move: (subscription, params) => this.move(subscription, params),
      end: () => {
        this.subscriptions.delete(subscription);
        this.session?.unsubscribe(subscription);
        this.queries.detach(subscription);
      },
    });
    this.session?.subscribe(subscription);
    this.subscriptions.add(subscription);
    return subscription as unknown as Subscription<R>;
  }

  /** Gives a live query other parameters. */
  private async move(subscription: LiveSubscription, params: Params): Promise<void> {
    const [before, next] = [subscription.params, this.params(params)];
    subscription.params = next;
    const { session } = this;
    if (!session?.has(subscription)) {
      // It was refused as it was, or the next connection asks for it.
      session?.subscribe(subscription);
      return subscription.nextAnswer();
    }
    try {
      await session.setParams(subscription);
    } catch (error) {
      if (error instanceof ConnectionError) return subscription.nextAnswer();
      if (subscription.params === next) subscription.params = before;
      throw error;
    }
  }

  /** Renews the token, for the same identity; the next connections use it too. */
  async authenticate(token: string): Promise<void> {
    await this.whenOnline((session) => session.authenticate(token));
    this.token = token;
  }

  private whenOnline<T>(run: (session: Session) => Promise<unknown>): Promise<T> {
    const { session } = this;
    return new Promise<unknown>((resolve, reject) => {
      const runNow = (session: Session): void => {
        try {
          run(session).then(resolve, reject);
        } catch (error) {
          reject(error);
        }
      };
      if (this.state === "online" && session) return runNow(session);
      if (this.state === "closed" || this.wasOnline) {
        return reject(this.error ?? new ConnectionError("NOT_CONNECTED", "call connect() first"));
      }
      const ms = this.options.connectTimeoutMs ?? 10_000;
      const timer = setTimeout(() => {
        this.waiting.delete(waiting);
        reject(new ConnectionError("CONNECT_TIMEOUT", `no connection within ${ms} ms`));
      }, ms);
      const waiting: Waiting = {
        run: (session) => {
          clearTimeout(timer);
          runNow(session);
        },
        reject: (error) => {
          clearTimeout(timer);
          reject(error);
        },
      };
      this.waiting.add(waiting);
    }) as Promise<T>;
  }

  /** A socket is open. Subscribes without waiting for Welcome: that saves a round trip. */
  private async opened(): Promise<void> {
    const attempt = ++this.attempt;
    let token: string | null;
    try {
      const { token: own } = this;
      if (typeof own === "function") token = await own();
      else token = own ?? this.issuedToken ?? (await this.tokenStore.get(this.tokenKey));
    } catch (error) {
      if (attempt === this.attempt) this.connection?.restart(`no token: ${String(error)}`);
      return;
    }
    if (attempt !== this.attempt) return;
    this.session = new Session(this.codec, this.queries, (frame) => this.connection?.send(frame), {
      onWelcome: (message) => this.welcomed(message),
      onSchema: (message) => this.schemaChanged(message),
      onError: (message) => this.refused(message),
      onAnswer: (kind, ms) => this.counter.answered(kind, ms),
    });
    this.session.hello(token, this.schemaHash, this.options.delivery ?? "confirmed");
    for (const subscription of this.subscriptions) this.session.subscribe(subscription);
  }

  private received(frame: ArrayBuffer | string): void {
    try {
      const message = this.codec.decode(frame);
      const bytes = typeof frame === "string" ? frame.length : frame.byteLength;
      this.counter.received(bytes, message.type === "commit");
      this.session?.receive(message);
    } catch (error) {
      // The next connection starts with fresh rows.
      this.connection?.restart(`the server sent what cannot be read: ${String(error)}`);
    }
  }

  private welcomed(message: Welcome): void {
    const { session } = this;
    if (!session) return;
    this.connection?.confirm();
    this.identity = message.identity;
    this.connectionId = message.connection;
    if (message.schema) this.setSchema(message.schema_hash, message.schema);
    const { token } = message;
    if (token && !this.token) {
      this.issuedToken = token;
      this.store((tokens, key) => tokens.set(key, token));
    }
    this.error = null;
    this.wasOnline = true;
    const waiting = [...this.waiting];
    this.waiting.clear();
    this.currentState = "online";
    for (const { run } of waiting) run(session);
    this.emitter.emit("state", "online");
    void session.ping().catch(() => {});
  }

  private schemaChanged({ schema_hash, schema }: SchemaChanged): void {
    this.setSchema(schema_hash, schema);
    // What the server refused may now be there.
    for (const subscription of this.subscriptions) {
      if (subscription.error) this.session?.subscribe(subscription);
    }
  }

  private setSchema(hash: string, text: string): void {
    this.schema = JSON.parse(text) as Schema;
    this.schemaHash = hash;
    this.emitter.emit("schema", this.schema);
  }

  /** The server closes the connection after this. */
  private refused({ error: { code, message, hint } }: ErrorMessage): void {
    const error = new ConnectionError(code, message, hint);
    if (TOKEN_REFUSED.has(code) && typeof this.token === "string") {
      this.emitter.emit("error", error);
      return this.close(error);
    }
    if (TOKEN_REFUSED.has(code) && !this.token) {
      // The server that made this identity is gone, or its keys are: start as somebody new.
      this.issuedToken = null;
      this.store((tokens, key) => tokens.delete(key));
    }
    this.connection?.restart(error);
  }

  private lost(error: ConnectionError): void {
    this.error = error;
    this.endSession(error);
    this.setState("offline");
    this.emitter.emit("error", error);
  }

  private endSession(error: ConnectionError): void {
    this.attempt++;
    this.connectionId = null;
    this.session?.end(error);
    this.session = undefined;
  }

  private reducer(name: string): ReducerDef {
    const all = this.schema?.reducers ?? [];
    const found = all.find((reducer) => reducer.name === name);
    if (found?.kind === "call") return found;
    if (found) {
      const message = `${name} is a lifecycle reducer, which only the server calls`;
      throw new SynclineError("LIFECYCLE_REDUCER", message);
    }
    const reducers = all.filter(({ kind }) => kind === "call");
    const hint = `reducers: ${reducers.map((reducer) => reducer.name).join(", ")}`;
    throw new SynclineError("NO_REDUCER", `there is no reducer ${name}`, hint);
  }

  /** Query parameters for the wire. */
  private params(params: Params): WireParam[] {
    return Object.entries(params).map(([name, value]) => {
      try {
        return [name, this.codec.param(value)];
      } catch (error) {
        throw new QueryError("SQL_PARAMETER", `parameter ${name}: ${(error as Error).message}`);
      }
    });
  }

  /** A store that fails (full, forbidden) costs the identity at the next visit, not this one. */
  private store(act: (tokens: TokenStore, key: string) => void | Promise<void>): void {
    const report = (error: unknown): void => {
      const message = `the token is not kept: ${String(error)}`;
      this.emitter.emit("error", new SynclineError("TOKEN_STORE", message));
    };
    try {
      Promise.resolve(act(this.tokenStore, this.tokenKey)).catch(report);
    } catch (error) {
      report(error);
    }
  }

  private get tokenKey(): string {
    return `syncline:${this.url}`;
  }

  private setState(state: ConnectionState): void {
    if (state === this.currentState) return;
    this.currentState = state;
    this.emitter.emit("state", state);
  }
}
