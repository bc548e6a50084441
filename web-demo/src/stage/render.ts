/** Draws the board on a canvas, once a frame and only if something has changed. */

import { HEIGHT, WIDTH, type Cell } from "../logic/board/board";
import { parseHex } from "../logic/board/color";
import { hexOf, PALETTE, type Theme } from "../logic/board/palette";
import type { Size, View } from "../logic/board/view";
import type { Pixels } from "../data/pixels";

export interface Scene {
  readonly pixels: Pixels;
  readonly view: View;
  readonly stage: Size;
  readonly theme: Theme;
  /** The cell under the pointer or the keyboard, and the color it would get. */
  readonly target: { cell: Cell; color: number; isKeyboard: boolean } | null;
}

/** Time that cells painted by others are pointed out, in milliseconds. */
const FLASH_MS = 600;
/** More at once are not pointed out. */
const FLASHES_MAX = 400;
/** Cells smaller than this have no grid, in CSS pixels. */
const GRID_CELL_MIN = 7;

export class BoardRenderer {
  private readonly canvas: HTMLCanvasElement;
  private readonly context: CanvasRenderingContext2D;
  private readonly cells = cellsCanvas();
  private readonly flashes = new Map<number, number>();
  private scene: Scene | undefined;
  private frame: number | undefined;

  constructor(canvas: HTMLCanvasElement) {
    this.canvas = canvas;
    this.context = contextOf(canvas);
  }

  show(scene: Scene): void {
    this.scene = scene;
    this.request();
  }

  request(): void {
    this.frame ??= requestAnimationFrame((now) => {
      this.frame = undefined;
      if (this.scene) this.draw(this.scene, now);
      if (this.flashes.size > 0) this.request();
    });
  }

  /** Points cells out for a moment, unless the user wants no motion. */
  flash(positions: readonly number[]): void {
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    const now = performance.now();
    for (const position of positions) {
      if (this.flashes.size < FLASHES_MAX) this.flashes.set(position, now);
    }
  }

  stop(): void {
    if (this.frame !== undefined) cancelAnimationFrame(this.frame);
    this.frame = undefined;
  }

  private draw(scene: Scene, now: number): void {
    const { context } = this;
    const { stage, view, theme } = scene;
    this.resize(stage);
    context.clearRect(0, 0, stage.width, stage.height);
    fillCells(this.cells, scene.pixels, theme);
    context.imageSmoothingEnabled = false;
    const { scale, x, y } = view;
    context.drawImage(this.cells.canvas, x, y, WIDTH * scale, HEIGHT * scale);
    if (scale >= GRID_CELL_MIN) drawGrid(context, scene);
    this.drawFlashes(scene, now);
    if (scene.target) drawTarget(context, scene, scene.target);
  }

  /** One canvas pixel for one pixel of the screen. */
  private resize({ width, height }: Size): void {
    const ratio = devicePixelRatio;
    const [pixelWidth, pixelHeight] = [Math.round(width * ratio), Math.round(height * ratio)];
    if (this.canvas.width !== pixelWidth || this.canvas.height !== pixelHeight) {
      this.canvas.width = pixelWidth;
      this.canvas.height = pixelHeight;
    }
    this.context.setTransform(ratio, 0, 0, ratio, 0, 0);
  }

  private drawFlashes({ view, theme, pixels }: Scene, now: number): void {
    const { context } = this;
    for (const [position, start] of this.flashes) {
      const age = (now - start) / FLASH_MS;
      if (age >= 1) {
        this.flashes.delete(position);
        continue;
      }
      const grow = Math.sqrt(Math.max(age, 0)) * Math.max(view.scale, 6) * 0.9;
      const { left, top } = corner(view, position % WIDTH, Math.floor(position / WIDTH));
      context.globalAlpha = (1 - age) * 0.6;
      context.strokeStyle = hexOf(pixels.colorAt(position), theme);
      context.lineWidth = 1.5;
      context.strokeRect(left - grow / 2, top - grow / 2, view.scale + grow, view.scale + grow);
    }
    context.globalAlpha = 1;
  }
}

