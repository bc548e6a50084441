/** What the address of the page says: `?server=http://10.0.0.5:4510&database=board`. */

export interface Settings {
  /** Undefined: where the page came from. */
  readonly server: string | undefined;
  readonly database: string;
}

export function settingsOf(search: string): Settings {
  const params = new URLSearchParams(search);
  return {
    server: serverOf(params.get("server")),
    database: params.get("database") || "board",
  };
}

/** An address without a scheme is taken for http; one that makes no sense is left out. */
function serverOf(text: string | null): string | undefined {
  if (!text) return undefined;
  const address = /^(https?|wss?):\/\//.test(text) ? text : `http://${text}`;
  return URL.canParse(address) ? address : undefined;
}
