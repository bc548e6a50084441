/** Numbers, times and names as people read them. */

const COUNT = new Intl.NumberFormat("en");
const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });

export function count(value: number | bigint): string {
  return COUNT.format(value);
}

/** `1 pixel`, `2,345 pixels`. */
export function counted(value: number | bigint, noun: string): string {
  return `${count(value)} ${noun}${BigInt(value) === 1n ? "" : "s"}`;
}

/** Bytes with three digits or so: `0 B`, `812 B`, `1.2 kB`, `34 kB`, `5.6 MB`. */
export function bytes(value: number): string {
  let rest = value;
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (rest < 999.5 || unit === "GB") {
      return `${unit === "B" || rest >= 9.95 ? Math.round(rest) : rest.toFixed(1)} ${unit}`;
    }
    rest /= 1000;
  }
  throw new RangeError("the loop ends at the last unit");
}

/** Milliseconds: `–` if not known, `0.4 ms`, `12 ms`, `1.3 s`. */
export function milliseconds(value: number | null): string {
  if (value === null) return "–";
  if (value >= 999.5) return `${(value / 1000).toFixed(1)} s`;
  return `${value < 9.95 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** The time of day; with the date if it was another day than `now`. */
export function timeOf(date: Date, now = new Date()): string {
  const isToday = date.toDateString() === now.toDateString();
  return isToday ? TIME.format(date) : `${DAY.format(date)}, ${TIME.format(date)}`;
}

/** First letters of the first and the last word: `Quiet Otter` is `QO`. */
export function initials(name: string): string {
  const words = name.split(/\s+/).filter(Boolean);
  const letters = [words[0], words.length > 1 ? words.at(-1) : undefined];
  return letters.map((word) => [...(word ?? "")][0] ?? "").join("").toUpperCase();
}
