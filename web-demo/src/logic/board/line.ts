/** Strokes: a pointer reports points, a stroke is all the cells between them. */

import type { Cell } from "./board.js";

/** Cells of the straight line between two cells, both included (Bresenham). */
export function line(from: Cell, to: Cell): Cell[] {
  const width = Math.abs(to.x - from.x);
  const height = Math.abs(to.y - from.y);
  const stepX = Math.sign(to.x - from.x);
  const stepY = Math.sign(to.y - from.y);
  const cells: Cell[] = [];
  let { x, y } = from;
  let error = width - height;
  for (;;) {
    cells.push({ x, y });
    if (x === to.x && y === to.y) return cells;
    const double = 2 * error;
    if (double > -height) {
      error -= height;
      x += stepX;
    }
    if (double < width) {
      error += width;
      y += stepY;
    }
  }
}
