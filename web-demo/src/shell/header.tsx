/** Name of the page, who is here, who one is, light or dark. */

import { Online } from "../people/online";
import styles from "./header.module.css";
import { Icon, type IconName } from "./icons";
import { NameEditor } from "./name-editor";
import type { ThemeChoice, ThemeState } from "./theme";

const NEXT: Record<ThemeChoice, ThemeChoice> = { system: "light", light: "dark", dark: "system" };
const ICONS: Record<ThemeChoice, IconName> = { system: "system", light: "sun", dark: "moon" };

export function Header({ theme }: { theme: ThemeState }) {
  const { choice, choose } = theme;
  const label = `Theme: ${choice}. Switch to ${NEXT[choice]}`;
  return (
    <header className={styles["header"]}>
      <h1 className={styles["brand"]}>
        <img src="/favicon.svg" alt="" width="30" height="30" />
        Syncline
        <span>Paint together, live</span>
      </h1>
      <Online />
      <NameEditor />
      <button
        type="button"
        className="icon-button"
        data-testid="theme"
        aria-label={label}
        title={label}
        onClick={() => choose(NEXT[choice])}
      >
        <Icon name={ICONS[choice]} />
      </button>
    </header>
  );
}
