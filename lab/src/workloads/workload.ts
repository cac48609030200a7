/**
 * A workload: one kind of jobs, what callers ask for, what the handler does, and what must hold of it whatever
 * breaks. The lab runs all of them at once. Callers, workers and the verdict share this description.
 */
import type { EnqueueOptions, JobContext, LimitDeclaration, ScheduleDeclaration } from '@lineshaft/core';
import type { Random } from '../random.ts';
import type { JobAccount } from '../verdict/account.ts';
import type { Evidence } from '../verdict/evidence.ts';

/** What a caller notes of a request besides its ref and id. */
export interface Ask {
  readonly workload: string;
  readonly expect: 'succeeded' | 'failed';
  readonly delayMs?: number;
  /** Of a unique key, a limit or an order, as the workload has it. */
  readonly key?: string;
  /** Attempts that are to fail before one succeeds. */
  readonly failures?: number;
}

/** What the payload of each job of the lab has. */
export interface LabPayload {
  readonly ref: string;
  /** How long the handler works. */
  readonly ms: number;
  readonly key?: string;
  readonly failures?: number;
  /** By the monotonic clock. */
  readonly snoozeUntil?: number;
}

/** The name of a job in the ledger; those of schedules have no caller that names them. */
export function refOf(payload: Partial<LabPayload>, id: string): string {
  return payload.ref ?? `tick ${id}`;
}

export interface Request {
  readonly ask: Omit<Ask, 'workload'>;
  readonly payload: Omit<LabPayload, 'ref'>;
  readonly options: EnqueueOptions;
}

export interface Workload {
  /** Also the kind: `lab.<name>`. */
  readonly name: string;
  /** How many of 100 requests are of this workload; 0 for jobs that nobody asks for directly. */
  readonly share: number;
  /** Declared before the run. */
  readonly limits?: readonly LimitDeclaration[];
  /** Declared before the run, into the queue of the lab; paused when it is worked off. */
  readonly schedules?: readonly ScheduleDeclaration[];
  /** @param nowMs monotonic, for what is relative to now */
  request(random: Random, nowMs: number): Request;
  /** Runs after the handler has worked for `payload.ms`; returns, throws or snoozes. */
  finish(payload: LabPayload, job: JobContext): unknown;
  /** What was wrong, a sentence for each. Loss and duplicates are judged for all workloads alike. */
  violations(jobs: readonly JobAccount[], evidence: Evidence): string[];
}
