/** A line of history, as `completion-groups.ts` writes it and the SQL function `entry_of` does. Pure. */

import type { ErrorRecord } from '../domain/attempt.ts';
import type { StoredOptions } from '../domain/job-options.ts';

export interface HistoryEntry {
  readonly id: string;
  readonly laneId: number;
  readonly state: 'succeeded' | 'cancelled';
  readonly attempt: number;
  readonly createdMs: number;
  readonly startedMs: number | undefined;
  readonly finishedMs: number;
  readonly worker: string | undefined;
  readonly payload: unknown;
  readonly output: unknown;
  readonly reason: string | undefined;
  readonly options: StoredOptions;
  readonly errors: readonly ErrorRecord[];
}

type Line = [
  number,
  HistoryEntry['state'],
  number,
  number,
  number | null,
  number,
  string | null,
  unknown,
  unknown,
  { reason?: string; options?: StoredOptions; errors?: ErrorRecord[] },
];

/** Reads the line of a job: [lane, outcome, attempt, createdMs, startedMs, finishedMs, worker, payload, output, extra]. */
export function readEntry(id: string, line: string): HistoryEntry {
  const [laneId, state, attempt, createdMs, startedMs, finishedMs, worker, payload, output, extra] =
    JSON.parse(line) as Line;
  return {
    id,
    laneId,
    state,
    attempt,
    createdMs,
    startedMs: startedMs ?? undefined,
    finishedMs,
    worker: worker ?? undefined,
    payload,
    output: output ?? undefined,
    reason: extra.reason,
    options: extra.options ?? {},
    errors: extra.errors ?? [],
  };
}
