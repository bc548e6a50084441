/** Light or dark: the system's choice unless the user has made the other one. */

import { useCallback, useEffect, useState, useSyncExternalStore } from "react";
import type { Theme } from "../logic/board/palette";

type Choice = Theme | "system";

/** public/theme.js reads the same. */
const KEY = "syncline-demo:theme";
const DARK = matchMedia("(prefers-color-scheme: dark)");
const PAGE_HEX: Record<Theme, string> = { light: "#f4f4f1", dark: "#111317" };

export interface ThemeState {
  /** What is shown. */
  readonly theme: Theme;
  toggle(): void;
}

export function useTheme(): ThemeState {
  const isSystemDark = useSyncExternalStore(subscribeToSystem, () => DARK.matches);
  const [choice, setChoice] = useState(storedChoice);
  const system = isSystemDark ? "dark" : "light";
  const theme = choice === "system" ? system : choice;
  useEffect(() => {
    const { dataset } = document.documentElement;
    if (choice === "system") delete dataset["theme"];
    else dataset["theme"] = choice;
    document.querySelector("meta[name=theme-color]")?.setAttribute("content", PAGE_HEX[theme]);
  }, [choice, theme]);
  const toggle = useCallback(() => {
    const other = theme === "light" ? "dark" : "light";
    const next = other === system ? "system" : other;
    setChoice(next);
    try {
      localStorage.setItem(KEY, next);
    } catch {
      // No storage: the choice holds until the page is left.
    }
  }, [theme, system]);
  return { theme, toggle };
}

function subscribeToSystem(notify: () => void): () => void {
  DARK.addEventListener("change", notify);
  return () => DARK.removeEventListener("change", notify);
}

function storedChoice(): Choice {
  try {
    const stored = localStorage.getItem(KEY);
    return stored === "light" || stored === "dark" ? stored : "system";
  } catch {
    return "system";
  }
}
