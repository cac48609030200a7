/**
 * Limits of attempts, and how long finished jobs are remembered: checks that jobs, kinds and queues share.
 * Pure.
 */

import { fieldsOf, maxDurationMs, refuseUnknown, wholeNumber } from './fields.ts';
import type { AttemptLimits, QueueRetention, Retention } from './job-options.ts';

/** The longest time limit of an attempt. */
export const maxTimeoutMs = 604_800_000;
/** The shortest lease of a single job. */
const minLeaseMs = 1_000;
/** The smallest memory limit of an attempt: less than a thread or process needs to start. */
export const minMemoryBytes = 16 * 1024 * 1024;
export const maxMemoryBytes = 2 ** 50;

/**
 * Limits of an attempt: `timeoutMs` up to 7 days, `memoryBytes` 16 MiB to 1 PiB, `leaseMs` 1 s to 7 days.
 *
 * @throws OPTION_INVALID, OPTION_UNKNOWN
 */
export function validateLimits(value: unknown, field = 'limits'): AttemptLimits {
  const fields = fieldsOf(value, field);
  refuseUnknown(fields, ['timeoutMs', 'memoryBytes', 'leaseMs'], `${field}.`);
  const { timeoutMs, memoryBytes, leaseMs } = fields;
  return {
    ...(timeoutMs === undefined
      ? {}
      : { timeoutMs: wholeNumber(timeoutMs, `${field}.timeoutMs`, 1, maxTimeoutMs) }),
    ...(memoryBytes === undefined
      ? {}
      : { memoryBytes: wholeNumber(memoryBytes, `${field}.memoryBytes`, minMemoryBytes, maxMemoryBytes) }),
    ...(leaseMs === undefined
      ? {}
      : { leaseMs: wholeNumber(leaseMs, `${field}.leaseMs`, minLeaseMs, maxTimeoutMs) }),
  };
}

const retentionFields = ['succeededMs', 'failedMs', 'cancelledMs'] as const;
const boundFields = ['succeededMax', 'failedMax', 'cancelledMax'] as const;
/** More jobs than this are never counted. */
const maxKept = 1_000_000_000;

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

/**
 * How long a queue's finished jobs are remembered, and how many of them: the bounds are 0 to 1,000,000,000, or null.
 *
 * @throws OPTION_INVALID, OPTION_UNKNOWN
 */
export function validateQueueRetention(value: unknown, field = 'retention'): QueueRetention {
  const fields = fieldsOf(value, field);
  refuseUnknown(fields, [...retentionFields, ...boundFields], `${field}.`);
  const bounds: { -readonly [Name in (typeof boundFields)[number]]?: number | null } = {};
  const rest = { ...fields };
  for (const name of boundFields) {
    const bound = fields[name];
    delete rest[name];
    if (bound === undefined) continue;
    bounds[name] = bound === null ? null : wholeNumber(bound, `${field}.${name}`, 0, maxKept);
  }
  return { ...validateRetention(rest, field), ...bounds };
}
