/**
 * Says that the worker lives, for all of its leases at once, and brings home what it must know: jobs that were
 * cancelled, changed settings of queues, what comes next. Shrinks the leases of batches of which only slow jobs are left, and gives
 * back what was claimed but never heard of, because the connection was lost before the answer came.
 */

import type { Clock } from '../domain/clock.ts';
import type { Outlook } from '../services/outlook.ts';
import type { Rest } from '../services/rest.ts';
import { Loop, type Service } from '../services/service.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { parseTextArray } from './claim-rows.ts';
import type { Lease } from './held-job.ts';

export interface HeartbeatHost {
  workerRow(): string;
  running(): number;
  stopping(): boolean;
  queueNames(): string;
  openLeases(): Iterable<Lease>;
  knowsLease(id: string): boolean;
  /** Progress that was said since the last heartbeat: [job, current, total]. */
  takeProgress(): readonly (readonly [string, number, number | undefined])[];
  onCancelled(jobId: string): void;
  onSettings(fingerprint: string): void;
  /** By how much the clock of the database is ahead of ours, in ms. */
  onClock(offsetMs: number): void;
  onDisowned(): Promise<void>;
  onError(name: string, error: unknown): void;
  onRecovered(): void;
}

/** A batch older than this keeps only the jobs that still run in its row. */
const trimAfterMs = 2_000;
/** Beats come a little before the others would look for themselves: at the defaults both would be every 5 s. */
const beatShare = 0.95;
const afterComingBackMs = 100;

export function createHeartbeat(options: {
  host: HeartbeatHost;
  session: Session;
  statements: BoundStatements;
  clock: Clock;
  heartbeatMs: number;
  outlook: Outlook;
  rest: Rest | undefined;
}): Service & { wake(): void } {
  const { host, session, statements, clock, outlook } = options;
  /** Leases that the database had and the worker did not, in the round before. */
  let strays = new Set<string>();
  return new Loop({
    name: 'heartbeat',
    clock,
    rest: options.rest,
    // After an outage this worker must be heard of before others may take it for dead.
    errorPauseMaxMs: options.heartbeatMs,
    onError: (name, error) => host.onError(name, error),
    onRecovered: () => host.onRecovered(),
    async round() {
      // Out of a rest, the claim that it ended for must not wait behind a second renewal.
      const renewedMs = clock.monotonic() - (options.rest?.renewedAtMs ?? Number.NEGATIVE_INFINITY);
      if (renewedMs < options.heartbeatMs / 2) return options.heartbeatMs * beatShare - renewedMs;
      const askedMs = clock.now();
      const told = outlook.expect();
      const [known] = await session.query(statements.heartbeat, [
        host.workerRow(),
        host.running(),
        host.stopping(),
        host.queueNames(),
      ]);
      if (known === undefined) {
        await host.onDisowned();
        return afterComingBackMs;
      }
      const [nowMs, cancelled, settings, leases, ...next] = known;
      host.onClock(Number(nowMs) - (askedMs + clock.now()) / 2);
      told(next);
      for (const id of parseTextArray(cancelled ?? '{}')) host.onCancelled(id);
      host.onSettings(settings ?? '');
      await returnStrays(parseTextArray(leases ?? '{}'));
      await trimLeases();
      await saveProgress();
      return options.heartbeatMs * beatShare;
    },
  });

  /**
   * A lease that is unknown in two rounds was not merely on its way: claims and heartbeats share a connection, and what is handed
   * to the worker over others has the time between the rounds to come.
   */
  async function returnStrays(leases: readonly string[]): Promise<void> {
    const unknown = leases.filter((id) => !host.knowsLease(id));
    const lost = unknown.filter((id) => strays.has(id));
    strays = new Set(unknown);
    if (lost.length > 0)
      await session.query(statements.returnLeases, [host.workerRow(), `{${lost.join(',')}}`]);
  }

  async function trimLeases(): Promise<void> {
    const now = clock.monotonic();
    for (const lease of host.openLeases()) {
      if (lease.open.size === 0 || lease.listed < 2 * lease.open.size || now - lease.takenAtMs < trimAfterMs)
        continue;
      // Only what is not written yet may stay: jobs that ended but wait for the flush are still under the lease.
      if (lease.unsettled !== lease.open.size) continue;
      const jobs = [...lease.open.values()];
      lease.listed = jobs.length;
      await session.query(statements.trimLease, [
        lease.id,
        `{${jobs.map((job) => job.jobId).join(',')}}`,
        `{${jobs.map((job) => job.fence).join(',')}}`,
      ]);
    }
  }

  async function saveProgress(): Promise<void> {
    const said = host.takeProgress();
    if (said.length === 0) return;
    await session.query(statements.saveProgress, [
      `{${said.map(([id]) => id).join(',')}}`,
      `{${said.map(([, current]) => current).join(',')}}`,
      `{${said.map(([, , total]) => total ?? 'null').join(',')}}`,
    ]);
  }
}
