/** What plugins see of held jobs: facts, made only where a plugin asks for them. */

import type { JobState } from '../domain/job.ts';
import type { AttemptEndFacts, AttemptFacts, AttemptResult, FinishedFacts } from '../plugin.ts';
import type { Result } from './completer.ts';
import type { Outcome } from './executors/port.ts';
import type { HeldJob } from './held-job.ts';

export class HeldAttemptFacts implements AttemptFacts {
  readonly #job: HeldJob;

  constructor(job: HeldJob) {
    this.#job = job;
  }

  get jobId(): string {
    return this.#job.jobId;
  }

  get kind(): string {
    return this.#job.kind;
  }

  get queue(): string {
    return this.#job.queue;
  }

  get attempt(): number {
    return this.#job.attempt;
  }

  get maxAttempts(): number {
    return this.#job.maxAttempts;
  }

  get labels(): Readonly<Record<string, string>> {
    return this.#job.labels;
  }

  get meta(): Readonly<Record<string, unknown>> {
    return this.#job.meta;
  }

  get payload(): unknown {
    return JSON.parse(this.#job.payloadText);
  }
}

export class HeldAttemptEnd extends HeldAttemptFacts implements AttemptEndFacts {
  readonly outcome: AttemptEndFacts['outcome'];
  readonly error: AttemptEndFacts['error'];
  readonly retryInMs: number | undefined;
  readonly durationMs: number;

  constructor(outcome: Outcome, { job, ending, finishedMs }: Result) {
    super(job);
    const { outcome: how, error } = resultOf(outcome);
    this.outcome = how;
    this.error = error;
    this.retryInMs = ending.type === 'later' ? ending.delayMs : undefined;
    this.durationMs = job.startedMs > 0 ? finishedMs - job.startedMs : 0;
  }
}

export function resultOf(outcome: Outcome): AttemptResult {
  return { outcome: outcome.type, error: outcome.type === 'failed' ? outcome.error : undefined };
}

export function finishedFacts(results: readonly Result[]): FinishedFacts[] {
  return results.map(({ job, ending, finishedMs }) => ({
    jobId: job.jobId,
    kind: job.kind,
    queue: job.queue,
    attempt: job.attempt,
    state: stateOf(ending),
    durationMs: job.startedMs > 0 ? finishedMs - job.startedMs : 0,
  }));
}

function stateOf(ending: Result['ending']): JobState {
  if (ending.type === 'later') return ending.reason === 'r' ? 'retrying' : 'scheduled';
  return ending.type === 'dead' ? 'failed' : ending.type;
}
