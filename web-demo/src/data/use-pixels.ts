/** The board, followed live while a component is mounted. */

import type { SynclineError } from "@syncline/client";
import { useClient, useTyped } from "@syncline/react";
import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import { tables, typed } from "../board.generated";
import { useReport } from "../notices/toasts";
import { Brush } from "./brush";
import { CursorSender } from "./cursor-sender";
import { Pixels } from "./pixels";

export interface Board {
  readonly pixels: Pixels;
  readonly brush: Brush;
  readonly cursor: CursorSender;
  /** Whether the first answer has come. */
  readonly ready: boolean;
  readonly error: SynclineError | null;
}

export function useBoard(): Board {
  const client = useClient();
  const { call } = useTyped(typed);
  const report = useReport();
  const [parts] = useState(() => {
    const pixels = new Pixels();
    const brush = new Brush({
      pixels,
      send: (dots) => call.paint_many({ dots }),
      onError: report,
      schedule: (run) => void requestAnimationFrame(run),
    });
    return { pixels, brush, cursor: new CursorSender(call) };
  });
  const [status, setStatus] = useState<Pick<Board, "ready" | "error">>({
    ready: false,
    error: null,
  });
  const { pixels } = parts;
  useEffect(() => {
    const subscription = client.subscribe(tables.pixel);
    let isFirst = true;
    subscription.on("change", ({ inserted, updated, deleted }) => {
      const now = [...inserted, ...updated.map(([, row]) => row)];
      // The first answer is not news.
      const remote = isFirst ? [] : now.filter(({ painter }) => painter !== client.identity);
      pixels.commit(now, deleted, remote.map(({ position }) => position));
    });
    subscription.on("ready", () => {
      isFirst = false;
      setStatus({ ready: true, error: null });
    });
    subscription.on("error", (error) => setStatus(({ ready }) => ({ ready, error })));
    return () => subscription.close();
  }, [client, pixels]);
  return { ...parts, ...status };
}

/** How many cells are painted. */
export function usePainted(pixels: Pixels): number {
  const subscribe = useCallback((notify: () => void) => pixels.on(notify), [pixels]);
  return useSyncExternalStore(subscribe, () => pixels.painted);
}
