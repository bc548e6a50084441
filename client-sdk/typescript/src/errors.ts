/** Everything that can go wrong, as classes that programs can tell apart. */

import type { WireError } from "./wire/messages.js";

/** Base of all errors of this package. `code` is one of the server's stable codes. */
export class SynclineError extends Error {
  override name = "SynclineError";
  readonly code: string;
  /** What to do about it, where one can. */
  readonly hint: string | null;

  constructor(code: string, message: string, hint: string | null = null) {
    super(message);
    this.code = code;
    this.hint = hint;
  }
}

/** The reducer returned an error, panicked, trapped or hit a limit. Its changes are undone. */
export class ReducerError extends SynclineError {
  override name = "ReducerError";
}

/** The server does not take the query. */
export class QueryError extends SynclineError {
  override name = "QueryError";
}

/** There is no connection, or it cannot be made. What was asked did not take effect. */
export class ConnectionError extends SynclineError {
  override name = "ConnectionError";
}

/** The connection went while a call was under way: whether it took effect is not known. */
export class OutcomeUnknownError extends SynclineError {
  override name = "OutcomeUnknownError";

  constructor(message = "the connection was lost before the reply", hint: string | null = null) {
    super("OUTCOME_UNKNOWN", message, hint ?? "look at the data before you call again");
  }
}

/** The error of a reply, in the class that its code belongs to. */
export function errorFrom({ code, message, hint }: WireError): SynclineError {
  if (code === "OUTCOME_UNKNOWN") return new OutcomeUnknownError(message, hint);
  if (/^(REDUCER|CALL)_/.test(code)) return new ReducerError(code, message, hint);
  if (/^(SQL|LIVE|QUERY)_/.test(code)) return new QueryError(code, message, hint);
  return new SynclineError(code, message, hint);
}
