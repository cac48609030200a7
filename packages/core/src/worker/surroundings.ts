/**
 * Runs attempts with the middlewares of plugins around them. The executor's outcome is kept until the middlewares are
 * through, and then given on as it was; an attempt that is to end before its handler was reached never starts.
 */

import type { Hooks } from '../plugins/hooks.ts';
import { HeldAttemptFacts, resultOf } from './attempt-facts.ts';
import { returned } from './executors/outcomes.ts';
import type { Attempt, AttemptEvent, AttemptListener, Outcome } from './executors/port.ts';
import type { HeldJob } from './held-job.ts';

export class Surroundings {
  private readonly around: NonNullable<Hooks['around']>;
  private readonly listener: AttemptListener;
  /** Attempts whose middlewares have not called `next` yet; true: they are to end. */
  private readonly before = new Map<HeldJob, boolean>();

  /** @param listener gets what the executor tells, the outcome last */
  constructor(around: NonNullable<Hooks['around']>, listener: AttemptListener) {
    this.around = around;
    this.listener = listener;
  }

  run(job: HeldJob, execute: (listener: AttemptListener) => void): void {
    const { listener } = this;
    this.before.set(job, false);
    let outcome: Outcome = returned;
    const inside = (): Promise<ReturnType<typeof resultOf>> => {
      const ending = this.before.get(job) === true;
      this.before.delete(job);
      if (ending) return Promise.resolve(resultOf(outcome));
      return new Promise((resolve) => {
        execute({
          onStart: (attempt: Attempt) => listener.onStart(attempt),
          onEvent: (attempt: Attempt, event: AttemptEvent) => listener.onEvent(attempt, event),
          onOutcome: (_attempt: Attempt, ended: Outcome) => {
            outcome = ended;
            resolve(resultOf(ended));
          },
        });
      });
    };
    // Not from within the outcome of another attempt: what the middleware sets up for its own code must reach the handler.
    queueMicrotask(() => {
      this.around(new HeldAttemptFacts(job), inside).then(
        () => listener.onOutcome(job, outcome),
        () => listener.onOutcome(job, outcome),
      );
    });
  }

  /** Asks an attempt to end that no executor has yet; false if there is none. */
  cancel(job: HeldJob): boolean {
    if (!this.before.has(job)) return false;
    this.before.set(job, true);
    return true;
  }
}
