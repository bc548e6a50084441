/** The field to say something in. */

import { useConnectionState, useTyped } from "@syncline/react";
import { useState, type FormEvent } from "react";
import { typed } from "../board.generated";
import { TEXT_CHARS_MAX } from "../logic/board/board";
import { Icon } from "../shell/icons";
import { useReport } from "../notices/toasts";
import styles from "./chat.module.css";

/** The rest is shown when it becomes short. */
const REST_SHOWN_MAX = 60;

export function Composer() {
  const { call } = useTyped(typed);
  const report = useReport();
  const isOnline = useConnectionState() === "online";
  const [text, setText] = useState("");
  const rest = TEXT_CHARS_MAX - [...text.trim()].length;
  const canSend = isOnline && text.trim() !== "" && rest >= 0;
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    if (!canSend) return;
    setText("");
    call.say({ text }).catch((error: unknown) => {
      report(error);
      // Not lost, unless something else has been typed.
      setText((now) => now || text);
    });
  };
  return (
    <form className={styles["composer"]} onSubmit={onSubmit}>
      <input
        className="field"
        value={text}
        placeholder={isOnline ? "Say something" : "Waiting for the connection"}
        aria-label="Message"
        autoComplete="off"
        enterKeyHint="send"
        onChange={(event) => setText(event.target.value)}
      />
      {rest <= REST_SHOWN_MAX && (
        <span className={styles["rest"]} data-over={rest < 0} aria-live="polite">
          {rest}
        </span>
      )}
      <button type="submit" className={styles["send"]} aria-label="Send" disabled={!canSend}>
        <Icon name="send" />
      </button>
    </form>
  );
}
