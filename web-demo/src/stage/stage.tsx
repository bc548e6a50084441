/** The canvas, what lies over it, and everything that pointers and keys do to it. */

import { useEffect, useLayoutEffect, useRef, useState, type RefObject, type WheelEvent } from "react";
import type { Cell } from "../logic/board/board";
import type { Theme } from "../logic/board/palette";
import { Cursors } from "./cursors";
import { Painting } from "./painting";
import { BoardRenderer, type Scene } from "./render";
import styles from "./stage.module.css";
import { useKeys, type KeysOptions } from "./use-keys";

interface StageProps extends KeysOptions {
  stageRef: RefObject<HTMLDivElement | null>;
  theme: Theme;
  /** The cell that the pointer or the keyboard is on. */
  onTarget(cell: Cell | null): void;
}

/** Factor of one pixel of a wheel. */
const WHEEL_ZOOM = 0.0018;
/** Pinching on a trackpad comes as small wheel steps. */
const PINCH_ZOOM = 0.01;

export function Stage({ stageRef, theme, onTarget, ...options }: StageProps) {
  const { board, control, color, tool, isOnline } = options;
  const [hover, setHover] = useState<Cell | null>(null);
  const [painting] = useState(() => new Painting(options, setHover));
  useLayoutEffect(() => painting.set(options));
  const keys = useKeys(options);
  const cell = keys.cell ?? hover;
  useEffect(() => onTarget(cell), [cell, onTarget]);
  useWheel(stageRef, options);
  const showsTarget = cell !== null && (tool === "paint" || keys.cell !== null);
  const canvas = useRenderer({
    pixels: board.pixels,
    view: control.view,
    stage: control.stage,
    theme,
    target: showsTarget ? { cell, color, isKeyboard: keys.cell !== null } : null,
  });
  return (
    <div
      ref={stageRef}
      className={styles["stage"]}
      data-testid="stage"
      data-tool={tool}
      data-online={isOnline}
      role="application"
      tabIndex={0}
      aria-label="Pixel board, 96 by 64"
      aria-describedby="board-keys"
      aria-busy={!board.ready}
      {...painting.handlers}
      {...keys.handlers}
      onPointerDown={(event) => {
        keys.leave();
        painting.handlers.onPointerDown(event);
      }}
    >
      <canvas ref={canvas} className={styles["canvas"]} />
      {!board.ready && <div className={styles["loading"]} />}
      <Cursors view={control.view} stage={control.stage} />
      <p id="board-keys" className={styles["keys"]}>
        <kbd>←↑→↓</kbd> move <kbd>Space</kbd> paint <kbd>[</kbd> <kbd>]</kbd> color <kbd>+</kbd>{" "}
        <kbd>−</kbd> zoom
      </p>
    </div>
  );
}

function useRenderer(scene: Scene): RefObject<HTMLCanvasElement | null> {
  const canvas = useRef<HTMLCanvasElement>(null);
  const renderer = useRef<BoardRenderer>(null);
  const { pixels } = scene;
  useLayoutEffect(() => {
    if (!canvas.current) return;
    const made = new BoardRenderer(canvas.current);
    renderer.current = made;
    const end = pixels.on(({ remote }) => {
      made.flash(remote);
      made.request();
    });
    return () => {
      end();
      made.stop();
    };
  }, [pixels]);
  useLayoutEffect(() => renderer.current?.show(scene));
  return canvas;
}

/** React listens for wheels passively, which cannot keep the page from zooming. */
function useWheel(stage: RefObject<HTMLElement | null>, { control }: KeysOptions): void {
  const { zoom } = control;
  useEffect(() => {
    const element = stage.current;
    if (!element) return;
    const onWheel = (event: globalThis.WheelEvent): void => {
      event.preventDefault();
      const { left, top } = element.getBoundingClientRect();
      const at = { x: event.clientX - left, y: event.clientY - top };
      zoom(Math.exp(-pixelsOf(event) * (event.ctrlKey ? PINCH_ZOOM : WHEEL_ZOOM)), at);
    };
    element.addEventListener("wheel", onWheel, { passive: false });
    return () => element.removeEventListener("wheel", onWheel);
  }, [stage, zoom]);
}

/** Some browsers count lines. */
function pixelsOf({ deltaY, deltaMode }: Pick<WheelEvent, "deltaY" | "deltaMode">): number {
  return deltaMode === 1 ? deltaY * 16 : deltaY;
}
