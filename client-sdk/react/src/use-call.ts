/** Calls of reducers from components. */

import type { CallArguments, SynclineClient } from "@syncline/client";
import { useCallback, useMemo } from "react";
import { useClient } from "./provider.js";

/** A function that calls the reducer; the same one in every render. */
export function useCall<Result = unknown>(
  reducer: string,
): (args?: CallArguments) => Promise<Result> {
  const client = useClient();
  return useCallback(
    (args?: CallArguments) => client.call<Result>(reducer, args),
    [client, reducer],
  );
}

/**
 * The client with the types of generated code: `const { call } = useTyped(typed)`, where `typed` is the
 * function that the generated file exports.
 */
export function useTyped<T>(typed: (client: SynclineClient) => T): T {
  const client = useClient();
  return useMemo(() => typed(client), [client, typed]);
}
