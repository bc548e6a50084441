/** Where the token of an identity that the server made is kept between visits. */

type Awaitable<T> = T | Promise<T>;

export interface TokenStore {
  get(key: string): Awaitable<string | null>;
  set(key: string, token: string): Awaitable<void>;
  delete(key: string): Awaitable<void>;
}

/** Forgets with the process. */
export function memoryTokenStore(): TokenStore {
  const tokens = new Map<string, string>();
  return {
    get: (key) => tokens.get(key) ?? null,
    set: (key, token) => void tokens.set(key, token),
    delete: (key) => void tokens.delete(key),
  };
}

/** The browser's localStorage where a page may use it, else memory. */
export function defaultTokenStore(): TokenStore {
  try {
    const storage = globalThis.localStorage;
    // Some browsers have it and throw when it is used.
    storage.getItem("syncline");
    return {
      get: (key) => storage.getItem(key),
      set: (key, token) => storage.setItem(key, token),
      delete: (key) => storage.removeItem(key),
    };
  } catch {
    return memoryTokenStore();
  }
}
