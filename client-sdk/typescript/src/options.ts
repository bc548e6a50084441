/** How a client is set up. */

import type { WebSocketConstructor } from "./connection.js";
import type { TokenStore } from "./token-store.js";
import type { Delivery } from "./wire/messages.js";

export interface ClientOptions {
  /** Name of the database. */
  database: string;
  /**
   * Where the server is: `http(s)://` or `ws(s)://`, with a path if it lies under one. Default: where the
   * page came from, and outside of a page `http://127.0.0.1:4510`.
   */
  url?: string;
  /**
   * Token of an issuer or of `syncline token`; a function is asked before every connection. Without one
   * the server makes an identity, whose token `tokenStore` keeps.
   */
  token?: string | (() => string | Promise<string>);
  /** Default: localStorage in a browser, memory elsewhere. */
  tokenStore?: TokenStore;
  /** Default: `msgpack`. `json` can be read in the browser's network panel. */
  encoding?: "msgpack" | "json";
  /** Default: `confirmed`, nothing is shown that a crash of the server could take back. */
  delivery?: Delivery;
  /** Default: the global one. Node before 22 has none: pass that of the `ws` package. */
  WebSocket?: WebSocketConstructor;
  /** How long calls and queries wait for the first connection, in milliseconds. Default: 10 000. */
  connectTimeoutMs?: number;
}

/** The address of a database's WebSocket. */
export function connectUrl({ url, database }: ClientOptions): string {
  const page = globalThis.location?.origin;
  const base = new URL(url ?? (page?.startsWith("http") ? page : "http://127.0.0.1:4510"));
  base.protocol = base.protocol.replace("http", "ws");
  const path = base.pathname.replace(/\/$/, "");
  base.pathname = `${path}/v1/databases/${encodeURIComponent(database)}/connect`;
  base.search = base.hash = "";
  return base.href;
}
