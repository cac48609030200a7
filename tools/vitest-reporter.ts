/**
 * Vitest's own report, and after it one last line that programs can read: `N passed, N failed, N skipped`.
 */
import type { SerializedError } from 'vitest';
import { DefaultReporter, type TestModule, type TestRunEndReason } from 'vitest/node';

export class CountingReporter extends DefaultReporter {
  override onTestRunEnd(
    modules: readonly TestModule[],
    errors: readonly SerializedError[],
    reason: TestRunEndReason,
  ): void {
    super.onTestRunEnd(modules, errors, reason);
    const { passed, failed, skipped } = countTests(modules);
    // What failed outside of a test (a file that does not load, a lost rejection) fails the run too.
    const outside = errors.length + modules.filter((module) => module.errors().length > 0).length;
    process.once('exit', () => {
      process.stdout.write(`${passed} passed, ${failed + outside} failed, ${skipped} skipped\n`);
    });
  }
}

function countTests(modules: readonly TestModule[]): { passed: number; failed: number; skipped: number } {
  const count = { passed: 0, failed: 0, skipped: 0 };
  for (const module of modules) {
    for (const test of module.children.allTests()) {
      const { state } = test.result();
      if (state === 'pending') count.skipped += 1;
      else count[state] += 1;
    }
  }
  return count;
}
