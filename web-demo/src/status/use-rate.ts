/** Commits per second, as a short history. */

import { useClient } from "@syncline/react";
import { useEffect, useState } from "react";

const SAMPLE_MS = 1000;
export const SAMPLES = 40;

/** One number a second, the latest last. */
export function useCommitRate(): readonly number[] {
  const client = useClient();
  const [rates, setRates] = useState<readonly number[]>(() => Array.from({ length: SAMPLES }, () => 0));
  useEffect(() => {
    let before = client.stats.commits;
    const timer = setInterval(() => {
      const { commits } = client.stats;
      const rate = commits - before;
      before = commits;
      setRates((rates) => [...rates.slice(1), rate]);
    }, SAMPLE_MS);
    return () => clearInterval(timer);
  }, [client]);
  return rates;
}
