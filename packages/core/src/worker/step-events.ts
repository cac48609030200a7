/** How an attempt of a step ended, in the words of workflows: what its run is told. Pure. */

import type { RunEvent } from '../domain/workflow/decision.ts';
import type { JsonObject } from '../domain/workflow/definition.ts';
import { isDoneHere } from '../domain/workflow/steps/worker.ts';
import type { Result } from './completer.ts';

/** As Conductor keeps of a reason. */
const reasonMost = 500;

type Succeeded = Extract<Result['ending'], { readonly type: 'succeeded' }>;
type Reported = Extract<RunEvent, { readonly type: 'reported' }>;

/** Whether the result ends the attempt of a step: then its run decides what follows, and not the rules of jobs. */
export function endsStep({ job, ending }: Result): boolean {
  if (!job.runtime.queue.steps) return false;
  return (
    ending.type === 'succeeded' ||
    ending.type === 'cancelled' ||
    ending.type === 'dead' ||
    (ending.type === 'later' && ending.reason === 'r')
  );
}

/** @param clockOffsetMs by how much the clock of the database is ahead of ours */
export function stepEvent(result: Result, workerName: string, clockOffsetMs: number): RunEvent {
  const { job, ending } = result;
  const startedAt = Math.round((job.startedMs || result.finishedMs) + clockOffsetMs);
  const error = ending.type === 'dead' || ending.type === 'later' ? ending.errors?.at(-1) : undefined;
  if (error?.code === 'TIME_LIMIT_EXCEEDED' && job.options.limits?.timeoutMs !== undefined) {
    // The limit is that of the step's task: its run knows what a time-out means, once it knows when the attempt began.
    return { type: 'polled', stepId: job.jobId, workerId: workerName, at: startedAt };
  }
  const reported = (status: Reported['status'], output: JsonObject, reason?: string): Reported => ({
    type: 'reported',
    stepId: job.jobId,
    workerId: workerName,
    startedAt,
    pollCount: 1,
    status,
    output,
    reason: reason?.slice(0, reasonMost),
  });
  switch (ending.type) {
    case 'succeeded': {
      const output = outputOf(ending);
      if (!isDoneHere(job.kind)) return reported('COMPLETED', output);
      // Its handler says how it ended (`workflow/built-in-steps.ts`).
      const told = output as Partial<Reported>;
      return reported(told.status ?? 'COMPLETED', told.output ?? {}, told.reason);
    }
    case 'cancelled':
      return reported('CANCELED', {}, ending.reason);
    default: {
      const final = ending.type === 'dead' && ending.reason === 'not-retryable';
      return reported(final ? 'FAILED_WITH_TERMINAL_ERROR' : 'FAILED', {}, error?.message);
    }
  }
}

/** What a handler returned as the output of its step: an object as it is, anything else as `result`, nothing as nothing. */
function outputOf({ outputText, output }: Succeeded): JsonObject {
  if (output === undefined && outputText === undefined) return {};
  const value: unknown = output === undefined ? JSON.parse(outputText ?? 'null') : output.value;
  if (value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  return { result: value };
}
