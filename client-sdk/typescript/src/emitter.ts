/** Listeners by event name. A listener that throws is reported and does not keep others from hearing. */

type Events = Record<string, (...args: never[]) => void>;

export class Emitter<E extends Events> {
  private readonly listeners = new Map<keyof E, Set<(...args: never[]) => void>>();

  /** Adds a listener; the returned function removes it. */
  on<K extends keyof E>(event: K, listener: E[K]): () => void {
    const own: (...args: never[]) => void = (...args) => listener(...args);
    const set = this.listeners.get(event) ?? new Set();
    this.listeners.set(event, set.add(own));
    return () => void set.delete(own);
  }

  emit<K extends keyof E>(event: K, ...args: Parameters<E[K]>): void {
    for (const listener of [...(this.listeners.get(event) ?? [])]) {
      try {
        listener(...args);
      } catch (error) {
        report(error);
      }
    }
  }
}

/** Hands an error of the application's code to the platform, as an uncaught one of a listener is. */
function report(error: unknown): void {
  if (typeof reportError === "function") reportError(error);
  else console.error(error);
}
