import { defineConfig } from 'vitest/config';
import { CountingReporter } from './tools/vitest-reporter.ts';

export default defineConfig({
  test: {
    include: ['packages/**/src/**/*.test.ts', 'test/**/*.test.ts', 'tools/**/*.test.ts', 'lab/**/*.test.ts'],
    globalSetup: ['./tools/vitest-global-setup.ts'],
    reporters: [new CountingReporter({ summary: false })],
    pool: 'forks',
    maxWorkers: '100%',
    testTimeout: 30_000,
    // A second, the default, is soon over on a machine with more to do.
    expect: { poll: { timeout: 15_000 } },
    hookTimeout: 60_000,
    teardownTimeout: 30_000,
  },
});
