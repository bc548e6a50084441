/** Arithmetic of colors in sRGB, as WCAG 2 defines contrast. */

export interface Rgb {
  readonly red: number;
  readonly green: number;
  readonly blue: number;
}

/** Reads `#rrggbb`. */
export function parseHex(hex: string): Rgb {
  const match = /^#([0-9a-f]{2})([0-9a-f]{2})([0-9a-f]{2})$/i.exec(hex);
  if (!match) throw new RangeError(`not a color: ${hex}`);
  const [red, green, blue] = match.slice(1).map((pair) => Number.parseInt(pair, 16));
  return { red: red!, green: green!, blue: blue! };
}

/** Relative luminance, from 0 (black) to 1 (white). */
export function luminance({ red, green, blue }: Rgb): number {
  return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
}

/** Contrast of two colors, from 1 (equal) to 21 (black and white). */
export function contrast(a: string, b: string): number {
  const [dark, light] = [luminance(parseHex(a)), luminance(parseHex(b))].sort((a, b) => a - b);
  return (light! + 0.05) / (dark! + 0.05);
}

/** Of two inks the one that reads better on a color. */
export function inkOn(background: string, dark = "#14171c", light = "#ffffff"): string {
  return contrast(background, dark) >= contrast(background, light) ? dark : light;
}

/** Light of a channel, from 0 to 1. */
function linear(channel: number): number {
  const part = channel / 255;
  return part <= 0.040_45 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
}
