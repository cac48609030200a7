/** What attempts said of the limits that their jobs were under: real costs, and that a service wants to be left alone. */

import type { Result } from './completer.ts';
import type { Outcome } from './executors/port.ts';
import type { HeldJob } from './held-job.ts';

/** One line for `settle_limits.sql`. */
export interface Settlement {
  /** The keyed lane from which the job was claimed, and what it took of each of its limits. */
  readonly lane: number;
  readonly costs: readonly number[] | null;
  /** Null: the default of the job. */
  readonly limit: string | null;
  readonly spent?: number;
  /** Nothing starts under it for so long. */
  readonly closedMs?: number;
}

/** Names of limits that one attempt may speak of: more than a job can be under. */
const namesMax = 8;

export function noteSpent(job: HeldJob, limit: string, amount: number): void {
  job.spent ??= new Map();
  if (job.spent.size < namesMax || job.spent.has(limit)) job.spent.set(limit, amount);
}

/** A failure that says when to ask again is, for a job under limits, a snooze that closes its limit. */
export function throttledOutcome(job: HeldJob, outcome: Outcome): Outcome {
  if (outcome.type !== 'failed' || outcome.retryAfterMs === undefined) return outcome;
  if (job.keyed === undefined || !outcome.retryable) return outcome;
  return { type: 'snoozed', delayMs: outcome.retryAfterMs, closes: '' };
}

export function settlementsOf({ job, ending }: Result): Settlement[] {
  const { keyed: lane, costs, spent } = job;
  if (lane === undefined) return [];
  const lines: Settlement[] = [...(spent ?? [])].map(([limit, amount]) => ({
    ...{ lane, costs, limit: limit === '' ? null : limit, spent: amount },
  }));
  if (ending.type === 'later' && ending.closes !== undefined) {
    const limit = ending.closes === '' ? null : ending.closes;
    lines.push({ lane, costs, limit, closedMs: ending.delayMs });
  }
  return lines;
}
