/**
 * Limits of attempts, and how long finished jobs are remembered: checks that jobs, kinds and queues share.
 * Pure.
 */

import { fieldsOf, maxDurationMs, refuseUnknown, wholeNumber } from './fields.ts';
import type { AttemptLimits, Retention } from './job-options.ts';

/** The longest time limit of an attempt. */
export const maxTimeoutMs = 604_800_000;
/** The smallest memory limit of an attempt: less than a thread or process needs to start. */
export const minMemoryBytes = 16 * 1024 * 1024;
export const maxMemoryBytes = 2 ** 50;

/**
 * Limits of an attempt: `timeoutMs` 1 to 7 days, `memoryBytes` 16 MiB to 1 PiB.
 *
 * @throws OPTION_INVALID, OPTION_UNKNOWN
 */
export function validateLimits(value: unknown, field = 'limits'): AttemptLimits {
  const fields = fieldsOf(value, field);
  refuseUnknown(fields, ['timeoutMs', 'memoryBytes'], `${field}.`);
  const { timeoutMs, memoryBytes } = fields;
  return {
    ...(timeoutMs === undefined
      ? {}
      : { timeoutMs: wholeNumber(timeoutMs, `${field}.timeoutMs`, 1, maxTimeoutMs) }),
    ...(memoryBytes === undefined
      ? {}
      : { memoryBytes: wholeNumber(memoryBytes, `${field}.memoryBytes`, minMemoryBytes, maxMemoryBytes) }),
  };
}

const retentionFields = ['succeededMs', 'failedMs', 'cancelledMs'] as const;

/**
 * How long finished jobs are remembered, by how they finished: each 0 (forgotten at once) to ten years.
 *
 * @throws OPTION_INVALID, OPTION_UNKNOWN
 */
export function validateRetention(value: unknown, field = 'retention'): Retention {
  const fields = fieldsOf(value, field);
  refuseUnknown(fields, retentionFields, `${field}.`);
  const checked: { -readonly [Name in keyof Retention]: Retention[Name] } = {};
  for (const name of retentionFields) {
    const time = fields[name];
    if (time !== undefined) checked[name] = wholeNumber(time, `${field}.${name}`, 0, maxDurationMs);
  }
  return checked;
}
