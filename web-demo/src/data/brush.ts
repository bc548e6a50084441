/**
 * Sends what the user paints: everything of a frame in one call, and when the server is slow everything
 * since the last call. Cells show at once and are the server's again when it has answered.
 */

import type { Dot } from "../board.generated";
import { DOTS_MAX, positionOf, WIDTH, type Cell } from "../logic/board/board";
import type { Pixels } from "./pixels";

/** Calls under way at a time. */
const CALLS_MAX = 4;

export interface BrushOptions {
  readonly pixels: Pixels;
  /** Calls `paint_many`. */
  send(dots: Dot[]): Promise<void>;
  onError(error: unknown): void;
  /** Calls back once, before the next frame. */
  schedule(run: () => void): void;
}

export class Brush {
  private readonly options: BrushOptions;
  /** Colors by position, in the order of painting. */
  private readonly waiting = new Map<number, number>();
  private calls = 0;
  private isScheduled = false;

  constructor(options: BrushOptions) {
    this.options = options;
  }

  /** Paints cells; those that have the color already are left out. */
  paint(cells: readonly Cell[], color: number): void {
    const { pixels } = this.options;
    const positions = cells.map(positionOf).filter((at) => pixels.colorAt(at) !== color);
    if (positions.length === 0) return;
    pixels.preview(positions.map((at) => [at, color] as const));
    for (const position of positions) this.waiting.set(position, color);
    this.schedule();
  }

  private schedule(): void {
    if (this.isScheduled || this.waiting.size === 0) return;
    this.isScheduled = true;
    this.options.schedule(() => {
      this.isScheduled = false;
      while (this.calls < CALLS_MAX && this.waiting.size > 0) void this.send();
    });
  }

  private async send(): Promise<void> {
    const batch = [...this.waiting].slice(0, DOTS_MAX);
    for (const [position] of batch) this.waiting.delete(position);
    const { pixels, send, onError } = this.options;
    // From now on these cells are one stroke, so that they settle with this call and no other.
    const stroke = pixels.preview(batch);
    this.calls++;
    try {
      await send(batch.map(([position, color]) => dotAt(position, color)));
    } catch (error) {
      onError(error);
    } finally {
      this.calls--;
      pixels.settle(stroke);
      this.schedule();
    }
  }
}

function dotAt(position: number, color: number): Dot {
  return { x: position % WIDTH, y: Math.floor(position / WIDTH), color };
}
