import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Throttle } from "./throttle";

describe("throttle", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("runs the first at once and the latest after the interval", async () => {
    const ran: number[] = [];
    const throttle = new Throttle<number>(50, async (value) => void ran.push(value));
    for (const value of [1, 2, 3]) throttle.push(value);
    expect(ran).toEqual([1]);
    await vi.advanceTimersByTimeAsync(49);
    expect(ran).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(ran).toEqual([1, 3]);
    await vi.advanceTimersByTimeAsync(500);
    expect(ran).toEqual([1, 3]);
  });

  it("waits for a run that takes longer, and goes on after one that fails", async () => {
    const ran: number[] = [];
    const throttle = new Throttle<number>(50, async (value) => {
      ran.push(value);
      await new Promise((_, reject) => setTimeout(() => reject(new Error("slow")), 200));
    });
    throttle.push(1);
    throttle.push(2);
    await vi.advanceTimersByTimeAsync(199);
    expect(ran).toEqual([1]);
    await vi.advanceTimersByTimeAsync(1);
    expect(ran).toEqual([1, 2]);
  });
});
