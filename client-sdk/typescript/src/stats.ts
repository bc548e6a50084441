/** Figures of a connection, for people who look at it. */

export interface ClientStats {
  /** Last time from a Ping to its Pong, in milliseconds; null before the first. */
  readonly roundTripMs: number | null;
  /** Last time from a call to its reply, with execution and the server's disk, in milliseconds. */
  readonly callMs: number | null;
  /** Size of the last Commit. */
  readonly lastDiffBytes: number;
  /** Of all messages since the client was made. */
  readonly bytesReceived: number;
  /** Commits since the client was made. */
  readonly commits: number;
}

/** Time between two notifications, in milliseconds. */
const NOTIFY_MS = 100;

export class StatsCounter {
  private current: ClientStats = {
    roundTripMs: null,
    callMs: null,
    lastDiffBytes: 0,
    bytesReceived: 0,
    commits: 0,
  };
  private isNotifying = false;
  private readonly notify: (stats: ClientStats) => void;

  constructor(notify: (stats: ClientStats) => void) {
    this.notify = notify;
  }

  get stats(): ClientStats {
    return this.current;
  }

  received(bytes: number, isCommit: boolean): void {
    const { bytesReceived, commits, lastDiffBytes } = this.current;
    this.change({
      bytesReceived: bytesReceived + bytes,
      commits: commits + (isCommit ? 1 : 0),
      lastDiffBytes: isCommit ? bytes : lastDiffBytes,
    });
  }

  answered(kind: "ping" | "call", ms: number): void {
    this.change(kind === "ping" ? { roundTripMs: ms } : { callMs: ms });
  }

  private change(change: Partial<ClientStats>): void {
    this.current = { ...this.current, ...change };
    if (this.isNotifying) return;
    this.isNotifying = true;
    setTimeout(() => {
      this.isNotifying = false;
      this.notify(this.current);
    }, NOTIFY_MS);
  }
}
