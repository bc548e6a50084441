/** Who is who: painters by identity, from the queries that the page follows anyway. */

import type { QueryResult } from "@syncline/react";
import { createContext, useContext, useMemo, type ReactNode } from "react";
import type { Painter } from "../board.generated";
import { useLeaders, useMe, useOnline } from "./queries";

interface People {
  readonly me: Painter | undefined;
  readonly online: QueryResult<Painter>;
  readonly leaders: QueryResult<Painter>;
  /** A painter who is online or a leader. */
  find(identity: string): Painter | undefined;
}

const PeopleContext = createContext<People | null>(null);

export function PeopleProvider({ children }: { children: ReactNode }) {
  const me = useMe();
  const online = useOnline(me?.identity);
  const leaders = useLeaders();
  const people = useMemo(() => {
    const all = new Map([...leaders.rows, ...online.rows].map((row) => [row.identity, row]));
    return { me, online, leaders, find: (identity: string) => all.get(identity) };
  }, [me, online, leaders]);
  return <PeopleContext value={people}>{children}</PeopleContext>;
}

export function usePeople(): People {
  const people = useContext(PeopleContext);
  if (!people) throw new Error("there is no PeopleProvider above this component");
  return people;
}
