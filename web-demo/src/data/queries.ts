/** The live queries of the page. What belongs to two tables is joined here, on the client. */

import { query } from "@syncline/client";
import { useQuery, type QueryResult } from "@syncline/react";
import { useMemo } from "react";
import { tables, type Message, type Painter } from "../board.generated";

export const LEADERS = query<Painter>("SELECT * FROM painter ORDER BY painted DESC LIMIT 10");
export const MESSAGES = query<Message>("SELECT * FROM message ORDER BY sent_at DESC LIMIT 100");
const ONLINE = tables.painter.where("online = TRUE");
const ME = tables.painter.where("identity = :me");
const ONE = tables.painter.where("identity = :identity");

/** The painter that this page is; undefined before the first answer. */
export function useMe(): Painter | undefined {
  return useQuery(ME).rows[0];
}

/** Painters with at least one open window, oneself first, then by name. */
export function useOnline(me: string | undefined): QueryResult<Painter> {
  const result = useQuery(ONLINE);
  return useMemo(() => {
    const isMe = ({ identity }: Painter): number => Number(identity === me);
    const rows = [...result.rows].sort(
      (a, b) => isMe(b) - isMe(a) || a.name.localeCompare(b.name),
    );
    return { ...result, rows };
  }, [result, me]);
}

/** The ten most diligent painters, without those who have not painted. */
export function useLeaders(): QueryResult<Painter> {
  const result = useQuery(LEADERS);
  return useMemo(
    () => ({ ...result, rows: result.rows.filter(({ painted }) => painted > 0n) }),
    [result],
  );
}

/** The latest messages, the oldest of them first. */
export function useMessages(): QueryResult<Message> {
  const result = useQuery(MESSAGES);
  return useMemo(() => ({ ...result, rows: result.rows.toSorted(byTime) }), [result]);
}

function byTime(a: Message, b: Message): number {
  return Number(a.sent_at - b.sent_at) || Number(a.id - b.id);
}

/** One painter, asked for only if an identity is given. */
export function usePainter(identity: string | undefined): Painter | undefined {
  const isAsked = identity !== undefined;
  return useQuery(isAsked ? ONE : null, isAsked ? { identity } : {}).rows[0];
}
