/** What is said, and a field to say something. */

import { useMessages } from "../data/queries";
import { ErrorNote } from "../notices/error-note";
import styles from "./chat.module.css";
import { Composer } from "./composer";
import { MessageList } from "./message-list";

export function Chat() {
  const { rows, ready, error } = useMessages();
  return (
    <div className={styles["chat"]}>
      {error ? <ErrorNote error={error} /> : <MessageList messages={rows} isReady={ready} />}
      <Composer />
    </div>
  );
}
