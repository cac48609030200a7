/**
 * Leases of single jobs (`limits.leaseMs`): taken before the attempt runs, renewed when its handler calls `heartbeat`,
 * dropped with its completion. What lapses is taken back by a rescuer, and the attempt is asked to end.
 */

import type { Clock } from '../domain/clock.ts';
import { Loop, type LoopOptions } from '../services/service.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { HeldJob } from './held-job.ts';

export interface JobLeasesHost extends Pick<LoopOptions, 'onError' | 'onRecovered'> {
  readonly clock: Clock;
  readonly session: Session;
  readonly statements: BoundStatements;
  workerRow(): string;
  /** Leases were taken: the rescuer may have to look earlier than it meant to. */
  onTaken(): void;
  /** Others may have the job by now. */
  onLost(job: HeldJob): void;
}

interface Held {
  readonly leaseMs: number;
  /** Whether it was heard of since it was renewed. */
  heard: boolean;
  /** Not before this time by the monotonic clock: a handler may call `heartbeat` as often as it likes. */
  renewAtMs: number;
}

interface Taking {
  readonly job: HeldJob;
  readonly leaseMs: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/** Nothing to renew: sleep until a handler is heard of. */
const idleMs = 60_000;

export class JobLeases {
  private readonly host: JobLeasesHost;
  private readonly held = new Map<HeldJob, Held>();
  private taking: Taking[] = [];
  private readonly loop: Loop;
  private started = false;

  constructor(host: JobLeasesHost) {
    this.host = host;
    this.loop = new Loop({
      name: 'job leases',
      clock: host.clock,
      errorPauseMaxMs: 1_000,
      onError: host.onError,
      ...(host.onRecovered === undefined ? {} : { onRecovered: host.onRecovered }),
      round: () => this.renew(),
    });
  }

  /** Takes the lease of a job that is about to run; those of the same turn of the event loop go together. */
  take(job: HeldJob, leaseMs: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.taking.push({ job, leaseMs, resolve, reject });
      if (this.taking.length > 1) return;
      setImmediate(() => {
        const batch = this.taking;
        this.taking = [];
        this.takeAll(batch).catch((error: unknown) => {
          for (const each of batch) each.reject(error);
        });
      });
    });
  }

  /** The handler of a job was heard of. */
  beat(job: HeldJob): void {
    const held = this.held.get(job);
    if (held === undefined || held.heard) return;
    held.heard = true;
    this.loop.wake();
  }

  /** The attempt has ended; its completion drops the row. */
  ended(job: HeldJob): void {
    if (this.held.size > 0) this.held.delete(job);
  }

  async stop(): Promise<void> {
    if (this.started) await this.loop.stop();
  }

  private async takeAll(batch: readonly Taking[]): Promise<void> {
    const { session, statements, clock } = this.host;
    const jobs = batch.map(({ job }) => job);
    await session.query(statements.takeJobLeases, [
      this.host.workerRow(),
      pgArray(jobs.map((job) => job.jobId)),
      pgArray(jobs.map((job) => job.lease.id)),
      pgArray(jobs.map((job) => job.fence)),
      pgArray(batch.map(({ leaseMs }) => leaseMs)),
    ]);
    for (const { job, leaseMs, resolve } of batch) {
      this.held.set(job, { leaseMs, heard: false, renewAtMs: clock.monotonic() + leaseMs / 4 });
      resolve();
    }
    if (!this.started) {
      this.started = true;
      this.loop.start();
    }
    this.host.onTaken();
  }

  /** Renews what was heard of and is due; answers how long until the next is due. */
  private async renew(): Promise<number> {
    const { session, statements, clock } = this.host;
    const now = clock.monotonic();
    const due: [HeldJob, Held][] = [];
    for (const [job, held] of this.held) if (held.heard && held.renewAtMs <= now) due.push([job, held]);
    if (due.length > 0) {
      for (const [, held] of due) held.heard = false;
      const rows = await session
        .query(statements.renewJobLeases, [
          pgArray(due.map(([job]) => job.jobId)),
          pgArray(due.map(([job]) => job.fence)),
        ])
        .catch((error: unknown) => {
          for (const [, held] of due) held.heard = true;
          throw error;
        });
      const renewed = new Set(rows.map(([id]) => id));
      for (const [job, held] of due) {
        held.renewAtMs = clock.monotonic() + held.leaseMs / 4;
        if (!renewed.has(job.jobId) && this.held.delete(job)) this.host.onLost(job);
      }
    }
    let sleepMs = idleMs;
    for (const held of this.held.values()) {
      if (held.heard) sleepMs = Math.min(sleepMs, held.renewAtMs - clock.monotonic());
    }
    return Math.max(sleepMs, 1);
  }
}

function pgArray(values: readonly (string | number)[]): string {
  return `{${values.join(',')}}`;
}
