/**
 * Decides what becomes of a job when an attempt of it has ended. Pure: the outcome and the policy go in, the
 * ending comes out; the store applies it.
 */

import { appendError, type ErrorRecord } from './attempt.ts';
import type { Backoff } from './job-options.ts';
import type { PlainCopy } from './plain-json.ts';
import { retryDelayMs } from './retry.ts';
import { matchingRule, type RetryRule } from './retry-rules.ts';

/** What must be known of a job to decide. */
export interface EndingFacts {
  readonly attemptsBefore: number;
  readonly maxAttempts: number;
  readonly backoff: Backoff;
  readonly errors: readonly ErrorRecord[];
  /** The first that matches the error decides; those of the kind stand before those of its queue. */
  readonly retryRules: readonly RetryRule[];
}

/** What a retry function answers: milliseconds until the next attempt, `fail`, or undefined: as the rules say. */
export type RetryAnswer = number | 'fail' | undefined;

/** What an attempt gave back, as JSON or, in place of that, as it is; neither: nothing. */
interface Output {
  readonly outputText: string | undefined;
  readonly output?: PlainCopy | undefined;
}

export type AttemptOutcome =
  | ({ readonly type: 'succeeded' } & Output)
  | {
      readonly type: 'failed';
      readonly error: ErrorRecord;
      readonly retryable: boolean;
      /** The next attempt is not before; unless the retry function answers. */
      readonly retryAfterMs?: number;
    }
  | { readonly type: 'snoozed'; readonly delayMs: number; readonly closes?: string }
  | { readonly type: 'cancelled'; readonly reason: string }
  | { readonly type: 'returned' };

export type Ending =
  | ({ readonly type: 'succeeded'; readonly attempt: number } & Output)
  | { readonly type: 'cancelled'; readonly attempt: number; readonly reason: string }
  | {
      readonly type: 'later';
      readonly attempt: number;
      readonly delayMs: number;
      readonly reason: 'r' | 's';
      readonly errors: readonly ErrorRecord[] | undefined;
      /** The limit of the job that is closed for so long; empty: its default. */
      readonly closes?: string;
    }
  | { readonly type: 'ready'; readonly attempt: number }
  | {
      readonly type: 'dead';
      readonly attempt: number;
      readonly reason: 'attempts' | 'not-retryable';
      readonly errors: readonly ErrorRecord[];
    };

/**
 * The ending of an attempt. A snooze and a return count no attempt; a failure counts one, and the last one that
 * is allowed, or one that says it is not retryable, makes a dead letter. Of who may say how a failure is tried
 * again the first decides: the error itself (not retryable), the retry function, the rules, the job.
 *
 * @param answer of the retry function of the kind, where it was asked
 * @param random from 0 up to 1, for the jitter of the back-off
 * @param nowMs milliseconds since 1970, kept with the error
 */
export function decideEnding(
  facts: EndingFacts,
  outcome: AttemptOutcome,
  random: number,
  nowMs: number,
  answer?: RetryAnswer,
): Ending {
  const attempt = facts.attemptsBefore + 1;
  switch (outcome.type) {
    case 'succeeded':
      return { type: 'succeeded', attempt, outputText: outcome.outputText, output: outcome.output };
    case 'cancelled':
      return { type: 'cancelled', attempt, reason: outcome.reason };
    case 'snoozed':
      return {
        type: 'later',
        attempt: facts.attemptsBefore,
        delayMs: outcome.delayMs,
        reason: 's',
        errors: undefined,
        ...(outcome.closes === undefined ? {} : { closes: outcome.closes }),
      };
    case 'returned':
      return { type: 'ready', attempt: facts.attemptsBefore };
    case 'failed': {
      const errors = appendError(facts.errors, {
        ...outcome.error,
        attempt,
        at: new Date(nowMs).toISOString(),
      });
      if (!outcome.retryable || answer === 'fail') {
        return { type: 'dead', attempt, reason: 'not-retryable', errors };
      }
      const rule = answer === undefined ? matchingRule(facts.retryRules, outcome.error) : undefined;
      if (rule?.fail === true) return { type: 'dead', attempt, reason: 'not-retryable', errors };
      if (attempt >= (rule?.maxAttempts ?? facts.maxAttempts)) {
        return { type: 'dead', attempt, reason: 'attempts', errors };
      }
      const backoffMs = retryDelayMs(rule?.backoff ?? facts.backoff, attempt, random);
      return {
        type: 'later',
        attempt,
        delayMs: answer ?? Math.max(backoffMs, outcome.retryAfterMs ?? 0),
        reason: 'r',
        errors,
      };
    }
  }
}
