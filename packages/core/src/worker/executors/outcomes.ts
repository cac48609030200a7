/** Outcomes, and the errors in them, that more than one executor gives. */

import type { ErrorRecord } from '../../domain/attempt.ts';
import { isRetryable, recordError } from '../../domain/attempt.ts';
import type { ErrorCode } from '../../domain/errors.ts';
import { errorCatalogue, LineshaftError } from '../../domain/errors.ts';
import { retryAfterMs } from '../../domain/retry-after.ts';
import { outputMaxLength } from './bounds.ts';
import type { Attempt, Outcome } from './port.ts';

/** Why an attempt is asked to end before its time. */
export type Interruption = 'cancelled' | 'shutdown' | 'lease-lost' | 'time-limit';

/** Success that has nothing to say: by far the most frequent outcome, made once. */
export const succeededEmpty: Outcome = Object.freeze({
  type: 'succeeded',
  outputText: undefined,
  enqueue: Object.freeze([]),
});

export const returned: Outcome = Object.freeze({ type: 'returned' });

/** The outcome for whatever a handler threw. Never throws. */
export function failedWith(thrown: unknown): Outcome {
  const failed = { type: 'failed', error: recordError(thrown), retryable: readRetryable(thrown) } as const;
  const afterMs = retryAfterMs(thrown, Date.now());
  return afterMs === undefined ? failed : { ...failed, retryAfterMs: afterMs };
}

/**
 * The outcome for trouble that Lineshaft itself names; without a stack, which would show none of the user's
 * code.
 */
export function failedAs(code: ErrorCode, message: string): Outcome {
  return { type: 'failed', error: recordAs(code, message), retryable: errorCatalogue[code].retryable };
}

/** The record of an error of Lineshaft's, without a stack. */
export function recordAs(code: ErrorCode, message: string): ErrorRecord {
  const { stack: _, ...record } = recordError(new LineshaftError(code, { message }));
  return record;
}

/** The outcome of an attempt that was interrupted and did not succeed nevertheless. */
export function interruptedOutcome(why: Interruption, attempt: Attempt): Outcome {
  if (why === 'cancelled') return { type: 'cancelled', reason: 'cancelled while it ran' };
  if (why === 'time-limit') return failedAs('TIME_LIMIT_EXCEEDED', timeLimitMessage(attempt));
  return returned;
}

/** What `job.signal.reason` is. */
export function interruptionError(why: Interruption, attempt: Attempt): LineshaftError {
  if (why === 'time-limit') {
    return new LineshaftError('TIME_LIMIT_EXCEEDED', { message: timeLimitMessage(attempt) });
  }
  if (why === 'lease-lost') {
    return new LineshaftError('LEASE_LOST', { message: 'the worker lost the lease of this job' });
  }
  const message = why === 'shutdown' ? 'the worker stops' : 'the job was cancelled';
  return new LineshaftError('ATTEMPT_CANCELLED', { message, details: { reason: why } });
}

/** The outcome of an attempt whose kind the executor was not started with. */
export function unknownKind(attempt: Attempt): Outcome {
  return failedAs(
    'HANDLER_INVALID',
    `there is no handler for the kind '${attempt.kind}'; add it to the worker`,
  );
}

/** JSON text of what a handler returned; undefined for undefined. @throws OUTPUT_INVALID */
export function encodeOutput(value: unknown): string | undefined {
  if (value === undefined) return undefined;
  let text: string | undefined;
  try {
    text = JSON.stringify(value);
  } catch (cause) {
    throw new LineshaftError('OUTPUT_INVALID', {
      message: `the handler returned what cannot be kept as JSON: ${recordError(cause).message}`,
      cause,
    });
  }
  if (text === undefined)
    throw outputInvalid(`the handler returned a ${typeof value}, which JSON does not have`);
  checkOutput(text);
  return text;
}

/** Refuses a text that PostgreSQL or a message could not hold. @throws OUTPUT_INVALID */
export function checkOutput(text: string): void {
  if (text.length > outputMaxLength) {
    throw outputInvalid(`the output has ${text.length} characters; at most ${outputMaxLength} are possible`);
  }
  if (text.includes('\\u0000') && hasNul(text)) {
    throw outputInvalid('the output has a NUL character, which PostgreSQL cannot hold');
  }
}

/** Whether a JSON text has an escaped NUL character (and not an escaped backslash before `u0000`). */
function hasNul(text: string): boolean {
  return /(?<!\\)(?:\\\\)*\\u0000/.test(text);
}

function outputInvalid(message: string): LineshaftError {
  return new LineshaftError('OUTPUT_INVALID', { message });
}

function timeLimitMessage(attempt: Attempt): string {
  return `the attempt ran longer than its time limit of ${attempt.timeoutMs ?? 0} ms`;
}

/** Whether what was thrown may be tried again. Never throws, whatever it is. */
export function readRetryable(thrown: unknown): boolean {
  try {
    return isRetryable(thrown);
  } catch {
    return true;
  }
}
