/**
 * Exact decimal numbers, as text: `"-12.5"`. A double would round them, and a class of its own would make every
 * program depend on it; whoever reckons with them takes the library of their choice, which reads this text. What
 * comes from the server is canonical: plain digits, no zeros at the end of a fraction, no `-0`.
 */

const DIGITS_MAX = 38;

/** The number that is `mantissa / 10 ** scale`. */
export interface Decimal {
  readonly mantissa: bigint;
  readonly scale: number;
}

const FORM = /^([+-]?)(\d*)(?:\.(\d*))?(?:e([+-]?\d+))?$/i;

/** Reads digits with a sign, a point and an exponent; undefined for other text and for what would have to be rounded. */
export function parseDecimal(text: string): Decimal | undefined {
  const [, sign, whole = "", fraction = "", exponent = "0"] = FORM.exec(text) ?? [];
  if (sign === undefined || whole + fraction === "") return undefined;
  const digits = (whole + fraction).replace(/^0+/, "");
  const significant = digits.replace(/0+$/, "");
  if (significant === "") return { mantissa: 0n, scale: 0 };
  // The power of ten behind the significant digits.
  const power = Number(exponent) - fraction.length + digits.length - significant.length;
  const scale = Math.max(0, -power);
  if (significant.length + Math.max(0, power) > DIGITS_MAX || scale > DIGITS_MAX) return undefined;
  const mantissa = BigInt(significant) * 10n ** BigInt(Math.max(0, power));
  return { mantissa: sign === "-" ? -mantissa : mantissa, scale };
}

/** Plain digits. */
export function formatDecimal({ mantissa, scale }: Decimal): string {
  if (scale === 0) return String(mantissa);
  const digits = String(mantissa < 0n ? -mantissa : mantissa).padStart(scale + 1, "0");
  const point = digits.length - scale;
  return `${mantissa < 0n ? "-" : ""}${digits.slice(0, point)}.${digits.slice(point)}`;
}

/** The order of two canonical texts by value. */
export function compareDecimals(a: string, b: string): number {
  const [negative, otherNegative] = [a.startsWith("-"), b.startsWith("-")];
  if (negative !== otherNegative) return negative ? -1 : 1;
  return negative ? compareDigits(b.slice(1), a.slice(1)) : compareDigits(a, b);
}

function compareDigits(a: string, b: string): number {
  const lengths = wholeLength(a) - wholeLength(b);
  // The point sorts before the digits, so of equal whole parts the one without a fraction comes first.
  return lengths || (a < b ? -1 : a > b ? 1 : 0);
}

function wholeLength(text: string): number {
  const point = text.indexOf(".");
  return point < 0 ? text.length : point;
}
