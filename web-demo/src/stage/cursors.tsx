/** Where the others point at. */

import { useClient, useConnectionState, useQuery } from "@syncline/react";
import { memo, useEffect, useState } from "react";
import { tables, type Cursor } from "../board.generated";
import { patchStyle } from "../logic/board/palette";
import type { Size, View } from "../logic/board/view";
import styles from "./cursors.module.css";

/** A cursor that rests for so long steps back, in milliseconds. */
const REST_MS = 6000;
/** About the width of a character of a name and of the rest, in CSS pixels. */
const CHARACTER_WIDTH = 7;
const REST_WIDTH = 36;

export function Cursors({ view, stage }: { view: View; stage: Size }) {
  const { rows } = useQuery(tables.cursor);
  const { connectionId, identity } = useClient();
  // Connection and identity change with the state.
  const isOnline = useConnectionState() === "online";
  // Without a connection, one's own cursor is still the one of the last.
  const [own, setOwn] = useState(connectionId);
  if (connectionId !== null && connectionId !== own) setOwn(connectionId);
  return (
    <div className={styles["layer"]} data-online={isOnline} aria-hidden="true">
      {rows
        .filter(({ connection }) => connection !== own)
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
  const label = isMine ? `${name} (you)` : name;
  const left = view.x + x * view.scale;
  const top = view.y + y * view.scale;
  return (
    <div
      className={styles["cursor"]}
      data-testid="cursor"
      data-resting={isResting}
      data-flipped={left > stageWidth - label.length * CHARACTER_WIDTH - REST_WIDTH}
      style={{ transform: `translate(${left}px, ${top}px)` }}
    >
      <svg viewBox="0 0 18 20" width="18" height="20" fill={patch.background}>
        <path d="M2 1.5 16 9.6l-6.3 1.7-3.4 6.2z" stroke="#fff" strokeWidth="1.5" strokeLinejoin="round" />
      </svg>
      <span className={styles["name"]} style={patch}>
        {label}
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
