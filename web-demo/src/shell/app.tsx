/** The page: board, people, chat, connection. */

import { useSyncExternalStore } from "react";
import { BoardPanel } from "../board/board";
import { PeopleProvider } from "../data/people";
import { StatusPanel } from "../status/status";
import styles from "./app.module.css";
import { Banner } from "../notices/banner";
import { Header } from "./header";
import { Side } from "./side";
import { useTheme } from "./theme";
import { ToastProvider } from "../notices/toasts";

/** One column, or a phone on its side. The style sheets have the same numbers. */
const NARROW = matchMedia("(max-width: 860px), (max-height: 520px)");

export function App() {
  const theme = useTheme();
  const isNarrow = useSyncExternalStore(subscribeToWidth, () => NARROW.matches);
  return (
    <ToastProvider>
      <PeopleProvider>
        <div className={styles["app"]}>
          <Header theme={theme} />
          <main className={styles["main"]}>
            <BoardPanel theme={theme.theme} />
            <Side isNarrow={isNarrow} />
            {!isNarrow && (
              <section className={`card ${styles["status"]}`} aria-label="Connection">
                <StatusPanel />
              </section>
            )}
          </main>
          <Banner />
        </div>
      </PeopleProvider>
    </ToastProvider>
  );
}

function subscribeToWidth(notify: () => void): () => void {
  NARROW.addEventListener("change", notify);
  return () => NARROW.removeEventListener("change", notify);
}
