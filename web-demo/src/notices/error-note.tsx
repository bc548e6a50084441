/** In place of what a live query would show, when the server refuses it. */

import type { SynclineError } from "@syncline/client";
import { noticeOf } from "../logic/notice";
import styles from "./error-note.module.css";

export function ErrorNote({ error }: { error: SynclineError }) {
  const { title, text, hint } = noticeOf(error);
  return (
    <div className={styles["note"]} role="alert">
      <strong>{title}</strong>
      <p>{text}</p>
      {hint !== null && <p>{hint}</p>}
      <code>{error.code}</code>
    </div>
  );
}
