/** When a failed attempt is tried again. Pure: the random number is given. */

import { invalidOption } from './errors.ts';
import { anyNumber, fieldsOf, oneOf, refuseUnknown, wholeNumber } from './fields.ts';
import type { Backoff } from './job-options.ts';

const thirtyDaysMs = 2_592_000_000;
const defaultFactor = 2;
const defaultLimitMs = 3_600_000;
const defaultJitter = 0.2;

/** How a queue retries where nothing else is said: 1 s, 2 s, 4 s … up to an hour, a fifth of it random. */
export const defaultBackoff: Backoff = {
  type: 'exponential',
  delayMs: 1_000,
  factor: defaultFactor,
  limitMs: defaultLimitMs,
  jitter: defaultJitter,
};

/**
 * How long to wait after a failed attempt, in whole milliseconds; 0 to 30 days.
 *
 * The delay by its type is cut to `limitMs` (default: 1 hour, or `delayMs` if that is longer), and of what is
 * left the share `jitter` is random, always downwards: between delay × (1 − jitter) and delay. `jitter: 1` is
 * "full jitter", 0.5 "equal jitter" of M. Brooker, "Exponential Backoff And Jitter", AWS Architecture Blog,
 * 2015.
 *
 * @param attempt Number of the attempt that failed, 1 for the first.
 * @param random A random number from 0 to below 1.
 * @example retryDelayMs({ type: 'exponential', delayMs: 1000, jitter: 0 }, 4, 0) // 8000
 */
export function retryDelayMs(backoff: Backoff, attempt: number, random: number): number {
  const limit = backoff.limitMs ?? Math.max(defaultLimitMs, backoff.delayMs);
  const delay = Math.min(plainDelayMs(backoff, Math.max(1, attempt)), limit);
  const jitter = backoff.jitter ?? defaultJitter;
  return Math.round(delay * (1 - jitter + jitter * random));
}

function plainDelayMs(backoff: Backoff, attempt: number): number {
  if (backoff.delayMs === 0) return 0;
  switch (backoff.type) {
    case 'fixed':
      return backoff.delayMs;
    case 'linear':
      return backoff.delayMs * attempt;
    case 'exponential':
      return backoff.delayMs * (backoff.factor ?? defaultFactor) ** (attempt - 1);
  }
}

/**
 * What a retry function answered, checked; see `RetryFunction`.
 *
 * @throws OPTION_INVALID for anything but 0 to 30 days in milliseconds, `'fail'` and undefined.
 */
export function validateRetryAnswer(value: unknown): number | 'fail' | undefined {
  if (value === undefined || value === 'fail') return value;
  return Math.round(anyNumber(value, 'the answer of retry', 0, thirtyDaysMs));
}

const backoffFields = ['type', 'delayMs', 'factor', 'limitMs', 'jitter'];

/**
 * A back-off as the caller gave it, checked; its fields in one order.
 *
 * @throws OPTION_INVALID for a value out of its range, a `factor` without `exponential`, and a `limitMs`
 * below `delayMs`; OPTION_UNKNOWN for a field that does not exist.
 */
export function validateBackoff(value: unknown, field = 'backoff'): Backoff {
  const fields = fieldsOf(value, field);
  refuseUnknown(fields, backoffFields, `${field}.`);
  const type = oneOf(fields.type, `${field}.type`, ['fixed', 'linear', 'exponential']);
  const delayMs = wholeNumber(fields.delayMs, `${field}.delayMs`, 0, thirtyDaysMs);
  const { factor, limitMs, jitter } = fields;
  if (factor !== undefined && type !== 'exponential') {
    throw invalidOption(`${field}.factor`, factor, `left out with type '${type}'`);
  }
  return {
    type,
    delayMs,
    ...(factor === undefined ? {} : { factor: anyNumber(factor, `${field}.factor`, 1, 10) }),
    ...(limitMs === undefined
      ? {}
      : { limitMs: wholeNumber(limitMs, `${field}.limitMs`, delayMs, thirtyDaysMs) }),
    ...(jitter === undefined ? {} : { jitter: anyNumber(jitter, `${field}.jitter`, 0, 1) }),
  };
}
