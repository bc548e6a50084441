/** The client of a tree of components. */

import type { SynclineClient } from "@syncline/client";
import { createContext, createElement, useContext, useEffect } from "react";
import type { ReactElement, ReactNode } from "react";

const ClientContext = createContext<SynclineClient | null>(null);

export interface SynclineProviderProps {
  /** Made once, outside of components. It is connected here, and closed by whoever made it. */
  client: SynclineClient;
  children?: ReactNode;
}

/** Connects the client and gives it to the components below. */
export function SynclineProvider({ client, children }: SynclineProviderProps): ReactElement {
  useEffect(() => {
    void client.connect();
  }, [client]);
  return createElement(ClientContext, { value: client }, children);
}

/** The client of the nearest {@link SynclineProvider}. */
export function useClient(): SynclineClient {
  const client = useContext(ClientContext);
  if (!client) throw new Error("there is no SynclineProvider above this component");
  return client;
}
