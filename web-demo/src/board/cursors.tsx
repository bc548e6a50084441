/** Where the others point at. */

import { useClient, useConnectionState, useQuery } from "@syncline/react";
import { memo, useEffect, useState } from "react";
import { tables, type Cursor } from "../board.generated";
import { patchStyle } from "../logic/palette";
import type { Size, View } from "../logic/view";
import styles from "./cursors.module.css";

/** A cursor that rests for so long steps back, in milliseconds. */
const REST_MS = 6000;
/** Nearer to the right edge the name stands to the left, in CSS pixels. */
const NAME_WIDTH = 130;

export function Cursors({ view, stage }: { view: View; stage: Size }) {
  const { rows } = useQuery(tables.cursor);
  const { connectionId, identity } = useClient();
  // Connection and identity change with the state.
  const isOnline = useConnectionState() === "online";
  return (
    <div className={styles["layer"]} data-online={isOnline} aria-hidden="true">
      {rows
        .filter(({ connection }) => connection !== connectionId)
        .map((cursor) => (
          <RemoteCursor
            key={cursor.connection}
            cursor={cursor}
            isMine={cursor.identity === identity}
            view={view}
            stageWidth={stage.width}
          />
        ))}
    </div>
  );
}

interface RemoteCursorProps {
  cursor: Cursor;
  /** It is in another window of the same person. */
  isMine: boolean;
  view: View;
  stageWidth: number;
}

const RemoteCursor = memo(function RemoteCursor(props: RemoteCursorProps) {
  const { cursor, isMine, view, stageWidth } = props;
  const { x, y, name, color } = cursor;
  const patch = patchStyle(color);
  const isResting = useResting(x, y);
  const left = view.x + x * view.scale;
  const top = view.y + y * view.scale;
  return (
    <div
      className={styles["cursor"]}
      data-testid="cursor"
      data-resting={isResting}
      data-flipped={left > stageWidth - NAME_WIDTH}
      style={{ transform: `translate(${left}px, ${top}px)` }}
    >
      <svg viewBox="0 0 18 20" width="18" height="20" fill={patch.background}>
        <path d="M2 1.5 16 9.6l-6.3 1.7-3.4 6.2z" stroke="#fff" strokeWidth="1.5" strokeLinejoin="round" />
      </svg>
      <span className={styles["name"]} style={patch}>
        {isMine ? `${name} (you)` : name}
      </span>
    </div>
  );
});

function useResting(x: number, y: number): boolean {
  const [restingAt, setRestingAt] = useState("");
  const place = `${x} ${y}`;
  useEffect(() => {
    const timer = setTimeout(() => setRestingAt(place), REST_MS);
    return () => clearTimeout(timer);
  }, [place]);
  return restingAt === place;
}
