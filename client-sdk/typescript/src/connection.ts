/**
 * Keeps one WebSocket open: connects, notices when it is dead, and connects again after a wait that
 * doubles with every failure, up to a limit, with a random part so that many clients do not come at once.
 * It knows frames, not messages.
 */

import { ConnectionError } from "./errors.js";

/** The part of a WebSocket that is used: what browsers, Node >= 22 and the `ws` package have. */
export interface WebSocketLike {
  binaryType: string;
  readonly readyState: number;
  onopen: ((event: never) => void) | null;
  onmessage: ((event: never) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(data: string | ArrayBuffer | Uint8Array<ArrayBuffer>): void;
  close(code?: number, reason?: string): void;
}

export type WebSocketConstructor = new (url: string, protocols: string[]) => WebSocketLike;

/** Wait before the first attempt after a loss, in milliseconds. */
const RETRY_MS_MIN = 100;
/** Longest wait between attempts, in milliseconds. */
const RETRY_MS_MAX = 5_000;
/** Time from the start of an attempt until {@link Connection.confirm}, in milliseconds. */
const ATTEMPT_MS_MAX = 10_000;
/** Time between calls of `onTick`, in milliseconds. */
export const TICK_MS = 5_000;
/** A connection that was silent for so many ticks in a row is dead. */
const SILENT_TICKS_MAX = 3;

/** Time for an answer when the page wakes up, in milliseconds. */
const WAKE_MS = 2_000;

const OPEN = 1;

export interface ConnectionEvents {
  /** A socket is open: say Hello. */
  onOpen(): void;
  onFrame(frame: ArrayBuffer | string): void;
  /** The connection, or the attempt, is gone. A new attempt follows. */
  onLost(error: ConnectionError): void;
  /** Comes regularly while a connection is confirmed: ask the server for a sign of life. */
  onTick(): void;
}

type Timer = ReturnType<typeof setTimeout>;

export class Connection {
  private readonly url: string;
  private readonly protocol: string;
  private readonly constructorOf: WebSocketConstructor;
  private readonly events: ConnectionEvents;
  private socket: WebSocketLike | undefined;
  private timer: Timer | undefined;
  private isConfirmed = false;
  private isStopped = true;
  private failures = 0;
  private silentTicks = 0;
  private removeWakers: (() => void) | undefined;

  constructor(
    url: string,
    protocol: string,
    constructorOf: WebSocketConstructor,
    events: ConnectionEvents,
  ) {
    this.url = url;
    this.protocol = protocol;
    this.constructorOf = constructorOf;
    this.events = events;
  }

  start(): void {
    if (!this.isStopped) return;
    this.isStopped = false;
    this.failures = 0;
    this.removeWakers = onWake(() => this.wake());
    this.attempt();
  }

  stop(): void {
    this.isStopped = true;
    this.removeWakers?.();
    this.drop("closed by the application");
  }

  send(frame: string | Uint8Array<ArrayBuffer>): void {
    if (this.socket?.readyState === OPEN) this.socket.send(frame);
  }

  /** The server has answered Hello: the attempt succeeded. */
  confirm(): void {
    this.isConfirmed = true;
    this.failures = 0;
    this.silentTicks = 0;
    this.setTimer(TICK_MS, () => this.tick());
  }

  /** Gives this connection, or attempt, up; a new attempt follows after a wait. */
  restart(reason: string | ConnectionError): void {
    if (this.isStopped) return;
    const error =
      typeof reason === "string" ? new ConnectionError("CONNECTION_LOST", reason) : reason;
    this.drop(error.message);
    const wait = Math.min(RETRY_MS_MIN * 2 ** this.failures++, RETRY_MS_MAX);
    this.setTimer(wait * (0.5 + Math.random() / 2), () => this.attempt());
    this.events.onLost(error);
  }

  private attempt(): void {
    this.isConfirmed = false;
    this.setTimer(ATTEMPT_MS_MAX, () => this.restart("the server does not answer"));
    let socket: WebSocketLike;
    try {
      socket = new this.constructorOf(this.url, [this.protocol]);
    } catch (error) {
      return this.restart(`cannot connect to ${this.url}: ${String(error)}`);
    }
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    socket.onopen = () => {
      if (this.socket === socket) this.events.onOpen();
    };
    socket.onmessage = (event: { data: ArrayBuffer | string }) => {
      if (this.socket !== socket) return;
      this.silentTicks = 0;
      this.events.onFrame(event.data);
    };
    socket.onclose = (event: { code: number; reason: string }) => {
      if (this.socket !== socket) return;
      const about = event.reason || `cannot reach ${this.url} (code ${event.code})`;
      this.restart(this.isConfirmed ? event.reason || "the connection was lost" : about);
    };
    // A close event follows with what matters.
    socket.onerror = () => {};
  }

  /** Lets go of the socket; nothing of it is heard any more. */
  private drop(reason: string): void {
    clearTimeout(this.timer);
    const { socket } = this;
    this.socket = undefined;
    this.isConfirmed = false;
    if (!socket) return;
    try {
      socket.close(1000, reason.slice(0, 100));
    } catch {
      // A socket that never opened may refuse to be closed; it is forgotten either way.
    }
  }

  private tick(): void {
    if (++this.silentTicks > SILENT_TICKS_MAX) return this.restart("the server does not answer");
    this.setTimer(TICK_MS, () => this.tick());
    this.events.onTick();
  }

  /** The device is back, or the page is looked at again: do not wait, and do not trust the socket. */
  private wake(): void {
    if (this.isStopped) return;
    if (!this.isConfirmed) {
      if (!this.socket) this.setTimer(0, () => this.attempt());
      return;
    }
    // Unless something comes before, the next tick gives up.
    this.silentTicks = SILENT_TICKS_MAX;
    this.setTimer(WAKE_MS, () => this.tick());
    this.events.onTick();
  }

  private setTimer(ms: number, run: () => void): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(run, ms);
  }
}

/** Calls back when the platform says that a connection may work again. Returns how to stop it. */
function onWake(wake: () => void): () => void {
  if (typeof globalThis.addEventListener !== "function") return () => {};
  const onVisible = (): void => {
    if (document.visibilityState === "visible") wake();
  };
  globalThis.addEventListener("online", wake);
  globalThis.addEventListener("pageshow", wake);
  globalThis.document?.addEventListener("visibilitychange", onVisible);
  return () => {
    globalThis.removeEventListener("online", wake);
    globalThis.removeEventListener("pageshow", wake);
    globalThis.document?.removeEventListener("visibilitychange", onVisible);
  };
}
