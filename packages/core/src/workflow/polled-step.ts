/** What a poll asks for, checked, and a step that a claim has taken for it, as its worker gets it. Pure. */

import { boundedText, maxDurationMs, wholeNumber } from '../domain/fields.ts';
import type { Step } from '../domain/workflow/run.ts';
import type { PolledStep, PollRequest } from './port.ts';

/** @throws LineshaftError OPTION_INVALID */
export function checkPoll({ kind, domain, workerId, count, timeoutMs }: PollRequest): void {
  boundedText(kind, 'kind', 1, 500);
  if (domain !== undefined) boundedText(domain, 'domain', 0, 500);
  boundedText(workerId, 'workerId', 0, 500);
  wholeNumber(count, 'count', 1, 1_000);
  wholeNumber(timeoutMs, 'timeoutMs', 0, maxDurationMs);
}

/** @param takenAt ms since 1970; its row does not say that it was taken, since a poll writes none */
export function polledStep(
  step: Step,
  run: PolledStep['run'],
  workerId: string,
  takenAt: number,
): PolledStep {
  return {
    step: {
      ...step,
      status: 'IN_PROGRESS',
      startedAt: step.startedAt ?? takenAt,
      updatedAt: takenAt,
      workerId,
      pollCount: step.pollCount + 1,
      callbackAfterSeconds: 0,
    },
    run,
  };
}
