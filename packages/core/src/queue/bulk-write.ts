/**
 * A call of many jobs. Its batches are written side by side, on a few connections, and the database does not wait
 * until the last job was checked: the first batches go into transactions that stay open until then. If a job turns
 * out to be wrong they are undone, and nothing was written.
 */

import { isLineshaftError } from '../domain/errors.ts';
import type { EnqueueResult } from '../domain/job-options.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { WakeTargets } from './after-commit.ts';
import {
  bulkBatchMaxJobs,
  EncodedBatch,
  enqueueResults,
  type PreparedJob,
  plainBatch,
  splitBatches,
  type WakeMode,
} from './enqueue-batch.ts';

/** On so many connections. */
const lanesMost = 4;
/** Of the batches one in so many wakes workers: the lock of NOTIFY would have them commit in a row. */
const wakeEvery = 16;
/** So many batches of a connection at most wait for the check of the others. */
const earlyMost = 8;

export interface BulkWriteParts {
  readonly statements: BoundStatements;
  readonly wake: WakeMode;
  /** The connection of each lane, from 0 on; shared with other calls. */
  session(lane: number): Session;
  /** Writes one batch in a transaction of its own, whatever its jobs are. */
  write(
    session: Session,
    batch: EncodedBatch | PreparedJob[],
    wake: WakeMode,
    since: string | null,
  ): Promise<EnqueueResult[]>;
}

export class BulkWrite {
  private readonly parts: BulkWriteParts;
  private readonly early: boolean;
  private readonly laneCount: number;
  private readonly batches: (EncodedBatch | PreparedJob[])[] = [];
  private readonly targets = new WakeTargets();
  private readonly results: EnqueueResult[][] = [];
  /** Places of batches that nobody has taken yet. */
  private waiting: number[] = [];
  private lanes: Promise<void>[] = [];
  private state: 'checking' | 'checked' | 'abandoned' = 'checking';
  private readonly checked = Promise.withResolvers<void>();
  private changed = Promise.withResolvers<void>();
  private since: Promise<string | null> | undefined;
  private firstSession: Session | undefined;
  /** Connections on which a transaction was begun before the check ended. */
  private open = 0;
  private readonly over = Promise.withResolvers<void>();

  /**
   * Opens the connections that so many jobs will need.
   * @param jobs how many there will be; -1: unknown
   * @param early whether jobs may be written before all are checked: not where the check waits for others' code
   */
  constructor(parts: BulkWriteParts, jobs: number, early: boolean) {
    this.parts = parts;
    this.early = early;
    // Where there is no telling how many will come, as many as there may be.
    this.laneCount = jobs >= 0 ? Math.min(Math.ceil(jobs / bulkBatchMaxJobs), lanesMost) : lanesMost;
    if (jobs < 0 || this.laneCount < 2) return;
    for (let lane = 0; lane < this.laneCount; lane += 1)
      parts
        .session(lane)
        .query(parts.statements.clock)
        .catch(() => {});
  }

  /** Jobs that were checked; they follow those of the calls before. */
  add(jobs: readonly PreparedJob[]): void {
    for (const batch of splitBatches(jobs, bulkBatchMaxJobs)) {
      const plain = plainBatch(batch);
      const place = this.batches.push(plain === undefined ? batch : new EncodedBatch(plain, batch)) - 1;
      this.waiting.push(place);
    }
    this.targets.add(WakeTargets.of(jobs));
    // A single batch is one statement.
    if (this.early && this.batches.length > 1) this.begin();
    this.wakeLanes();
  }

  /** All jobs were checked. Resolves when all are durable, with the results in their order. */
  async end(): Promise<EnqueueResult[]> {
    try {
      return await this.writeAll();
    } finally {
      this.over.resolve();
    }
  }

  private async writeAll(): Promise<EnqueueResult[]> {
    const { parts, batches } = this;
    const [first] = batches;
    if (first === undefined) return [];
    if (batches.length === 1) return await parts.write(parts.session(0), first, parts.wake, null);
    this.decide('checked');
    this.begin();
    const ended = await Promise.allSettled(this.lanes);
    await this.firstSession?.query(parts.statements.wakeNamedQueues, this.targets.values()).catch(() => {});
    for (const end of ended) if (end.status === 'rejected') throw end.reason;
    return this.results.flat();
  }

