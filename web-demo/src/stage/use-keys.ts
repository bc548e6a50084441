/** The board without a pointer: a cell that arrow keys move and the space bar paints. */

import { useState, type KeyboardEvent } from "react";
import { clampToBoard, HEIGHT, WIDTH, type Cell } from "../logic/board/board";
import { PALETTE } from "../logic/board/palette";
import type { StageSettings } from "./painting";

const STEPS: Record<string, readonly [x: number, y: number]> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

const ZOOM_STEP = 1.4;

export interface KeysOptions extends StageSettings {
  setColor(color: number): void;
}

export function useKeys(options: KeysOptions) {
  const [cell, setCell] = useState<Cell>({ x: WIDTH / 2, y: HEIGHT / 2 });
  const [isActive, setIsActive] = useState(false);
  const { board, control, color, setColor, isOnline, pick } = options;
  const paint = (at: Cell): void => {
    if (isOnline) board.brush.paint([at], color);
  };
  const step = ([x, y]: readonly [number, number], isPainting: boolean): void => {
    const next = clampToBoard({ x: cell.x + x, y: cell.y + y });
    if (isPainting) paint(next);
    setCell(next);
    control.reveal(next);
    board.cursor.move({ x: next.x + 0.5, y: next.y + 0.5 });
  };
  const turn = (by: number): void => setColor((color + by + PALETTE.length) % PALETTE.length);
  const actions: Record<string, () => void> = {
    " ": () => paint(cell),
    Enter: () => paint(cell),
    "[": () => turn(-1),
    "]": () => turn(1),
    e: () => pick(cell),
    "+": () => control.zoom(ZOOM_STEP),
    "=": () => control.zoom(ZOOM_STEP),
    "-": () => control.zoom(1 / ZOOM_STEP),
    "0": () => control.fit(),
  };
  const handlers = {
    onKeyDown(event: KeyboardEvent) {
      if (event.ctrlKey || event.metaKey || event.altKey) return;
      const by = STEPS[event.key];
      const act = by ? () => step(by, event.shiftKey) : actions[event.key];
      if (!act) return;
      event.preventDefault();
      setIsActive(true);
      act();
    },
    onBlur() {
      if (isActive) board.cursor.hide();
      setIsActive(false);
    },
  };
  return { handlers, cell: isActive ? cell : null, leave: () => setIsActive(false) };
}