interface Cells {
  readonly canvas: HTMLCanvasElement;
  readonly context: CanvasRenderingContext2D;
  readonly image: ImageData;
  /** The same memory, a number a cell. */
  readonly words: Uint32Array;
}

function cellsCanvas(): Cells {
  const canvas = document.createElement("canvas");
  canvas.width = WIDTH;
  canvas.height = HEIGHT;
  const context = contextOf(canvas);
  const image = context.createImageData(WIDTH, HEIGHT);
  return { canvas, context, image, words: new Uint32Array(image.data.buffer) };
}

function contextOf(canvas: HTMLCanvasElement): CanvasRenderingContext2D {
  const context = canvas.getContext("2d");
  if (!context) throw new Error("this browser has no 2D canvas");
  return context;
}

function fillCells({ context, image, words }: Cells, pixels: Pixels, theme: Theme): void {
  const colors = Uint32Array.from(PALETTE, (_, color) => wordOf(hexOf(color, theme)));
  for (let position = 0; position < WIDTH * HEIGHT; position++) {
    words[position] = colors[pixels.colorAt(position)] ?? 0;
  }
  context.putImageData(image, 0, 0);
}

/** Red, green, blue and full alpha, one byte each in this order, on the little-endian machines there are. */
function wordOf(hex: string): number {
  const { red, green, blue } = parseHex(hex);
  return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
}

function drawGrid(context: CanvasRenderingContext2D, { view, stage, theme }: Scene): void {
  const { scale, x, y } = view;
  const [left, right] = [Math.max(x, 0), Math.min(x + WIDTH * scale, stage.width)];
  const [top, bottom] = [Math.max(y, 0), Math.min(y + HEIGHT * scale, stage.height)];
  context.beginPath();
  for (let column = 1; column < WIDTH; column++) {
    context.moveTo(crisp(x + column * scale), top);
    context.lineTo(crisp(x + column * scale), bottom);
  }
  for (let row = 1; row < HEIGHT; row++) {
    context.moveTo(left, crisp(y + row * scale));
    context.lineTo(right, crisp(y + row * scale));
  }
  context.strokeStyle = theme === "light" ? "rgb(20 25 35 / 5%)" : "rgb(255 255 255 / 3.5%)";
  context.lineWidth = 1;
  context.stroke();
}

function drawTarget(
  context: CanvasRenderingContext2D,
  { view, theme }: Scene,
  { cell, color, isKeyboard }: NonNullable<Scene["target"]>,
): void {
  const { left, top } = corner(view, cell.x, cell.y);
  const { scale } = view;
  context.globalAlpha = 0.65;
  context.fillStyle = hexOf(color, theme);
  context.fillRect(left, top, scale, scale);
  context.globalAlpha = 1;
  const width = isKeyboard ? 2 : 1;
  const outset = isKeyboard ? 3 : 0.5;
  context.lineWidth = width + 2;
  context.strokeStyle = theme === "light" ? "rgb(255 255 255 / 80%)" : "rgb(10 12 16 / 70%)";
  context.strokeRect(left - outset, top - outset, scale + 2 * outset, scale + 2 * outset);
  context.lineWidth = width;
  context.strokeStyle = theme === "light" ? "#1d2026" : "#eceef2";
  context.strokeRect(left - outset, top - outset, scale + 2 * outset, scale + 2 * outset);
}

/** The middle of a pixel, so that a line of one pixel is sharp. */
function crisp(value: number): number {
  return Math.round(value) + 0.5;
}

/** Where a cell begins on the stage. */
function corner({ scale, x, y }: View, column: number, row: number): { left: number; top: number } {
  return { left: x + column * scale, top: y + row * scale };
}
