/** The rows of a live query as state of a component. */

import type { Params, Query, Row } from "@syncline/client";
import { useCallback, useState, useSyncExternalStore } from "react";
import { useClient } from "./provider.js";
import {
  NOT_READY,
  queryKey,
  resultOf,
  watchQuery,
  type AnyQuery,
  type QueryResult,
} from "./shared-query.js";

export interface QueryOptions {
  /**
   * When the query or its parameters change, show the rows of before (with `ready` false) until the new ones are
   * there, instead of none.
   */
  keepPrevious?: boolean;
}

const NO_PARAMS: Params = {};

/**
 * Subscribes while the component is mounted. Query and parameters count by value, so they may be written
 * in place: `useQuery("SELECT * FROM pixel WHERE x < :x", { x })`, or a query of the builder. When only
 * the parameters change the subscription goes over to the new ones. With `null` nothing is asked. The result is the same object until something in it changes, and so is every row in it.
 */
export function useQuery<R = Row>(
  query: string | Query<R> | null,
  params: Params = NO_PARAMS,
  { keepPrevious = false }: QueryOptions = {},
): QueryResult<R> {
  const client = useClient();
  const key = query === null ? "" : queryKey(query as AnyQuery, params);
  // The key stands for query and parameters, which may be new objects in every render.
  const [asked, setAsked] = useState({ key, query, params });
  if (asked.key !== key) setAsked({ key, query, params });
  const subscribe = useCallback(
    (notify: () => void) =>
      asked.query === null
        ? () => {}
        : watchQuery(client, asked.key, asked.query as AnyQuery, asked.params, notify),
    [client, asked],
  );
  const result = useSyncExternalStore(
    subscribe,
    () => resultOf(client, key),
    () => NOT_READY,
  );
  return usePrevious(result, keepPrevious) as QueryResult<R>;
}

/** The result, or while it is not ready the rows of the last one that was. */
function usePrevious(result: QueryResult, isWanted: boolean): QueryResult {
  const [previous, setPrevious] = useState(NOT_READY);
  if (isWanted && result.ready && result.rows !== previous.rows) {
    setPrevious({ ...result, ready: false });
  }
  return isWanted && !result.ready && !result.error ? previous : result;
}
