/**
 * Asks the retry function of a kind about a failed attempt. User code: whatever it does, there is an answer within
 * its time; what went wrong with it is told, and then rules and back-off decide.
 */

import type { ErrorRecord } from '../domain/attempt.ts';
import type { Clock } from '../domain/clock.ts';
import type { RetryAnswer } from '../domain/decide-ending.ts';
import type { RetryFunction } from '../domain/kinds.ts';
import { validateRetryAnswer } from '../domain/retry.ts';

/** How long its promise is awaited. */
const answerMaxMs = 1_000;

/** At once where the function answers at once. Never throws, never rejects. */
export function askRetry(
  retry: RetryFunction,
  error: ErrorRecord,
  attempt: number,
  around: { readonly clock: Clock; readonly onTrouble: (why: unknown) => void },
): RetryAnswer | Promise<RetryAnswer> {
  try {
    const answer: unknown = retry(error, attempt);
    if (!isThenable(answer)) return validateRetryAnswer(answer);
    return inTime(answer, around.clock)
      .then(validateRetryAnswer)
      .catch((why: unknown) => {
        around.onTrouble(why);
        return undefined;
      });
  } catch (why) {
    around.onTrouble(why);
    return undefined;
  }
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return typeof value === 'object' && value !== null && 'then' in value && typeof value.then === 'function';
}

function inTime(answer: PromiseLike<unknown>, clock: Clock): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const late = new Error(`it did not answer within ${answerMaxMs} ms`);
    const takeBack = clock.after(answerMaxMs, () => reject(late));
    answer.then(
      (value) => {
        takeBack();
        resolve(value);
      },
      (why: unknown) => {
        takeBack();
        reject(why);
      },
    );
  });
}
