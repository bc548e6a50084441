/**
 * Where the board lies in its stage. A view maps board coordinates (cells) to stage coordinates (CSS
 * pixels): `stage = board * scale + offset`. Functions return new views that keep the board in sight.
 */

import { HEIGHT, WIDTH, type Cell } from "./board.js";

export interface View {
  /** CSS pixels of one cell. */
  readonly scale: number;
  readonly x: number;
  readonly y: number;
}

export interface Size {
  readonly width: number;
  readonly height: number;
}

export type Point = Cell;

/** Largest cell, in CSS pixels. */
const SCALE_MAX = 48;

/** The whole board, centered. */
export function fit(stage: Size): View {
  const scale = Math.min(stage.width / WIDTH, stage.height / HEIGHT);
  return bound({ scale, x: 0, y: 0 }, stage);
}

/** Whether the view shows the whole board. */
export function isFit(view: View, stage: Size): boolean {
  return view.scale <= fit(stage).scale * 1.001;
}

/** Zooms by a factor around a point of the stage, which stays where it is. */
export function zoomAt(view: View, stage: Size, factor: number, at: Point): View {
  const least = fit(stage).scale;
  const most = Math.max(SCALE_MAX, least);
  const scale = Math.min(Math.max(view.scale * factor, least), most);
  const ratio = scale / view.scale;
  return bound({ scale, x: at.x - (at.x - view.x) * ratio, y: at.y - (at.y - view.y) * ratio }, stage);
}

export function panBy(view: View, stage: Size, x: number, y: number): View {
  return bound({ ...view, x: view.x + x, y: view.y + y }, stage);
}

/** Moves the view so that a cell is in sight. */
export function reveal(view: View, stage: Size, cell: Cell): View {
  const shift = (start: number, room: number): number => {
    if (start < 0) return -start;
    return Math.min(0, room - start - view.scale);
  };
  const at = toStage(view, cell);
  return panBy(view, stage, shift(at.x, stage.width), shift(at.y, stage.height));
}

export function toBoard(view: View, { x, y }: Point): Point {
  return { x: (x - view.x) / view.scale, y: (y - view.y) / view.scale };
}

export function toStage(view: View, { x, y }: Point): Point {
  return { x: x * view.scale + view.x, y: y * view.scale + view.y };
}

/** Where the board is smaller than the stage it is centered, else it covers the stage. */
export function bound(view: View, stage: Size): View {
  return {
    scale: view.scale,
    x: boundAxis(view.x, WIDTH * view.scale, stage.width),
    y: boundAxis(view.y, HEIGHT * view.scale, stage.height),
  };
}

function boundAxis(offset: number, board: number, room: number): number {
  return board <= room ? (room - board) / 2 : Math.min(0, Math.max(room - board, offset));
}
