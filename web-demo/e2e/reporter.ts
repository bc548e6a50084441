/** The last line of a run: how many passed and failed. What was not run has not passed. */

import type { Reporter, TestModule } from "vitest/node";

export default class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[]): void {
    let [passed, failed] = [0, 0];
    for (const module of modules) {
      for (const test of module.children.allTests()) {
        if (test.ok() && test.result().state === "passed") passed++;
        else failed++;
      }
      if (module.errors().length > 0) failed++;
    }
    // After what the other reporters print.
    process.once("exit", () => process.stdout.write(`${passed} passed, ${failed} failed\n`));
  }
}
