import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Gestures } from "./gestures";

function setUp() {
  const log: string[] = [];
  const gestures = new Gestures({
    begin: ({ x, y }) => log.push(`begin ${x},${y}`),
    extend: ({ x, y }) => log.push(`extend ${x},${y}`),
    pan: (x, y) => log.push(`pan ${x},${y}`),
    zoom: (factor, { x, y }) => log.push(`zoom ${factor} at ${x},${y}`),
  });
  return { log, gestures };
}

describe("gestures", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("paint with a mouse at once", () => {
    const { log, gestures } = setUp();
    gestures.move(1, { x: 9, y: 9 });
    gestures.down(1, { x: 1, y: 1 }, "paint", false);
    gestures.move(1, { x: 2, y: 1 });
    gestures.up(1);
    gestures.move(1, { x: 3, y: 1 });
    expect(log).toEqual(["begin 1,1", "extend 2,1"]);
  });

  it("paint with a finger after a moment, and lose nothing", () => {
    const { log, gestures } = setUp();
    gestures.down(1, { x: 1, y: 1 }, "paint", true);
    gestures.move(1, { x: 2, y: 1 });
    expect(log).toEqual([]);
    vi.advanceTimersByTime(80);
    gestures.move(1, { x: 3, y: 1 });
    expect(log).toEqual(["begin 1,1", "extend 2,1", "extend 3,1"]);
  });

  it("take a tap for a dot", () => {
    const { log, gestures } = setUp();
    gestures.down(1, { x: 1, y: 1 }, "paint", true);
    gestures.up(1);
    vi.advanceTimersByTime(500);
    expect(log).toEqual(["begin 1,1"]);
  });

  it("zoom and move with two fingers, and paint nothing until all are up", () => {
    const { log, gestures } = setUp();
    gestures.down(1, { x: 0, y: 0 }, "paint", true);
    gestures.down(2, { x: 10, y: 0 }, "paint", true);
    vi.advanceTimersByTime(500);
    gestures.move(2, { x: 20, y: 0 });
    gestures.up(2);
    gestures.move(1, { x: 5, y: 5 });
    gestures.up(1);
    expect(log).toEqual(["pan 5,0", "zoom 2 at 10,0"]);
    gestures.down(3, { x: 1, y: 1 }, "paint", false);
    expect(log.at(-1)).toBe("begin 1,1");
  });

  it("move the view with the tool for it", () => {
    const { log, gestures } = setUp();
    gestures.down(1, { x: 0, y: 0 }, "move", true);
    gestures.move(1, { x: 3, y: -2 });
    expect(log).toEqual(["pan 3,-2"]);
  });
});
