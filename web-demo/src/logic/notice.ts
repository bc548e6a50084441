/** Errors as the page tells people about them. */

import {
  ConnectionError,
  OutcomeUnknownError,
  QueryError,
  ReducerError,
  SynclineError,
} from "@syncline/client";

export interface Notice {
  readonly kind: "error" | "warning";
  readonly title: string;
  readonly text: string;
  readonly hint: string | null;
}

export function noticeOf(error: unknown): Notice {
  if (!(error instanceof SynclineError)) {
    return { kind: "error", title: "Something went wrong", text: String(error), hint: null };
  }
  const { hint } = error;
  const text = sentence(error.message);
  if (error instanceof ReducerError) return { kind: "error", title: "Not done", text, hint };
  if (error instanceof QueryError) return { kind: "error", title: "Query refused", text, hint };
  if (error instanceof OutcomeUnknownError) {
    return {
      kind: "warning",
      title: "The connection went away",
      text: "Whether your last change arrived shows when it is back.",
      hint: null,
    };
  }
  if (error instanceof ConnectionError) {
    const about = hint ?? "The page reconnects by itself. Try again then.";
    return { kind: "warning", title: "Not connected", text: "That was not sent.", hint: about };
  }
  return { kind: "error", title: "Something went wrong", text, hint };
}

/** Messages are lower case without a stop; people read sentences. */
export function sentence(text: string): string {
  const [first = "", ...rest] = [...text.trim()];
  const whole = first.toUpperCase() + rest.join("");
  return /[.!?…]$/.test(whole) ? whole : `${whole}.`;
}