  /** A job is wrong: resolves when what was written is undone. */
  async abandon(): Promise<void> {
    this.decide('abandoned');
    // A database that is away has nothing to undo, and the caller need not wait for it.
    if (this.open > 0) await Promise.allSettled(this.lanes);
    this.over.resolve();
  }

  /** Resolves when it has ended, however it did. */
  get ended(): Promise<void> {
    return this.over.promise;
  }

  private decide(state: 'checked' | 'abandoned'): void {
    this.state = state;
    this.checked.resolve();
    this.wakeLanes();
  }

  private wakeLanes(): void {
    this.changed.resolve();
    this.changed = Promise.withResolvers();
  }

  private begin(): void {
    if (this.lanes.length > 0) return;
    const { statements, session } = this.parts;
    this.firstSession = session(0);
    this.since = this.firstSession.query(statements.clock).then(([[since = null] = []]) => since);
    // Large payloads make more batches than their number lets expect.
    const count = Math.max(this.laneCount, Math.min(this.batches.length, lanesMost));
    this.lanes = Array.from({ length: count }, (_, number) => this.runLane(session(number)));
    // They are awaited at the end; until then nobody hears of a failure.
    for (const lane of this.lanes) lane.catch(() => {});
  }

  private async runLane(session: Session): Promise<void> {
    const since = (await this.since) ?? null;
    if (this.state === 'checking') await this.writeEarly(session, since);
    await this.checked.promise;
    if (this.state === 'abandoned') return;
    for (let place = this.waiting.shift(); place !== undefined; place = this.waiting.shift()) {
      const batch = this.batches[place] ?? [];
      this.results[place] = await this.parts.write(session, batch, this.wakeOf(place), later(since, place));
    }
  }

  /** Writes batches in one transaction as they come, and commits it when all jobs were checked. */
  private async writeEarly(session: Session, since: string | null): Promise<void> {
    const { enqueuePlain, limitIdle, clock } = this.parts.statements;
    const mine: number[] = [];
    let ending = false;
    if (!(await this.isMore())) return;
    try {
      await session.transaction(async (run) => {
        this.open += 1;
        // A process that dies without a word must not keep its jobs half-written for hours.
        await run(limitIdle);
        while (mine.length < earlyMost && (await this.isMore())) {
          const place = this.waiting.shift();
          const batch = place === undefined ? undefined : this.batches[place];
          if (place === undefined || batch === undefined) continue;
          mine.push(place);
          if (batch instanceof EncodedBatch) {
            const values = batch.values(this.wakeOf(place), later(since, place));
            if ((await run(enqueuePlain, values)).length > 0) continue;
            this.batches[place] = batch.jobs();
          }
          // Not for the short way: it waits for the check, and what was written stays.
          this.waiting.unshift(...mine.splice(-1));
          break;
        }
        await this.checked.promise;
        if (this.state === 'abandoned') throw new Undone();
        // A connection that was lost in the meantime shows itself here, where it is certain that nothing was committed.
        await run(clock);
        ending = true;
      });
    } catch (error) {
      // Whether the commit took place may not be known.
      if (ending || isLineshaftError(error, 'CLOSED')) throw error;
      // Nothing was written: the ordinary way knows what to do with each of them.
      this.waiting.unshift(...mine);
      return;
    }
    for (const place of mine) {
      const batch = this.batches[place];
      if (batch instanceof EncodedBatch) this.results[place] = enqueueResults(batch.ids, []);
    }
  }

  /** Whether there is a batch that may be written early; false when the check has ended. */
  private async isMore(): Promise<boolean> {
    while (this.state === 'checking' && this.waiting.length === 0) await this.changed.promise;
    return this.state === 'checking';
  }

  private wakeOf(place: number): WakeMode {
    return place % wakeEvery === 0 ? this.parts.wake : 'after';
  }
}

/** Has a transaction rolled back. */
class Undone extends Error {}

/** Batches of one call get times a microsecond apart, so that they stay in order whichever is written first. */
function later(since: string | null, microseconds: number): string | null {
  if (since === null || microseconds === 0) return since;
  const match = /^(.*:\d\d)(?:\.(\d{1,6}))?(.*)$/.exec(since);
  if (match === null) return since;
  const [, seconds = '', fraction = '', zone = ''] = match;
  // Never into the next second: the last batches of a call that begins at its end may share a time.
  const micros = Math.min(Number(fraction.padEnd(6, '0')) + microseconds, 999_999);
  return `${seconds}.${String(micros).padStart(6, '0')}${zone}`;
}
