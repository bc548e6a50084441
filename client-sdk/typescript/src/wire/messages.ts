/**
 * The messages, independent of how they are written. Packed data (arguments, rows, operations, results)
 * stays in the form of its encoding, a {@link Payload}, until the codec that read it is asked for values.
 */

import type { ResultDescription } from "../values/types.js";

/** Bytes in MessagePack, JSON values in JSON. */
export type Payload = unknown;

/** The server's name of a query instance: a number, compared as a value. */
export type Handle = number | bigint;

export type Delivery = "confirmed" | "unconfirmed";

/** Name and value of a query parameter, in the form of the encoding. */
export type WireParam = readonly [name: string, value: unknown];

export interface Hello {
  type: "hello";
  token: string | null;
  schema_hash: string | null;
  delivery: Delivery;
  resume: null;
}

export interface Call {
  type: "call";
  id: number;
  reducer: string;
  args: Payload;
}

export interface Subscribe {
  type: "subscribe";
  id: number;
  sql: Payload;
  params: readonly WireParam[];
}

export interface Unsubscribe {
  type: "unsubscribe";
  id: number;
  subscription: number;
}

export interface Query {
  type: "query";
  id: number;
  sql: Payload;
  params: readonly WireParam[];
}

export interface Ping {
  type: "ping";
  id: number;
}

export interface Auth {
  type: "auth";
  id: number;
  token: string;
}

export interface SetParams {
  type: "set_params";
  id: number;
  subscription: number;
  params: readonly WireParam[];
}

export type ClientMessage =
  | Hello
  | Call
  | Subscribe
  | Unsubscribe
  | Query
  | Ping
  | Auth
  | SetParams;

export interface WireError {
  code: string;
  message: string;
  hint: string | null;
}

export interface Welcome {
  type: "welcome";
  identity: string;
  connection: string;
  token: string | null;
  epoch: number;
  lsn: number;
  schema_hash: string;
  /** JSON text, unless Hello named its hash. */
  schema: string | null;
  server: string;
}

/** A chunk of rows: of a new subscription, of an instance that starts over, or of a one-off query. */
interface Chunk {
  lsn: number;
  rows: Payload;
  /** No chunk follows. */
  last: boolean;
}

export interface Snapshot extends Chunk {
  type: "snapshot";
  id: number;
  handle: Handle;
  /** Only in the first chunk. */
  description?: ResultDescription | null;
}

export interface Reset extends Chunk {
  type: "reset";
  handle: Handle;
}

export interface Rows extends Chunk {
  type: "rows";
  id: number;
  /** Only in the first chunk. */
  description?: ResultDescription | null;
}

export interface Commit {
  type: "commit";
  lsn: number;
  deltas: readonly Delta[];
}

export interface Delta {
  handle: Handle;
  ops: Payload;
}

/** What other parameters change in the rows of a subscription. */
export interface Moved {
  type: "moved";
  id: number;
  handle: Handle;
  lsn: number;
  ops: Payload;
}

export interface Reply {
  type: "reply";
  id: number;
  lsn: number;
  value: Payload;
  error?: WireError | null;
}

export interface SchemaChanged {
  type: "schema_changed";
  schema_hash: string;
  schema: string;
}

export interface ErrorMessage {
  type: "error";
  error: WireError;
}

export interface Pong {
  type: "pong";
  id: number;
  lsn: number;
}

export type ServerMessage =
  | Welcome
  | Snapshot
  | Commit
  | Reset
  | Reply
  | Rows
  | SchemaChanged
  | ErrorMessage
  | Pong
  | Moved;
