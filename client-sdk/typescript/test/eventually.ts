import { vi } from "vitest";

/** Waits until the check passes; long enough for a machine that has other things to do. */
export function eventually(check: () => void): Promise<void> {
  return vi.waitFor(check, { timeout: 10_000, interval: 10 });
}
