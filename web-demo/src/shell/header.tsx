/** Name of the page, who is here, who one is, light or dark. */

import { Online } from "../people/online";
import styles from "./header.module.css";
import { Icon } from "./icons";
import { NameEditor } from "./name-editor";
import type { ThemeState } from "./theme";

export function Header({ theme: { theme, toggle } }: { theme: ThemeState }) {
  const label = theme === "light" ? "Switch to dark" : "Switch to light";
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
        onClick={toggle}
      >
        <Icon name={theme === "light" ? "moon" : "sun"} />
      </button>
    </header>
  );
}
