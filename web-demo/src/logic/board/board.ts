/** What the module `board` says about the board; the page cannot ask it for constants. */

export const WIDTH = 96;
export const HEIGHT = 64;
/** Pixels that one `paint_many` takes. */
export const DOTS_MAX = 256;
export const NAME_CHARS_MAX = 24;
export const TEXT_CHARS_MAX = 280;

export interface Cell {
  readonly x: number;
  readonly y: number;
}

export function positionOf({ x, y }: Cell): number {
  return y * WIDTH + x;
}

/** The cell that a point on the board lies in, or null beside the board. */
export function cellAt({ x, y }: Cell): Cell | null {
  const cell = { x: Math.floor(x), y: Math.floor(y) };
  return isOnBoard(cell) ? cell : null;
}

export function isOnBoard({ x, y }: Cell): boolean {
  return x >= 0 && y >= 0 && x < WIDTH && y < HEIGHT;
}

export function clampToBoard({ x, y }: Cell): Cell {
  return {
    x: Math.min(Math.max(x, 0), WIDTH - 1),
    y: Math.min(Math.max(y, 0), HEIGHT - 1),
  };
}
