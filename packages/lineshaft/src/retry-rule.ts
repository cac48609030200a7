/** Retry rules as they are written on the command line, and as they are shown. */

import type { RetryRule } from '@lineshaft/core';
import { describeDuration, parseDuration } from './durations.ts';
import { UsageError } from './usage-error.ts';

const field = '--retry-rule';

/** `TimeoutError=fail`, `ECONNREFUSED=20`, `/too many/i=fixed:1m`; may be given several times; `none`: no rules. */
export function retryRule(text: string, previous: RetryRule[] = []): RetryRule[] {
  if (text === 'none') return [];
  const split = text.lastIndexOf('=');
  const error = text.slice(0, split);
  const action = text.slice(split + 1);
  if (split < 1) throw refused(text);
  if (action === 'fail') return [...previous, { error, fail: true }];
  if (/^\d+$/.test(action)) return [...previous, { error, maxAttempts: Number(action) }];
  const [, type, delay = ''] = /^(fixed|linear|exponential):(.+)$/.exec(action) ?? [];
  if (type !== 'fixed' && type !== 'linear' && type !== 'exponential') throw refused(text);
  return [...previous, { error, backoff: { type, delayMs: parseDuration(delay, field) } }];
}

/** As it would be written. */
export function describeRetryRule({ error, fail, maxAttempts, backoff }: RetryRule): string {
  const parts = [
    fail === true ? 'fail' : undefined,
    maxAttempts === undefined ? undefined : `${maxAttempts} attempts`,
    backoff === undefined ? undefined : `${backoff.type} from ${describeDuration(backoff.delayMs)}`,
  ];
  return `${error}: ${parts.filter((part) => part !== undefined).join(', ')}`;
}

function refused(text: string): UsageError {
  return new UsageError(
    `${field} must be ERROR=fail, ERROR=ATTEMPTS or ERROR=TYPE:DELAY, such as TimeoutError=fixed:5s, not '${text}'`,
    { field },
  );
}
