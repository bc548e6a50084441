/** Who is here: a stack of faces that opens a list. */

import { usePeople } from "../data/people";
import { counted } from "../logic/format";
import { Icon } from "../shell/icons";
import { Avatar } from "./avatar";
import styles from "./online.module.css";

const FACES_MAX = 4;

export function Online() {
  const { online, me } = usePeople();
  const { rows, ready } = online;
  if (!ready) return <span className={`skeleton ${styles["waiting"]}`} />;
  return (
    <>
      <button
        type="button"
        className={styles["stack"]}
        popoverTarget="people"
        aria-label={`${counted(rows.length, "painter")} here; show who`}
      >
        <span className={styles["faces"]}>
          {rows.slice(0, FACES_MAX).map(({ identity, name, color }) => (
            <Avatar key={identity} name={name} color={color} />
          ))}
        </span>
        <span className={styles["count"]} data-testid="online-count">
          {rows.length}
          <span> online</span>
        </span>
      </button>
      <div id="people" popover="auto" className={`popover ${styles["list"]}`}>
        <h2>Here now</h2>
        <ul data-testid="online">
          {rows.map(({ identity, name, color, connections }) => (
            <li key={identity}>
              <Avatar name={name} color={color} />
              <span className={styles["name"]}>{name}</span>
              <small>
                {identity === me?.identity ? "you" : ""}
                {connections > 1 ? ` ${connections} windows` : ""}
              </small>
            </li>
          ))}
        </ul>
        {rows.length <= 1 && <p>Nobody else yet. A second window shows both at once.</p>}
        <a href={location.href} target="_blank" rel="noreferrer" className={styles["open"]}>
          <Icon name="window" size={18} /> Open a second window
        </a>
      </div>
    </>
  );
}
