/** One line about the cell under the pointer or the keyboard, or about the whole board. */

import { usePeople } from "../data/people";
import type { Pixels } from "../data/pixels";
import { usePainter } from "../data/queries";
import { usePainted } from "../data/use-pixels";
import { positionOf, type Cell } from "../logic/board/board";
import { counted } from "../logic/format";
import { PAPER, swatch } from "../logic/board/palette";
import styles from "./cell-info.module.css";

interface CellInfoProps {
  pixels: Pixels;
  isReady: boolean;
  cell: Cell | null;
}

export function CellInfo({ pixels, isReady, cell }: CellInfoProps) {
  const painted = usePainted(pixels);
  const { me, find } = usePeople();
  const position = cell ? positionOf(cell) : null;
  const color = position === null ? PAPER : pixels.colorAt(position);
  const identity = position === null ? undefined : pixels.painterAt(position);
  const known = identity === undefined ? undefined : find(identity);
  const asked = usePainter(identity !== undefined && !known ? identity : undefined);
  const painter = known ?? asked;
  const name = painter && painter.identity === me?.identity ? "you" : painter?.name;
  return (
    <p className={styles["info"]} role="status" data-testid="painted" data-painted={painted}>
      {isReady && cell ? (
        <>
          <span className={styles["place"]}>
            {cell.x}, {cell.y}
          </span>
          <span>
            {swatch(color).name}
            {name === undefined ? "" : ` by ${name}`}
          </span>
        </>
      ) : (
        <span>{isReady ? totalOf(painted) : "Loading the board"}</span>
      )}
    </p>
  );
}

function totalOf(painted: number): string {
  return painted === 0 ? "Nothing painted yet" : `${counted(painted, "pixel")} painted`;
}
