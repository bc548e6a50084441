/** The colors that the module's numbers stand for. */

import { inkOn } from "./color.js";

export type Theme = "light" | "dark";

export interface Swatch {
  readonly name: string;
  readonly hex: string;
}

/** Color 0 is the board itself, which follows the theme; painting with it erases. */
export const PAPER = 0;

export const PAPER_HEX: Record<Theme, string> = { light: "#ffffff", dark: "#1b1e24" };

/** All but the paper can be seen on the paper of both themes. A test holds them to it. */
export const PALETTE: readonly Swatch[] = [
  { name: "Paper", hex: PAPER_HEX.light },
  { name: "Slate", hex: "#566076" },
  { name: "Stone", hex: "#aab3c0" },
  { name: "Clay", hex: "#a0694b" },
  { name: "Red", hex: "#e5484d" },
  { name: "Orange", hex: "#f27b33" },
  { name: "Amber", hex: "#f5a524" },
  { name: "Yellow", hex: "#e8c813" },
  { name: "Lime", hex: "#93c13a" },
  { name: "Green", hex: "#35a35f" },
  { name: "Teal", hex: "#17a39a" },
  { name: "Sky", hex: "#45b3ec" },
  { name: "Blue", hex: "#346fdf" },
  { name: "Violet", hex: "#785ee0" },
  { name: "Orchid", hex: "#c05fd6" },
  { name: "Pink", hex: "#ee6c9f" },
];

export function swatch(color: number): Swatch {
  return PALETTE[color] ?? PALETTE[1]!;
}

/** The color as it is shown in a theme. */
export function hexOf(color: number, theme: Theme): string {
  return color === PAPER ? PAPER_HEX[theme] : swatch(color).hex;
}

/** Styles of a patch in this color with text on it. */
export function patchStyle(color: number): { background: string; color: string } {
  const { hex } = swatch(color);
  return { background: hex, color: inkOn(hex) };
}
