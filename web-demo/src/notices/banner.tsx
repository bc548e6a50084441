/** Tells, over the board, that the connection is away, and for a moment that it is back. */

import { useClient } from "@syncline/react";
import { useEffect, useState } from "react";
import { settings } from "../client";
import { reasonOf } from "../data/reason";
import styles from "./banner.module.css";

/** Short gaps are not worth a word, in milliseconds. */
const QUIET_MS = 300;
const BACK_MS = 2000;

type Shown = "nothing" | "away" | "unreachable" | "back";

export function Banner() {
  const shown = useShown();
  return (
    <div className={styles["banner"]} role="status" data-shown={shown} data-testid="banner">
      {shown === "away" && (
        <p>
          <span className={styles["spinner"]} /> Reconnecting, your view stays
        </p>
      )}
      {shown === "unreachable" && <Unreachable />}
      {shown === "back" && (
        <p>
          <span className={styles["dot"]} /> Back online
        </p>
      )}
    </div>
  );
}

function Unreachable() {
  const { error } = useClient();
  const [reason, setReason] = useState<string | null>(null);
  useEffect(() => {
    void reasonOf(settings).then(setReason);
  }, []);
  return (
    <p>
      <span className={styles["spinner"]} />
      <span>
        {reason === null ? "Cannot reach the server yet" : "Cannot open the board yet"}, trying again
        <small>{reason ?? error?.message}</small>
      </span>
    </p>
  );
}

function useShown(): Shown {
  const client = useClient();
  const [shown, setShown] = useState<Shown>("nothing");
  useEffect(() => {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let wasOnline = client.state === "online";
    let isAway = false;
    const show = (): void => {
      clearTimeout(timer);
      if (client.state === "online") {
        setShown(isAway ? "back" : "nothing");
        timer = setTimeout(() => setShown("nothing"), BACK_MS);
        wasOnline = true;
        isAway = false;
      } else if (client.state === "offline") {
        timer = setTimeout(() => {
          isAway = true;
          setShown(wasOnline ? "away" : "unreachable");
        }, QUIET_MS);
      }
    };
    const end = client.on("state", show);
    return () => {
      clearTimeout(timer);
      end();
    };
  }, [client]);
  return shown;
}
