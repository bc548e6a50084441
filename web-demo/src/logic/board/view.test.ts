import { describe, expect, it } from "vitest";
import { fit, isFit, panBy, reveal, toBoard, toStage, zoomAt } from "./view";

const STAGE = { width: 960, height: 640 };

describe("view", () => {
  it("fits and centers", () => {
    expect(fit(STAGE)).toEqual({ scale: 10, x: 0, y: 0 });
    expect(fit({ width: 960, height: 700 })).toEqual({ scale: 10, x: 0, y: 30 });
    expect(fit({ width: 480, height: 640 })).toEqual({ scale: 5, x: 0, y: 160 });
  });

  it("zooms around a point, which stays", () => {
    const at = { x: 300, y: 200 };
    const view = zoomAt(fit(STAGE), STAGE, 2, at);
    expect(view.scale).toBe(20);
    expect(toBoard(view, at)).toEqual(toBoard(fit(STAGE), at));
    expect(toStage(view, toBoard(view, at))).toEqual(at);
  });

  it("has limits", () => {
    const near = zoomAt(fit(STAGE), STAGE, 1000, { x: 0, y: 0 });
    expect(near.scale).toBe(48);
    expect(zoomAt(near, STAGE, 0.0001, { x: 500, y: 500 })).toEqual(fit(STAGE));
    expect(isFit(near, STAGE)).toBe(false);
    expect(isFit(fit(STAGE), STAGE)).toBe(true);
  });

  it("keeps the board on the stage", () => {
    const view = zoomAt(fit(STAGE), STAGE, 2, { x: 0, y: 0 });
    expect(panBy(view, STAGE, 500, 500)).toEqual({ scale: 20, x: 0, y: 0 });
    expect(panBy(view, STAGE, -5000, -5000)).toEqual({ scale: 20, x: -960, y: -640 });
  });

  it("reveals cells", () => {
    const view = zoomAt(fit(STAGE), STAGE, 2, { x: 0, y: 0 });
    expect(reveal(view, STAGE, { x: 3, y: 3 })).toEqual(view);
    expect(reveal(view, STAGE, { x: 95, y: 63 })).toEqual({ scale: 20, x: -960, y: -640 });
    const end = panBy(view, STAGE, -5000, -5000);
    expect(reveal(end, STAGE, { x: 40, y: 63 })).toEqual({ scale: 20, x: -800, y: -640 });
  });
});
