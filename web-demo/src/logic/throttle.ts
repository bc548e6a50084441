/**
 * Runs at most once per interval and never two at a time, with the latest value. The last value is not
 * lost: it runs when the interval is over and the run before has settled.
 */
export class Throttle<T> {
  private readonly intervalMs: number;
  private readonly run: (value: T) => Promise<void>;
  private pending: { value: T } | null = null;
  private isBusy = false;

  constructor(intervalMs: number, run: (value: T) => Promise<void>) {
    this.intervalMs = intervalMs;
    this.run = run;
  }

  push(value: T): void {
    this.pending = { value };
    if (!this.isBusy) void this.fire();
  }

  private async fire(): Promise<void> {
    const { pending } = this;
    if (!pending) return;
    this.pending = null;
    this.isBusy = true;
    const interval = new Promise((resolve) => setTimeout(resolve, this.intervalMs));
    await Promise.allSettled([this.run(pending.value), interval]);
    this.isBusy = false;
    void this.fire();
  }
}
