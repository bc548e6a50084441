/**
 * What pointers on the stage mean. A mouse or a pen paints at once; a finger waits for a moment, because
 * two fingers zoom and move. Knows no DOM: the stage tells it what happens.
 */

import type { Point } from "../logic/board/view";

export type Tool = "paint" | "move";

export interface GestureEffects {
  /** A stroke begins. */
  begin(at: Point): void;
  /** It goes on, in a straight line. */
  extend(at: Point): void;
  pan(x: number, y: number): void;
  zoom(factor: number, at: Point): void;
}

/** Time that a lone finger waits for a second one, in milliseconds. */
const FINGER_WAIT_MS = 80;

type Mode = "idle" | "waiting" | "stroke" | "pan" | "pinch" | "over";

export class Gestures {
  private readonly effects: GestureEffects;
  private readonly pointers = new Map<number, Point>();
  private mode: Mode = "idle";
  private timer: ReturnType<typeof setTimeout> | undefined;
  /** Where the finger that waits has been. */
  private trail: Point[] = [];

  constructor(effects: GestureEffects) {
    this.effects = effects;
  }

  down(id: number, at: Point, tool: Tool, isFinger: boolean): void {
    this.pointers.set(id, at);
    if (this.pointers.size === 2) return this.pinch();
    if (this.pointers.size > 2 || this.mode !== "idle") return;
    if (tool === "move") {
      this.mode = "pan";
    } else if (isFinger) {
      this.mode = "waiting";
      this.trail = [at];
      this.timer = setTimeout(() => this.stroke(), FINGER_WAIT_MS);
    } else {
      this.trail = [at];
      this.stroke();
    }
  }

  move(id: number, at: Point): void {
    const before = this.pointers.get(id);
    if (!before) return;
    const spread = this.spread();
    this.pointers.set(id, at);
    if (this.mode === "waiting") this.trail.push(at);
    else if (this.mode === "stroke") this.effects.extend(at);
    else if (this.mode === "pan") this.effects.pan(at.x - before.x, at.y - before.y);
    else if (this.mode === "pinch") this.pinched(spread);
  }

  up(id: number): void {
    if (!this.pointers.delete(id)) return;
    // A tap was over before the wait was.
    if (this.mode === "waiting") this.stroke();
    this.mode = this.pointers.size > 0 ? "over" : "idle";
  }

  private stroke(): void {
    clearTimeout(this.timer);
    this.mode = "stroke";
    const [first, ...rest] = this.trail;
    if (first) this.effects.begin(first);
    for (const at of rest) this.effects.extend(at);
  }

  private pinch(): void {
    clearTimeout(this.timer);
    this.mode = "pinch";
  }

  private pinched(before: { middle: Point; distance: number }): void {
    const { middle, distance } = this.spread();
    this.effects.pan(middle.x - before.middle.x, middle.y - before.middle.y);
    if (before.distance > 0) this.effects.zoom(distance / before.distance, middle);
  }

  /** Middle and distance of the first two pointers. */
  private spread(): { middle: Point; distance: number } {
    const [a = { x: 0, y: 0 }, b = a] = this.pointers.values();
    return {
      middle: { x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 },
      distance: Math.hypot(a.x - b.x, a.y - b.y),
    };
  }
}
