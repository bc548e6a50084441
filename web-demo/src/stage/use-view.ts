/** The stage's size and the part of the board that it shows. */

import { useCallback, useLayoutEffect, useMemo, useRef, useState, type RefObject } from "react";
import type { Cell } from "../logic/board/board";
import { bound, fit, isFit, panBy, reveal, zoomAt } from "../logic/board/view";
import type { Point, Size, View } from "../logic/board/view";

export interface ViewControl {
  readonly view: View;
  readonly stage: Size;
  readonly isFit: boolean;
  /** Zooms around a point of the stage, by default its middle. */
  zoom(factor: number, at?: Point): void;
  pan(x: number, y: number): void;
  reveal(cell: Cell): void;
  fit(): void;
}

interface State {
  readonly view: View;
  readonly stage: Size;
}

const START: State = { view: { scale: 1, x: 0, y: 0 }, stage: { width: 0, height: 0 } };

export function useView(element: RefObject<HTMLElement | null>): ViewControl {
  const [state, setState] = useState(START);
  useLayoutEffect(() => {
    if (!element.current) return;
    const observer = new ResizeObserver(([entry]) => {
      if (!entry) return;
      const { width, height } = entry.contentRect;
      setState((state) => resized(state, { width, height }));
    });
    observer.observe(element.current);
    return () => observer.disconnect();
  }, [element]);
  const change = useRef((next: (state: State) => View) => {
    setState((state) => ({ ...state, view: next(state) }));
  }).current;
  const zoom = useCallback(
    (factor: number, at?: Point) =>
      change(({ view, stage }) =>
        zoomAt(view, stage, factor, at ?? { x: stage.width / 2, y: stage.height / 2 }),
      ),
    [change],
  );
  return useMemo(
    () => ({
      ...state,
      isFit: isFit(state.view, state.stage),
      zoom,
      pan: (x, y) => change(({ view, stage }) => panBy(view, stage, x, y)),
      reveal: (cell) => change(({ view, stage }) => reveal(view, stage, cell)),
      fit: () => change(({ stage }) => fit(stage)),
    }),
    [state, change, zoom],
  );
}

/** Whoever saw the whole board still does; others keep their zoom. */
function resized({ view, stage }: State, next: Size): State {
  const sawAll = stage.width === 0 || isFit(view, stage) || view.scale < fit(next).scale;
  return { stage: next, view: sawAll ? fit(next) : bound(view, next) };
}
