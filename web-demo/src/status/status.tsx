/** How the connection does: state, round trip, size of the differences that arrive. */

import { useConnectionState, useStats } from "@syncline/react";
import type { ConnectionState } from "@syncline/client";
import type { ReactNode } from "react";
import { bytes, count, milliseconds } from "../logic/format";
import { Sparkline } from "./sparkline";
import styles from "./status.module.css";
import { useCommitRate } from "./use-rate";

const STATES: Record<ConnectionState, string> = {
  connecting: "Connecting",
  online: "Live",
  offline: "Reconnecting",
  closed: "Closed",
};

export function ConnectionPill() {
  const state = useConnectionState();
  return (
    <span className={styles["pill"]} data-state={state} data-testid="state" role="status">
      {STATES[state]}
    </span>
  );
}

export function StatusPanel() {
  const { roundTripMs, callMs, lastDiffBytes, bytesReceived, commits } = useStats();
  const rates = useCommitRate();
  const rate = rates.at(-1) ?? 0;
  return (
    <div className={styles["panel"]}>
      <ConnectionPill />
      <dl className={styles["figures"]}>
        <Figure name="Round trip" about="From a ping to its answer">
          {milliseconds(roundTripMs)}
        </Figure>
        <Figure name="Call to disk" about="Last call: run, synced to disk, answered">
          {milliseconds(callMs)}
        </Figure>
        <Figure name="Last diff" about="Size of the last change that came in">
          {bytes(lastDiffBytes)}
        </Figure>
        <Figure name="Received" about="All bytes of this page since it was opened">
          {bytes(bytesReceived)}
        </Figure>
        <Figure name="Commits" about="Transactions that changed what this page shows">
          {count(commits)}
        </Figure>
      </dl>
      <span className={styles["rate"]}>
        <Sparkline values={rates} label={`${rate} commits in the last second`} />
        <small>{rate}/s</small>
      </span>
    </div>
  );
}

function Figure({ name, about, children }: { name: string; about: string; children: ReactNode }) {
  return (
    <div title={about}>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
