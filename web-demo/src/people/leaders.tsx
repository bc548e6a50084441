/** The live leaderboard. */

import { useRef } from "react";
import { usePeople } from "../data/people";
import type { Painter } from "../board.generated";
import { count } from "../logic/format";
import { swatch } from "../logic/board/palette";
import { ErrorNote } from "../notices/error-note";
import { Avatar } from "./avatar";
import styles from "./leaders.module.css";
import { useSlide } from "./use-slide";

export function Leaders() {
  const { leaders, me } = usePeople();
  const { rows, ready, error } = leaders;
  const list = useRef<HTMLOListElement>(null);
  useSlide(list);
  if (error) return <ErrorNote error={error} />;
  if (!ready) return <Waiting />;
  if (rows.length === 0) {
    return <p className={styles["empty"]}>No strokes yet. Whoever paints first leads.</p>;
  }
  const most = Number(rows[0]?.painted ?? 1n);
  return (
    <ol ref={list} className={styles["list"]} data-testid="leaders">
      {rows.map((painter, index) => (
        <Leader
          key={painter.identity}
          painter={painter}
          rank={index + 1}
          share={Number(painter.painted) / most}
          isMe={painter.identity === me?.identity}
        />
      ))}
    </ol>
  );
}

interface LeaderProps {
  painter: Painter;
  rank: number;
  /** Part of what the first has painted. */
  share: number;
  isMe: boolean;
}

function Leader({ painter, rank, share, isMe }: LeaderProps) {
  const { identity, name, color, painted, online } = painter;
  return (
    <li className={styles["leader"]} data-key={identity} data-me={isMe}>
      <span className={styles["rank"]}>{rank}</span>
      <span className={styles["face"]} data-online={online}>
        <Avatar name={name} color={color} size="small" />
      </span>
      <span className={styles["name"]}>
        {name}
        {isMe && <small>you</small>}
        <span className="visually-hidden">{online ? ", online" : ""}</span>
      </span>
      <span className={styles["painted"]}>{count(painted)}</span>
      <span
        className={styles["share"]}
        style={{ transform: `scaleX(${share})`, background: swatch(color).hex }}
      />
    </li>
  );
}

function Waiting() {
  return (
    <div className={styles["waiting"]} aria-busy="true">
      <span className="skeleton" />
      <span className="skeleton" />
      <span className="skeleton" />
    </div>
  );
}
