/** How the connection does. */

import type { ClientStats, ConnectionState } from "@syncline/client";
import { useCallback, useSyncExternalStore } from "react";
import { useClient } from "./provider.js";

/** State of the connection, followed live. */
export function useConnectionState(): ConnectionState {
  const client = useClient();
  const subscribe = useCallback((notify: () => void) => client.on("state", notify), [client]);
  return useSyncExternalStore(
    subscribe,
    () => client.state,
    () => "closed",
  );
}

/** Round trip, bytes and commits, at most ten times a second. */
export function useStats(): ClientStats {
  const client = useClient();
  const subscribe = useCallback((notify: () => void) => client.on("stats", notify), [client]);
  const stats = (): ClientStats => client.stats;
  return useSyncExternalStore(subscribe, stats, stats);
}
