/** Who one is, and a field to change the name. */

import { useConnectionState, useTyped } from "@syncline/react";
import { useRef, useState, type FormEvent } from "react";
import { typed, type Painter } from "../board.generated";
import { usePeople } from "../data/people";
import { NAME_CHARS_MAX } from "../logic/board/board";
import { count } from "../logic/format";
import { Avatar } from "../people/avatar";
import styles from "./name-editor.module.css";
import { useReport } from "../notices/toasts";

export function NameEditor() {
  const { me } = usePeople();
  const popover = useRef<HTMLDivElement>(null);
  const [isOpen, setIsOpen] = useState(false);
  if (!me) return <span className={`skeleton ${styles["waiting"]}`} />;
  return (
    <>
      <button
        type="button"
        className={styles["open"]}
        popoverTarget="name-editor"
        aria-label={`You are ${me.name}; change your name`}
      >
        <Avatar name={me.name} color={me.color} />
        <span data-testid="my-name">{me.name}</span>
      </button>
      <div
        ref={popover}
        id="name-editor"
        popover="auto"
        className="popover"
        onToggle={(event) => setIsOpen(event.newState === "open")}
      >
        {isOpen && <NameForm me={me} onDone={() => popover.current?.hidePopover()} />}
      </div>
    </>
  );
}

function NameForm({ me, onDone }: { me: Painter; onDone(): void }) {
  const { call } = useTyped(typed);
  const report = useReport();
  const isOnline = useConnectionState() === "online";
  const [name, setName] = useState(me.name);
  const onSubmit = (event: FormEvent): void => {
    event.preventDefault();
    call.set_name({ name }).then(onDone, report);
  };
  return (
    <form className={styles["form"]} onSubmit={onSubmit}>
      <h2>Your name</h2>
      <p>The others see it at your cursor and in the chat. You have painted {count(me.painted)}.</p>
      <input
        className="field"
        value={name}
        aria-label="Your name"
        autoComplete="nickname"
        maxLength={NAME_CHARS_MAX * 2}
        // The popover was opened to type in it.
        ref={(field) => field?.focus()}
        onFocus={(event) => event.target.select()}
        onChange={(event) => setName(event.target.value)}
      />
      <button type="submit" className="button" disabled={!isOnline || name.trim() === ""}>
        Save
      </button>
    </form>
  );
}
