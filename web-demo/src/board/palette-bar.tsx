/** The sixteen colors: a group of radio buttons, of which arrow keys choose. */

import { useRef, type CSSProperties, type KeyboardEvent } from "react";
import { hexOf, PALETTE, PAPER, swatch, type Theme } from "../logic/board/palette";
import styles from "./palette-bar.module.css";

interface PaletteBarProps {
  color: number;
  theme: Theme;
  onChoose(color: number): void;
}

const STEPS: Record<string, number> = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 };

export function PaletteBar({ color, theme, onChoose }: PaletteBarProps) {
  const group = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = STEPS[event.key];
    if (step === undefined) return;
    event.preventDefault();
    const next = (color + step + PALETTE.length) % PALETTE.length;
    onChoose(next);
    group.current?.querySelectorAll("button")[next]?.focus();
  };
  return (
    <div
      ref={group}
      className={styles["bar"]}
      role="radiogroup"
      aria-label={`Color: ${swatch(color).name}`}
      onKeyDown={onKeyDown}
    >
      {PALETTE.map(({ name }, each) => (
        <button
          key={name}
          type="button"
          role="radio"
          className={styles["color"]}
          aria-checked={each === color}
          aria-label={each === PAPER ? "Paper (eraser)" : name}
          title={each === PAPER ? "Paper (eraser)" : name}
          tabIndex={each === color ? 0 : -1}
          style={{ "--swatch": hexOf(each, theme) } as CSSProperties}
          data-paper={each === PAPER}
          onClick={() => onChoose(each)}
        />
      ))}
    </div>
  );
}
