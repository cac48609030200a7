import { expect, test } from 'vitest';
import { validateLimits, validateRetention } from './limits.ts';

test.each([[{}], [{ timeoutMs: 1 }], [{ timeoutMs: 604_800_000, memoryBytes: 16_777_216 }]])(
  'the limits %j are accepted',
  (limits) => {
    expect(validateLimits(limits)).toEqual(limits);
  },
);

test.each([
  [{ timeoutMs: 604_800_001 }, 'limits.timeoutMs must be a whole number from 1 to 604800000, not 604800001'],
  [
    { memoryBytes: '64M' },
    "limits.memoryBytes must be a whole number from 16777216 to 1125899906842624, not '64M'",
  ],
  [{ memory: 1 }, "there is no option 'limits.memory'"],
  [null, 'limits must be an object, not null'],
])('the limits %j are refused: %s', (limits, message) => {
  expect(() => validateLimits(limits)).toThrow(message);
});

test.each([[{}], [{ succeededMs: 0 }], [{ succeededMs: 1, failedMs: 2, cancelledMs: 315_360_000_000 }]])(
  'the retention %j is accepted',
  (retention) => {
    expect(validateRetention(retention)).toEqual(retention);
  },
);

test.each([
  [{ failedMs: -1 }, 'retention.failedMs must be a whole number from 0 to 315360000000, not -1'],
  [{ failedMS: 1 }, "there is no option 'retention.failedMS'; did you mean 'retention.failedMs'?"],
  [0, 'retention must be an object, not 0'],
])('the retention %j is refused: %s', (retention, message) => {
  expect(() => validateRetention(retention)).toThrow(message);
});
