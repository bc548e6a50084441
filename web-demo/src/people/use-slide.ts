/** Rows of a list that change places slide there. */

import { useLayoutEffect, useRef, type RefObject } from "react";

const SLIDE_MS = 260;

/** Looks after every render. Children of the list have a `data-key`. */
export function useSlide(list: RefObject<HTMLElement | null>): void {
  const tops = useRef(new Map<string, number>());
  useLayoutEffect(() => {
    const isStill = matchMedia("(prefers-reduced-motion: reduce)").matches;
    const before = tops.current;
    const now = new Map<string, number>();
    for (const child of list.current?.children ?? []) {
      if (!(child instanceof HTMLElement)) continue;
      const key = child.dataset["key"] ?? "";
      const top = child.offsetTop;
      now.set(key, top);
      const from = before.get(key);
      if (isStill || from === undefined || from === top) continue;
      child.animate([{ transform: `translateY(${from - top}px)` }, { transform: "none" }], {
        duration: SLIDE_MS,
        easing: "ease-out",
      });
    }
    tops.current = now;
  });
}
