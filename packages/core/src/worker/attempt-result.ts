/** What is written of an attempt that has ended: its outcome, judged by the rules of its job. */

import { recordError } from '../domain/attempt.ts';
import { type AttemptOutcome, decideEnding, type RetryAnswer } from '../domain/decide-ending.ts';
import { LineshaftError } from '../domain/errors.ts';
import type { PreparedJob } from '../queue/enqueue-batch.ts';
import type { Result } from './completer.ts';
import type { Outcome } from './executors/port.ts';
import type { HeldJob } from './held-job.ts';
import type { RunnerHost } from './runner.ts';

type Judge = Pick<RunnerHost, 'kinds' | 'outputMaxBytes' | 'prepare' | 'random'>;

interface Ended {
  readonly finishedMs: number;
  /** What the kind's own retry function said. */
  readonly answer: RetryAnswer;
}

const nothing: readonly PreparedJob[] = [];

export function resultOf(judge: Judge, job: HeldJob, outcome: Outcome, ended: Ended): Result {
  const { finishedMs } = ended;
  if (outcome.type === 'succeeded' && isEmpty(outcome)) {
    // By far the most frequent; nothing in it can be wrong.
    const ending = decideEnding(job, outcome, 0, finishedMs);
    return { job, ending, finishedMs, enqueue: nothing };
  }
  if (outcome.type === 'failed') return failure(judge, job, outcome, ended);
  const ending = (of: AttemptOutcome, enqueue: readonly PreparedJob[] = nothing): Result => ({
    job,
    ending: decideEnding(job, of, judge.random(), finishedMs),
    finishedMs,
    enqueue,
  });
  if (outcome.type !== 'succeeded') return ending(outcome);
  const length = outputLength(outcome, judge.outputMaxBytes);
  if (length > judge.outputMaxBytes)
    return ending(failedForGood(outputTooLarge(length, judge.outputMaxBytes)));
  if (outcome.enqueue.length === 0) return ending(outcome);
  let enqueue: PreparedJob[];
  try {
    enqueue = outcome.enqueue.map((request) => judge.prepare(request));
  } catch (error) {
    return ending(failedForGood(error));
  }
  return ending(outcome, enqueue);
}

type Succeeded = Extract<Outcome, { readonly type: 'succeeded' }>;

function isEmpty({ outputText, output, enqueue }: Succeeded): boolean {
  return outputText === undefined && output === undefined && enqueue.length === 0;
}

/** Characters of an output as JSON; of one that is surely within `most` as many as it may have. */
function outputLength({ outputText, output }: Succeeded, most: number): number {
  if (output === undefined) return outputText?.length ?? 0;
  return output.lengthMost <= most ? output.lengthMost : JSON.stringify(output.value).length;
}

/** The outcome for what cannot get better by trying again. */
export function failedForGood(error: unknown): AttemptOutcome & { type: 'failed' } {
  return { type: 'failed', error: recordError(error), retryable: false };
}

function failure(
  judge: Judge,
  job: HeldJob,
  outcome: AttemptOutcome & { type: 'failed' },
  { finishedMs, answer }: Ended,
): Result {
  const { attemptsBefore, maxAttempts, backoff, errors } = job;
  const ofKind = judge.kinds.get(job.kind)?.definition?.retryRules ?? [];
  const retryRules = [...ofKind, ...job.retryRules];
  const facts = { attemptsBefore, maxAttempts, backoff, errors, retryRules };
  const ending = decideEnding(facts, outcome, judge.random(), finishedMs, answer);
  return { job, ending, finishedMs, enqueue: nothing };
}

function outputTooLarge(bytes: number, most: number): LineshaftError {
  return new LineshaftError('OUTPUT_INVALID', {
    message: `the output has ${bytes} characters of JSON; at most ${most} are kept (outputMaxBytes)`,
  });
}
