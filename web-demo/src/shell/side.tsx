/** Beside the board: painters and chat. On a phone they and the connection take turns. */

import { useId, useState, type ReactNode } from "react";
import { Chat } from "../chat/chat";
import { Leaders } from "../people/leaders";
import { StatusPanel } from "../status/status";
import { Icon, type IconName } from "./icons";
import styles from "./side.module.css";

interface Panel {
  readonly key: string;
  readonly title: string;
  readonly icon: IconName;
  readonly content: ReactNode;
}

const PAINTERS: Panel = {
  key: "painters",
  title: "Painters",
  icon: "trophy",
  content: <Leaders />,
};
const CHAT: Panel = { key: "chat", title: "Chat", icon: "chat", content: <Chat /> };
const CONNECTION: Panel = {
  key: "connection",
  title: "Connection",
  icon: "pulse",
  content: <StatusPanel />,
};

export function Side({ isNarrow }: { isNarrow: boolean }) {
  if (isNarrow) return <Tabs panels={[CHAT, PAINTERS, CONNECTION]} />;
  return (
    <aside className={styles["side"]}>
      {[PAINTERS, CHAT].map(({ key, title, content }) => (
        <section key={key} className={`card ${styles["panel"]}`} data-panel={key}>
          <h2 className={styles["title"]}>{title}</h2>
          {content}
        </section>
      ))}
    </aside>
  );
}

function Tabs({ panels }: { panels: readonly Panel[] }) {
  const [shown, setShown] = useState(panels[0]?.key);
  const id = useId();
  const step = (by: number): void => {
    const index = panels.findIndex(({ key }) => key === shown);
    const next = panels[(index + by + panels.length) % panels.length];
    if (!next) return;
    setShown(next.key);
    document.querySelector<HTMLElement>(`[id="${id}-${next.key}"]`)?.focus();
  };
  return (
    <aside className={`card ${styles["tabs"]}`}>
      <div
        role="tablist"
        className={styles["tablist"]}
        onKeyDown={({ key }) => {
          if (key === "ArrowRight") step(1);
          if (key === "ArrowLeft") step(-1);
        }}
      >
        {panels.map(({ key, title, icon }) => (
          <button
            key={key}
            type="button"
            role="tab"
            id={`${id}-${key}`}
            aria-selected={key === shown}
            aria-controls={`${id}-${key}-panel`}
            tabIndex={key === shown ? 0 : -1}
            onClick={() => setShown(key)}
          >
            <Icon name={icon} size={18} /> {title}
          </button>
        ))}
      </div>
      {panels.map(({ key, content }) => (
        <div
          key={key}
          role="tabpanel"
          id={`${id}-${key}-panel`}
          aria-labelledby={`${id}-${key}`}
          className={styles["tabpanel"]}
          data-panel={key}
          hidden={key !== shown}
        >
          {content}
        </div>
      ))}
    </aside>
  );
}
