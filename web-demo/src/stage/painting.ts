/** Pointers on the stage, made into strokes, cursor moves and changes of the view. */

import type { PointerEvent } from "react";
import type { Board } from "../data/use-pixels";
import { cellAt, clampToBoard, type Cell } from "../logic/board/board";
import { line } from "../logic/board/line";
import { toBoard, type Point } from "../logic/board/view";
import { Gestures, type Tool } from "./gestures";
import type { ViewControl } from "./use-view";

/** Time that the cursor of a lifted finger stays, in milliseconds. */
const FINGER_CURSOR_MS = 2500;

/** What the stage is set to. */
export interface StageSettings {
  readonly board: Board;
  readonly control: ViewControl;
  readonly color: number;
  readonly tool: Tool;
  readonly isOnline: boolean;
  pick(at: Cell): void;
}

type StageEvent = PointerEvent<HTMLElement>;

export class Painting {
  private settings: StageSettings;
  private readonly onHover: (cell: Cell | null) => void;
  private last: Cell | null = null;
  private hideTimer: ReturnType<typeof setTimeout> | undefined;
  private readonly gestures = new Gestures({
    begin: (at) => this.paint(at, null),
    extend: (at) => this.paint(at, this.last),
    pan: (x, y) => this.settings.control.pan(x, y),
    zoom: (factor, at) => this.settings.control.zoom(factor, at),
  });

  constructor(settings: StageSettings, onHover: (cell: Cell | null) => void) {
    this.settings = settings;
    this.onHover = onHover;
  }

  set(settings: StageSettings): void {
    this.settings = settings;
  }

  readonly handlers = {
    onPointerDown: (event: StageEvent): void => {
      const { tool, pick, control } = this.settings;
      const at = pointOf(event, event.currentTarget);
      const cell = cellAt(toBoard(control.view, at));
      if (event.button === 2 || event.altKey) {
        if (cell) pick(cell);
        return;
      }
      event.currentTarget.setPointerCapture(event.pointerId);
      const used = tool === "move" || event.button === 1 ? "move" : "paint";
      this.gestures.down(event.pointerId, at, used, event.pointerType === "touch");
    },
    onPointerMove: (event: StageEvent): void => {
      const { board, control } = this.settings;
      // Browsers hold the points between two frames back.
      const points = event.nativeEvent.getCoalescedEvents();
      for (const point of points.length > 0 ? points : [event]) {
        this.gestures.move(event.pointerId, pointOf(point, event.currentTarget));
      }
      const at = toBoard(control.view, pointOf(event, event.currentTarget));
      clearTimeout(this.hideTimer);
      if (event.isPrimary) board.cursor.move(at);
      if (event.pointerType !== "touch") this.onHover(cellAt(at));
    },
    onPointerUp: (event: StageEvent): void => {
      this.gestures.up(event.pointerId);
      if (event.pointerType !== "touch") return;
      const { cursor } = this.settings.board;
      this.hideTimer = setTimeout(() => cursor.hide(), FINGER_CURSOR_MS);
    },
    onPointerCancel: (event: StageEvent): void => this.gestures.up(event.pointerId),
    onPointerLeave: (event: StageEvent): void => {
      this.onHover(null);
      if (event.pointerType !== "touch") this.settings.board.cursor.hide();
    },
    onContextMenu: (event: { preventDefault(): void }): void => event.preventDefault(),
  };

  private paint(at: Point, from: Cell | null): void {
    const { board, control, color, isOnline } = this.settings;
    const point = toBoard(control.view, at);
    const to = { x: Math.floor(point.x), y: Math.floor(point.y) };
    this.last = to;
    if (!isOnline) return;
    const cells = line(from ?? to, to).filter((cell) => cellAt(cell));
    board.brush.paint(cells, color);
    board.cursor.move(clampToBoard(point));
  }
}

/** Where an event is on the stage. */
function pointOf(event: { clientX: number; clientY: number }, stage: HTMLElement): Point {
  const { left, top } = stage.getBoundingClientRect();
  return { x: event.clientX - left, y: event.clientY - top };
}
