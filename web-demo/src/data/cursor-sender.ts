/** Tells the others where this window points at: at most 20 times a second, the latest place wins. */

import { HEIGHT, WIDTH } from "../logic/board/board";
import { Throttle } from "../logic/throttle";
import type { Point } from "../logic/board/view";

const INTERVAL_MS = 50;

export interface CursorCalls {
  move_cursor(at: { x: number; y: number }): Promise<unknown>;
  hide_cursor(): Promise<unknown>;
}

export class CursorSender {
  private readonly calls: CursorCalls;
  private readonly throttle: Throttle<Point | null>;

  constructor(calls: CursorCalls) {
    this.calls = calls;
    this.throttle = new Throttle(INTERVAL_MS, (at) => this.send(at));
  }

  /** Points beside the board are moved to its edge, where the module wants them. */
  move({ x, y }: Point): void {
    this.throttle.push({ x: clamp(x, WIDTH), y: clamp(y, HEIGHT) });
  }

  hide(): void {
    this.throttle.push(null);
  }

  private async send(at: Point | null): Promise<void> {
    try {
      await (at ? this.calls.move_cursor(at) : this.calls.hide_cursor());
    } catch {
      // A cursor is not worth a message; the banner tells of a lost connection.
    }
  }
}

function clamp(value: number, max: number): number {
  return Math.min(Math.max(value, 0), max);
}
