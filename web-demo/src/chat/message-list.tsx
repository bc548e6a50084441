/** Messages, the newest at the bottom, which stays in sight unless one reads further up. */

import { toDate } from "@syncline/client";
import { memo, useLayoutEffect, useRef, useState, type RefObject } from "react";
import type { Message } from "../board.generated";
import { usePeople } from "../data/people";
import { groupMessages, type MessageGroup } from "../logic/message-groups";
import { timeOf } from "../logic/format";
import { swatch } from "../logic/board/palette";
import { Icon } from "../shell/icons";
import styles from "./chat.module.css";

/** So near to the end counts as the end, in pixels. */
const NEAR = 40;

interface MessageListProps {
  messages: readonly Message[];
  isReady: boolean;
}

export function MessageList({ messages, isReady }: MessageListProps) {
  const list = useRef<HTMLDivElement>(null);
  const [isAtEnd, setIsAtEnd] = useState(true);
  const { me, find } = usePeople();
  const newest = messages.at(-1);
  const shown = useRef<bigint>(undefined);
  useLayoutEffect(() => {
    // Only a new message moves the list.
    if (newest?.id === shown.current) return;
    shown.current = newest?.id;
    if (isAtEnd || newest?.author === me?.identity) scrollToEnd(list.current);
  }, [newest, isAtEnd, me]);
  useStayAtEnd(list, isAtEnd);
  return (
    <div className={styles["room"]}>
      <div
        ref={list}
        className={styles["list"]}
        role="log"
        aria-label="Messages"
        aria-busy={!isReady}
        tabIndex={0}
        data-testid="messages"
        onScroll={({ currentTarget: { scrollTop, scrollHeight, clientHeight } }) =>
          setIsAtEnd(scrollHeight - scrollTop - clientHeight < NEAR)
        }
      >
        {isReady && messages.length === 0 && (
          <p className={styles["empty"]}>Nobody has said anything yet. Say hello.</p>
        )}
        {groupMessages(messages).map((group) => (
          <Group
            key={String(group.messages[0].id)}
            group={group}
            color={find(group.author)?.color}
            isMine={group.author === me?.identity}
          />
        ))}
      </div>
      {!isAtEnd && (
        <button type="button" className={styles["to-end"]} onClick={() => scrollToEnd(list.current)}>
          <Icon name="down" size={16} /> Newest
        </button>
      )}
    </div>
  );
}

function scrollToEnd(list: HTMLElement | null): void {
  if (list) list.scrollTop = list.scrollHeight;
}

/** A list that becomes shorter, as when a keyboard opens, still shows its end. */
function useStayAtEnd(list: RefObject<HTMLElement | null>, isAtEnd: boolean): void {
  useLayoutEffect(() => {
    const element = list.current;
    if (!element || !isAtEnd) return;
    const observer = new ResizeObserver(() => scrollToEnd(element));
    observer.observe(element);
    return () => observer.disconnect();
  }, [list, isAtEnd]);
}

interface GroupProps {
  group: MessageGroup;
  color: number | undefined;
  isMine: boolean;
}

const Group = memo(function Group({ group, color, isMine }: GroupProps) {
  const { name, messages } = group;
  const at = toDate(messages[0].sent_at);
  return (
    <article className={styles["group"]} data-mine={isMine}>
      <header>
        <span
          className={styles["dot"]}
          style={color === undefined ? undefined : { background: swatch(color).hex }}
        />
        <strong>{isMine ? "You" : name}</strong>
        <time dateTime={at.toISOString()}>{timeOf(at)}</time>
      </header>
      {messages.map(({ id, text }) => (
        <p key={String(id)}>{text}</p>
      ))}
    </article>
  );
});
