import { describe, expect, it } from "vitest";
import type { Dot, Pixel } from "../board.generated";
import { DOTS_MAX, positionOf, WIDTH } from "../logic/board/board";
import { Brush } from "./brush";
import { Pixels } from "./pixels";

interface Call {
  readonly dots: Dot[];
  resolve(): void;
  reject(error: Error): void;
}

function setUp() {
  const pixels = new Pixels();
  const calls: Call[] = [];
  const errors: unknown[] = [];
  let frame: (() => void) | undefined;
  const brush = new Brush({
    pixels,
    send: (dots) =>
      new Promise((resolve, reject) => void calls.push({ dots, resolve, reject })),
    onError: (error) => errors.push(error),
    schedule: (run) => {
      frame = run;
    },
  });
  const nextFrame = (): void => {
    const run = frame;
    frame = undefined;
    run?.();
  };
  return { pixels, calls, errors, brush, nextFrame };
}

const settled = (): Promise<void> => new Promise((resolve) => setTimeout(resolve));
const pixel = (position: number, color: number, painter = "me"): Pixel => ({
  position, color, painter, x: position % WIDTH, y: Math.floor(position / WIDTH),
});

describe("brush", () => {
  it("shows at once and sends a frame as one call", () => {
    const { brush, pixels, calls, nextFrame } = setUp();
    brush.paint([{ x: 1, y: 0 }], 5);
    brush.paint([{ x: 2, y: 1 }, { x: 1, y: 0 }], 6);
    expect(pixels.colorAt(1)).toBe(6);
    expect(calls).toHaveLength(0);
    nextFrame();
    expect(calls.map(({ dots }) => dots)).toEqual([
      [{ x: 1, y: 0, color: 6 }, { x: 2, y: 1, color: 6 }],
    ]);
  });

  it("leaves out cells that have the color", () => {
    const { brush, pixels, calls, nextFrame } = setUp();
    pixels.commit([pixel(7, 3)], [], []);
    brush.paint([{ x: 7, y: 0 }], 3);
    brush.paint([{ x: 8, y: 0 }], 0);
    nextFrame();
    expect(calls).toHaveLength(0);
  });

  it("keeps to the module's limit, and to four calls at a time", async () => {
    const { brush, calls, nextFrame } = setUp();
    const cells = Array.from({ length: DOTS_MAX * 5 + 1 }, (_, at) => ({
      x: at % WIDTH, y: Math.floor(at / WIDTH),
    }));
    brush.paint(cells, 2);
    nextFrame();
    expect(calls.map(({ dots }) => dots.length)).toEqual([256, 256, 256, 256]);
    calls[0]!.resolve();
    await settled();
    nextFrame();
    expect(calls).toHaveLength(5);
    for (const call of calls) call.resolve();
    await settled();
    nextFrame();
    expect(calls.at(-1)!.dots).toHaveLength(1);
  });

  it("gives a cell back to the server with the answer, but not one painted since", async () => {
    const { brush, pixels, calls, nextFrame } = setUp();
    const cell = { x: 0, y: 0 };
    brush.paint([cell, { x: 1, y: 0 }], 5);
    nextFrame();
    brush.paint([cell], 6);
    pixels.commit([pixel(0, 5), pixel(1, 9, "other")], [], [1]);
    expect(pixels.colorAt(1)).toBe(5);
    calls[0]!.resolve();
    await settled();
    expect(pixels.colorAt(positionOf(cell))).toBe(6);
    expect(pixels.colorAt(1)).toBe(9);
  });

  it("takes back what was refused, and says so", async () => {
    const { brush, pixels, calls, errors, nextFrame } = setUp();
    brush.paint([{ x: 3, y: 0 }], 5);
    nextFrame();
    calls[0]!.reject(new Error("refused"));
    await settled();
    expect(pixels.colorAt(3)).toBe(0);
    expect(errors).toEqual([new Error("refused")]);
  });
});

describe("pixels", () => {
  it("counts what is painted", () => {
    const { pixels } = setUp();
    pixels.commit([pixel(1, 2), pixel(2, 2), pixel(3, 0)], [], []);
    expect(pixels.painted).toBe(2);
    pixels.commit([pixel(1, 3), pixel(2, 0)], [], []);
    expect(pixels.painted).toBe(1);
    pixels.commit([], [pixel(1, 3)], []);
    expect(pixels.painted).toBe(0);
    expect(pixels.painterAt(1)).toBeUndefined();
    expect(pixels.painterAt(2)).toBe("me");
  });
});
