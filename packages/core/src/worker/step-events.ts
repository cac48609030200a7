/** How an attempt of a step ended, in the words of workflows: what its run is told. Pure. */

import type { RunEvent } from '../domain/workflow/decision.ts';
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
  const told = {
    type: 'reported',
    stepId: job.jobId,
    workerId: workerName,
    startedAt,
    pollCount: 1,
  } as const;
  switch (ending.type) {
    case 'succeeded':
      if (isDoneHere(job.kind)) return { ...told, ...outcomeOf(ending) };
      return { ...told, status: 'COMPLETED', output: outputOf(ending) };
    case 'cancelled':
      return { ...told, status: 'CANCELED', output: {}, reason: ending.reason.slice(0, reasonMost) };
    default: {
      const final = ending.type === 'dead' && ending.reason === 'not-retryable';
      return {
        ...told,
        status: final ? 'FAILED_WITH_TERMINAL_ERROR' : 'FAILED',
        output: {},
        reason: error?.message.slice(0, reasonMost),
      };
    }
  }
}

/** Of a step that workers do by themselves (`workflow/built-in-steps.ts`): its handler says how it ended. */
function outcomeOf(ending: Succeeded): Pick<Reported, 'status' | 'output' | 'reason'> {
  const { status = 'COMPLETED', output, reason } = outputOf(ending) as Partial<Reported>;
  return { status, output: output ?? {}, reason: reason?.slice(0, reasonMost) };
}

/** What a handler returned as the output of its step: an object as it is, anything else as `result`, nothing as nothing. */
function outputOf({ outputText, output }: Succeeded): Readonly<Record<string, unknown>> {
  if (output === undefined && outputText === undefined) return {};
  const value: unknown = output === undefined ? JSON.parse(outputText ?? 'null') : output.value;
  if (value === null) return {};
  if (typeof value === 'object' && !Array.isArray(value)) return value as Record<string, unknown>;
  return { result: value };
}
