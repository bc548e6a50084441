import { describe, expect, it } from "vitest";
import { line } from "./line";

const text = (cells: { x: number; y: number }[]): string =>
  cells.map(({ x, y }) => `${x},${y}`).join(" ");

describe("line", () => {
  it.each([
    ["a point", [3, 4, 3, 4], "3,4"],
    ["to the right", [0, 0, 3, 0], "0,0 1,0 2,0 3,0"],
    ["upwards", [1, 2, 1, 0], "1,2 1,1 1,0"],
    ["diagonal", [0, 0, 2, 2], "0,0 1,1 2,2"],
    ["steep", [0, 0, 1, 3], "0,0 0,1 1,2 1,3"],
  ])("%s", (_, [x1, y1, x2, y2], cells) => {
    expect(text(line({ x: x1!, y: y1! }, { x: x2!, y: y2! }))).toBe(cells);
  });

  it("has no gap and no cell twice, in all directions", () => {
    for (let x = -9; x <= 9; x++) {
      for (let y = -9; y <= 9; y++) {
        const cells = line({ x: 0, y: 0 }, { x, y });
        expect(cells).toHaveLength(Math.max(Math.abs(x), Math.abs(y)) + 1);
        expect(cells.at(-1)).toEqual({ x, y });
        for (const [index, cell] of cells.slice(1).entries()) {
          const before = cells[index]!;
          expect(Math.max(Math.abs(cell.x - before.x), Math.abs(cell.y - before.y))).toBe(1);
        }
      }
    }
  });
});
