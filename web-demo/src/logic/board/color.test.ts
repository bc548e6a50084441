import { describe, expect, it } from "vitest";
import { contrast, inkOn, luminance, parseHex } from "./color";
import { hexOf, PALETTE, PAPER, PAPER_HEX, patchStyle } from "./palette";

describe("colors", () => {
  it("reads hex and nothing else", () => {
    expect(parseHex("#0A80ff")).toEqual({ red: 10, green: 128, blue: 255 });
    for (const bad of ["", "#fff", "0a80ff", "#0a80fg", "#0a80ff0"]) {
      expect(() => parseHex(bad)).toThrow(RangeError);
    }
  });

  it("has the luminance and contrast of WCAG", () => {
    expect(luminance(parseHex("#ffffff"))).toBeCloseTo(1);
    expect(luminance(parseHex("#000000"))).toBe(0);
    expect(luminance(parseHex("#808080"))).toBeCloseTo(0.2159, 3);
    expect(contrast("#000000", "#ffffff")).toBeCloseTo(21);
    expect(contrast("#777777", "#ffffff")).toBeCloseTo(4.48, 2);
    expect(contrast("#abcdef", "#abcdef")).toBe(1);
  });

  it("chooses the ink that reads better", () => {
    expect(inkOn("#ffffff")).toBe("#14171c");
    expect(inkOn("#1b1e24")).toBe("#ffffff");
  });
});

describe("palette", () => {
  it("has the sixteen colors of the module, each once", () => {
    expect(PALETTE).toHaveLength(16);
    expect(new Set(PALETTE.map(({ hex }) => hex)).size).toBe(16);
    expect(new Set(PALETTE.map(({ name }) => name)).size).toBe(16);
  });

  it("can be seen on the paper of both themes", () => {
    const hidden = PALETTE.slice(PAPER + 1).filter(
      ({ hex }) => contrast(hex, PAPER_HEX.light) < 1.6 || contrast(hex, PAPER_HEX.dark) < 2.4,
    );
    expect(hidden).toEqual([]);
  });

  it("has readable text on every patch", () => {
    const patches = [...PALETTE.keys()].map((color) => patchStyle(color));
    const unreadable = patches.filter(({ background, color }) => contrast(background, color) < 4.5);
    expect(unreadable).toEqual([]);
  });

  it("follows the theme with paper alone", () => {
    expect(hexOf(PAPER, "dark")).not.toBe(hexOf(PAPER, "light"));
    expect(hexOf(4, "dark")).toBe(hexOf(4, "light"));
  });
});
