/** Why a connection is refused: browsers do not tell, but the server does over HTTP. */

import { sentence } from "../logic/notice";
import type { Settings } from "../logic/settings";

/** A sentence or two, or null if the server does not answer or has nothing against it. */
export async function reasonOf({ server, database }: Settings): Promise<string | null> {
  const base = (server ?? location.origin).replace(/^ws/, "http").replace(/\/$/, "");
  try {
    const answer = await fetch(`${base}/v1/databases/${encodeURIComponent(database)}/schema`);
    if (answer.ok) return null;
    const body = (await answer.json()) as { error?: { message?: string; hint?: string | null } };
    const said = [body.error?.message, body.error?.hint].filter((text) => text != null);
    return said.map((text) => sentence(text)).join(" ") || null;
  } catch {
    return null;
  }
}
