/** Peaks lower than this do not fill the height. */
const PEAK_MIN = 4;
/** Room for the width of the line. */
const MARGIN = 1.5;

/** The points of an SVG polyline that shows values from left to right. */
export function sparkline(values: readonly number[], width: number, height: number): string {
  const peak = Math.max(PEAK_MIN, ...values);
  const step = width / Math.max(values.length - 1, 1);
  return values
    .map((value, index) => {
      const y = height - MARGIN - (value / peak) * (height - 2 * MARGIN);
      return `${round(index * step)},${round(y)}`;
    })
    .join(" ");
}

function round(value: number): number {
  return Math.round(value * 100) / 100;
}
