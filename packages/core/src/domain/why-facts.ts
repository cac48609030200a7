/**
 * What must be known to say why jobs wait, and what is said. The store gathers it by a few bounded statements; each source of reasons is
 * one field, so that a further one adds a field here, a statement there and a rule in `why.ts`. Types only.
 */

import type { Amounts } from './amounts.ts';
import type { ErrorRecord } from './attempt.ts';
import type { BuildPin } from './build.ts';
import type { JobState } from './job.ts';
import type { LiveWorker } from './serving.ts';
import type { LaneWants } from './wants.ts';

/** All times in ms since 1970, by the clock of the database. */
export interface SceneFacts {
  readonly nowMs: number;
  /** The workers that hold their lease and go on claiming. */
  readonly workers: readonly WorkerFacts[];
  /** The circuit breakers that are not closed. */
  readonly circuits: readonly OpenCircuitFacts[];
}

/** The circuit breaker of a kind that is left alone. */
export interface OpenCircuitFacts {
  readonly kind: string;
  readonly state: 'open' | 'half-open';
  /** When a few of its jobs are tried; undefined: when somebody closes it, or now. */
  readonly untilMs: number | undefined;
  readonly reason: string | undefined;
  readonly byHand: boolean;
  /** Half-open: jobs that are being tried. */
  readonly probing: number;
}

/** A schedule that would make jobs of what is asked about, and is paused. */
export interface PausedScheduleFacts {
  readonly name: string;
  readonly project: string;
  readonly kind: string;
  readonly sinceMs: number | undefined;
  readonly reason: string | undefined;
}

export interface WorkerFacts extends LiveWorker {
  readonly slots: number;
  /** What it has claimed and not ended, by queue and kind. */
  readonly holds: readonly HeldFacts[];
}

export interface HeldFacts {
  /** Slug of the queue. */
  readonly slug: string;
  readonly kind: string;
  readonly jobs: number;
  /** What one of these jobs needs. */
  readonly needs: Amounts;
}

export interface QueueFacts {
  readonly name: string;
  readonly project: string;
  readonly slug: string;
  readonly tags: readonly string[];
  readonly paused: boolean;
  readonly resumeAtMs: number | undefined;
  readonly concurrency: number;
}

/** Jobs that could run now and have everything in common that decides who may run them. */
export interface LaneFacts {
  readonly queue: QueueFacts;
  readonly kind: string;
  readonly requirements: readonly string[];
  readonly pin: BuildPin;
  readonly build: string;
  readonly needs: Amounts;
  readonly wants: LaneWants;
  /** How many wait, counted up to a bound. */
  readonly waiting: number;
  /** When the one that is asked about was due, or the first of them. */
  readonly dueMs: number;
  /** The limits of its jobs that leave no room now. */
  readonly fullLimits: readonly FullLimitFacts[];
}

/** A limit that leaves no room under the key of a job. */
export interface FullLimitFacts {
  readonly name: string;
  readonly project: string;
  /** Empty where the limit has no keys. */
  readonly key: string;
  readonly used: number;
  /** How much may be in use at once; undefined: any amount. */
  readonly concurrency: number | undefined;
  /** What one job takes of it. */
  readonly need: number;
  readonly perSecond: number | undefined;
  /** When there will be tokens for it. */
  readonly openMs: number | undefined;
  /** Nothing starts before, because a job said that it was throttled. */
  readonly closedMs: number | undefined;
  readonly fifo: boolean;
  /** The earlier job that has the key of a FIFO limit. */
  readonly holder: string | undefined;
  /** Running jobs that use it, some of them. */
  readonly holders: readonly string[];
}

export interface JobFacts {
  readonly id: string;
  readonly state: JobState;
  readonly dueMs: number;
  readonly attempt: number;
  readonly maxAttempts: number;
  readonly rescued: number;
  /** Of the last attempt that failed. */
  readonly error: ErrorRecord | undefined;
  /** Why it is blocked, failed or cancelled. */
  readonly reason: string | undefined;
  readonly detail: Readonly<Record<string, unknown>>;
  /** Since when it is blocked, failed or finished. */
  readonly sinceMs: number | undefined;
  /** Until when a dead letter is kept. */
  readonly keptUntilMs: number | undefined;
  readonly holder: HolderFacts | undefined;
  readonly place: PlaceFacts | undefined;
}

/** The worker that has claimed the job. */
export interface HolderFacts {
  readonly workerId: string;
  readonly sinceMs: number;
  readonly leaseUntilMs: number;
  /** Attempts that it ran at its last heartbeat. */
  readonly running: number;
  /** Jobs under its leases. */
  readonly held: number;
}

/** Where the job stands among those of its lane. */
export interface PlaceFacts {
  /** Jobs that go before it, counted up to a bound. */
  readonly ahead: number;
  /** Jobs of its queue that finished per second lately; undefined if none did. */
  readonly perSecond: number | undefined;
}

export type ReasonCode =
  | 'finished'
  | 'failed'
  | 'running'
  | 'claimed'
  | 'worker-lost'
  | 'not-due'
  | 'retrying'
  | 'upgrade-failed'
  | 'blocked'
  | 'queue-paused'
  | 'circuit-open'
  | 'schedule-paused'
  | 'limit-full'
  | 'rate-reached'
  | 'throttled'
  | 'key-held'
  | 'queue-unserved'
  | 'kind-unknown'
  | 'requirements-unmet'
  | 'build-unserved'
  | 'needs-unmet'
  | 'needs-in-use'
  | 'left-to-others'
  | 'concurrency-full'
  | 'slots-full'
  | 'next'
  | 'nothing-waits';

export interface Reason {
  readonly code: ReasonCode;
  /** One sentence, with the values. */
  readonly message: string;
  /** What would mend it, as one types it; undefined where nothing needs to be done. */
  readonly command: string | undefined;
  /** How many waiting jobs it concerns, of those that were looked at. */
  readonly jobs: number;
  /** The values by name. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** A reason of one job, or of the jobs of one lane. */
export type Finding = Omit<Reason, 'jobs'>;

/** Counting stops here: a larger number reads as more than it. */
export const countMax = 10_000;
