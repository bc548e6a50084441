/**
 * The board in memory: what the server has committed, and over it what this page has painted and the
 * server has not yet confirmed. Reads give what the user sees.
 */

import { HEIGHT, WIDTH } from "../logic/board/board";
import { PAPER } from "../logic/board/palette";
import type { Pixel } from "../board.generated";

/** Something that happened to cells, in one step. */
export interface PixelsChange {
  /** Cells that others painted after the first answer. */
  readonly remote: readonly number[];
}

type Listener = (change: PixelsChange) => void;

/** Names what was painted together, to take it away together. */
export type Stroke = number;

const NOTHING: PixelsChange = { remote: [] };

export class Pixels {
  /** Cells that somebody has painted in another color than paper's. */
  painted = 0;
  private readonly colors = new Uint8Array(WIDTH * HEIGHT);
  private readonly painters = new Map<number, string>();
  private readonly unconfirmed = new Map<number, { color: number; stroke: Stroke }>();
  private readonly listeners = new Set<Listener>();
  private strokes = 0;

  colorAt(position: number): number {
    return this.unconfirmed.get(position)?.color ?? this.colors[position] ?? PAPER;
  }

  /** Identity of who painted a cell last, as far as the server has said. */
  painterAt(position: number): string | undefined {
    return this.painters.get(position);
  }

  on(listener: Listener): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  /** Takes over what the server says. `remote` are the cells to point out as new. */
  commit(now: readonly Pixel[], gone: readonly Pixel[], remote: readonly number[]): void {
    for (const { position } of gone) {
      this.setColor(position, PAPER);
      this.painters.delete(position);
    }
    for (const { position, color, painter } of now) {
      this.setColor(position, color);
      this.painters.set(position, painter);
    }
    this.emit({ remote });
  }

  /** Shows cells painted before the server has them. */
  preview(dots: Iterable<readonly [position: number, color: number]>): Stroke {
    const stroke = ++this.strokes;
    for (const [position, color] of dots) this.unconfirmed.set(position, { color, stroke });
    this.emit(NOTHING);
    return stroke;
  }

  /** The server has answered: what it committed is what there is. Later strokes stay. */
  settle(stroke: Stroke): void {
    for (const [position, dot] of this.unconfirmed) {
      if (dot.stroke === stroke) this.unconfirmed.delete(position);
    }
    this.emit(NOTHING);
  }

  private setColor(position: number, color: number): void {
    const old = this.colors[position] ?? PAPER;
    this.painted += Number(color !== PAPER) - Number(old !== PAPER);
    this.colors[position] = color;
  }

  private emit(change: PixelsChange): void {
    for (const listener of this.listeners) listener(change);
  }
}
