/** Times are bigints: microseconds since the Unix epoch, or between two moments. */

/** A Timestamp as a Date, which drops the microseconds below a millisecond. */
export function toDate(timestamp: bigint): Date {
  // Rounds down before 1970 as well, as BigInt division does not.
  const ms = timestamp / 1000n - (timestamp % 1000n < 0n ? 1n : 0n);
  return new Date(Number(ms));
}
