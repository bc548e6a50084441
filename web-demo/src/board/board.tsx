/** The board with its tools. */

import { useConnectionState } from "@syncline/react";
import { useRef, useState } from "react";
import { usePeople } from "../data/people";
import { useBoard } from "../data/use-pixels";
import { positionOf, type Cell } from "../logic/board/board";
import type { Theme } from "../logic/board/palette";
import { ErrorNote } from "../notices/error-note";
import { CellInfo } from "./cell-info";
import type { Tool } from "../stage/gestures";
import { PaletteBar } from "./palette-bar";
import { Stage } from "../stage/stage";
import { Tools } from "./tools";
import styles from "./board.module.css";
import { useView } from "../stage/use-view";

/** Until the server has said which color is one's own. */
const FIRST_COLOR = 12;

export function BoardPanel({ theme }: { theme: Theme }) {
  const board = useBoard();
  const stageRef = useRef<HTMLDivElement>(null);
  const control = useView(stageRef);
  const [color, setColor] = useColor();
  const [tool, setTool] = useState<Tool>("paint");
  const [target, setTarget] = useState<Cell | null>(null);
  const isOnline = useConnectionState() === "online";
  const pick = (cell: Cell): void => setColor(board.pixels.colorAt(positionOf(cell)));
  return (
    <section className={styles["panel"]} aria-label="Board">
      <div className={styles["room"]}>
        <div className={styles["frame"]}>
          {board.error ? (
            <ErrorNote error={board.error} />
          ) : (
            <Stage
              stageRef={stageRef}
              {...{ theme, board, control, color, tool, isOnline, pick, setColor }}
              onTarget={setTarget}
            />
          )}
        </div>
      </div>
      <div className={styles["toolbar"]}>
        <PaletteBar color={color} theme={theme} onChoose={setColor} />
        <CellInfo pixels={board.pixels} isReady={board.ready} cell={target} />
        <Tools tool={tool} onTool={setTool} control={control} />
      </div>
    </section>
  );
}

/** The color to paint with: one's own until another is chosen. */
function useColor(): [number, (color: number) => void] {
  const { me } = usePeople();
  const [chosen, setChosen] = useState<number | null>(null);
  return [chosen ?? me?.color ?? FIRST_COLOR, setChosen];
}
