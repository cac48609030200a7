/**
 * Enqueueing with group commit: calls that arrive while a write is in flight go together in the next one; the
 * first after a pause is written at once. No timer, no setting. Jobs with unique keys go their own way, because
 * a stranger's open transaction may hold a key; a batch that the database refuses is halved until the culprit
 * is found, so that one caller's trouble stays his own.
 */

import { isLineshaftError, LineshaftError } from '../domain/errors.ts';
import type { EnqueueResult } from '../domain/job-options.ts';
import { type Route, Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { BulkWrite } from './bulk-write.ts';
import {
  batchMaxBytes,
  batchMaxJobs,
  EncodedBatch,
  enqueueResults,
  enqueueValues,
  type PlainBatch,
  type PreparedJob,
  plainBatch,
  type WakeMode,
} from './enqueue-batch.ts';
import { MetLanes } from './met-lanes.ts';
import type { Takers } from './takers.ts';

interface Call {
  readonly job: PreparedJob;
  readonly resolve: (result: EnqueueResult) => void;
  readonly reject: (error: unknown) => void;
}

/** Calls that may wait in memory for the database; more are refused. */
const waitingMax = 100_000;
/** How many writes wait side by side for keys that strangers hold. */
const patientConnections = 4;
/** How long a write may wait for a key where others wait behind it, and where it is alone (below the time-out of statements). */
const shortWait = '100ms';
const longWait = '50s';

type Named = readonly (readonly (string | null)[])[];

export class Enqueuer {
  private readonly statements: BoundStatements;
  private readonly plain: Flusher;
  private readonly keyed: Flusher;
  private readonly bulk: Session[];
  private readonly patience: Patience;
  private readonly route: Route;
  private readonly wake: WakeMode;
  private readonly calls = new Set<BulkWrite>();
  private readonly metLanes = new MetLanes();
  private closed = false;

  /** @param takers who may be handed a job that comes alone */
  constructor(route: Route, statements: BoundStatements, wake: WakeMode, takers?: Takers) {
    this.route = route;
    this.statements = statements;
    this.wake = wake;
    this.patience = new Patience(route, statements);
    this.plain = new Flusher(route, statements, wake, this.patience, takers);
    this.keyed = new Flusher(route, statements, wake, this.patience, undefined);
    this.bulk = [];
  }

  /** Enqueues one job; resolves when it is durable. */
  enqueue(job: PreparedJob): Promise<EnqueueResult> {
    return (job.uniqueKey === undefined && !job.resend ? this.plain : this.keyed).add(job);
  }

  /**
   * Begins a call of many jobs; each batch is all or nothing, the order is that of the jobs.
   * @param jobs how many there will be; -1: unknown
   * @param early whether it may begin to write before all jobs were checked
   */
  beginMany(jobs: number, early: boolean): BulkWrite {
    const parts = {
      statements: this.statements,
      wake: this.wake,
      session: (number: number) => this.session(number),
      write: this.write.bind(this),
    };
    const call = new BulkWrite(parts, jobs, early);
    this.calls.add(call);
    void call.ended.then(() => this.calls.delete(call));
    return call;
  }

  async close(): Promise<void> {
    this.closed = true;
    await Promise.all([this.plain.close(), this.keyed.close(), ...[...this.calls].map(({ ended }) => ended)]);
    await this.patience.close();
    await Promise.all(this.bulk.map((session) => session.close()));
  }

  private session(number: number): Session {
    // A session that is made after the close would never be closed.
    if (this.closed)
      throw new LineshaftError('CLOSED', { message: 'the producer was closed before this call' });
    this.bulk[number] ??= new Session(this.route, 'hot');
    return this.bulk[number];
  }

  private async write(
    session: Session,
    batch: EncodedBatch | PreparedJob[],
    wake: WakeMode,
    since: string | null,
  ): Promise<EnqueueResult[]> {
    if (batch instanceof EncodedBatch) {
      if (await writePlainly(session, this.statements, batch, wake, since))
        return enqueueResults(batch.ids, []);
      return await this.write(session, batch.jobs(), wake, since);
    }
    const values = enqueueValues(batch, wake, since);
    const named = await this.metLanes
      .write(batch, () => writeBriefly(session, this.statements, batch, values))
      .catch((error: unknown) => {
        // On the connection that others share it has waited long enough.
        if (isLockTimeout(error)) return this.patience.write(values);
        throw error;
      });
    return enqueueResults(
      batch.map((job) => job.id),
      named,
    );
  }
}

/** Writes a batch by the short way; false where that was not possible, and nothing was written. */
async function writePlainly(
  session: Session,
  statements: BoundStatements,
  batch: EncodedBatch,
  wake: WakeMode,
  since: string | null,
): Promise<boolean> {
  return (await session.query(statements.enqueuePlain, batch.values(wake, since))).length > 0;
}

/**
 * Writes a batch. One that may meet a stranger's open transaction, which holds a key or an id, waits only a moment.
 * @throws LineshaftError with sqlstate 55P03 in its details where that was not enough: nothing was written
 */
async function writeBriefly(
  session: Session,
  statements: BoundStatements,
  jobs: readonly PreparedJob[],
  values: unknown[],
): Promise<Named> {
  const mayMeet = jobs.some((job) => job.uniqueKey !== undefined || job.resend);
  if (!mayMeet) return await session.query(statements.enqueueMany, values);
  return await session.query(statements.enqueueWaiting, [...values, shortWait]);
}

/** One connection with calls that wait for it. */
class Flusher {
  private readonly session: Session;
  private readonly statements: BoundStatements;
  private readonly wake: WakeMode;
  private readonly patience: Patience;
  private readonly takers: Takers | undefined;
  private waiting: Call[] = [];
  private flushing = false;
  private idle: Promise<void> = Promise.resolve();

  constructor(
    route: Route,
    statements: BoundStatements,
    wake: WakeMode,
    patience: Patience,
    takers: Takers | undefined,
  ) {
    this.takers = takers;
    this.session = new Session(route, 'hot');
    this.patience = patience;
    this.statements = statements;
    this.wake = wake;
  }

  add(job: PreparedJob): Promise<EnqueueResult> {
    if (this.waiting.length >= waitingMax) {
      return Promise.reject(
        new LineshaftError('DATABASE_UNAVAILABLE', {
          message: `${waitingMax} calls of enqueue already wait for the database; slow down, or use enqueueMany`,
        }),
      );
    }
    return new Promise((resolve, reject) => {
      this.waiting.push({ job, resolve, reject });
      if (!this.flushing) {
        this.flushing = true;
        this.idle = this.drain();
      }
    });
  }

  async close(): Promise<void> {
    await this.idle;
    await this.session.close();
  }

  private async drain(): Promise<void> {
    // Calls of the same turn of the event loop go together.
    await Promise.resolve();
    while (this.waiting.length > 0) await this.flush(this.take());
    this.flushing = false;
  }

  private take(): Call[] {
    let bytes = 0;
    let count = 0;
    for (const call of this.waiting) {
      bytes += call.job.payloadText.length;
      if (count >= batchMaxJobs || (count > 0 && bytes > batchMaxBytes)) break;
      count += 1;
    }
    return this.waiting.splice(0, count);
  }

  /** Writes a job that comes alone and hands it to an idle worker of this process; false if nothing was written. */
  private async hand(calls: readonly Call[], plain: PlainBatch | undefined): Promise<boolean> {
    const [call] = calls;
    if (call === undefined || calls.length > 1 || plain === undefined || this.takers === undefined)
      return false;
    const { queue, kind } = plain;
    const place = this.takers.offer(queue, kind);
    if (place === undefined) return false;
    const { id, payloadText } = call.job;
    let taken = false;
    try {
      const values = [queue, kind, id, payloadText, place.worker, place.lane];
      const [row] = await this.session.query(this.statements.enqueueHanded, values);
      const [lease = null, createdMs = null] = row ?? [];
      taken = lease !== null;
      if (lease !== null) place.take({ lease, id, createdMs: createdMs ?? '', payloadText });
      return row !== undefined;
    } catch (error) {
      // The worker was taken for dead, and the statement undone: the job goes the ordinary way.
      if (isWorkerGone(error)) return false;
      throw error;
    } finally {
      if (!taken) place.leave();
    }
  }

  private async writePlain(jobs: readonly PreparedJob[], plain: PlainBatch | undefined): Promise<boolean> {
    if (plain === undefined) return false;
    return await writePlainly(this.session, this.statements, new EncodedBatch(plain, jobs), this.wake, null);
  }

  private async flush(calls: Call[]): Promise<void> {
    const jobs = calls.map((call) => call.job);
    try {
      const plain = plainBatch(jobs);
      if ((await this.hand(calls, plain)) || (await this.writePlain(jobs, plain))) {
        settle(calls, []);
        return;
      }
      // Alone with its trouble, a call would hold up all that come after it: it waits elsewhere.
      const values = enqueueValues(jobs, this.wake, null);
      settle(calls, await writeBriefly(this.session, this.statements, jobs, values));
    } catch (error) {
      if (calls.length === 1 && isLockTimeout(error)) {
        this.patience.write(enqueueValues(jobs, this.wake, null)).then(
          (named) => settle(calls, named),
          (reason) => refuse(calls, reason),
        );
        return;
      }
      if (
        calls.length === 1 ||
        isLineshaftError(error, 'DATABASE_UNAVAILABLE') ||
        isLineshaftError(error, 'CLOSED')
      ) {
        refuse(calls, error);
        return;
      }
      const middle = calls.length >> 1;
      await this.flush(calls.slice(0, middle));
      await this.flush(calls.slice(middle));
    }
  }
}

function isWorkerGone(error: unknown): boolean {
  return isLineshaftError(error) && error.details['sqlstate'] === '23503';
}

function settle(calls: readonly Call[], named: Named): void {
  const results = enqueueResults(
    calls.map((call) => call.job.id),
    named,
  );
  for (const [place, call] of calls.entries()) {
    const result = results[place];
    if (result !== undefined) call.resolve(result);
  }
}

function refuse(calls: readonly Call[], error: unknown): void {
  for (const call of calls) call.reject(error);
}

/**
 * Writes whose key somebody's open transaction holds: each waits on a connection of its own, a few at a time, until
 * that transaction ends or the connection's time is up.
 */
class Patience {
  private readonly route: Route;
  private readonly statements: BoundStatements;
  private readonly waiting: ((session: Session) => Promise<void>)[] = [];
  private readonly running = new Set<Promise<void>>();

  constructor(route: Route, statements: BoundStatements) {
    this.route = route;
    this.statements = statements;
  }

  /** Takes the values of `enqueue_many.sql`. @throws LineshaftError DATABASE_UNAVAILABLE when the wait was too long */
  write(values: unknown[]): Promise<Named> {
    return new Promise((resolve, reject) => {
      this.waiting.push((session) =>
        session.query(this.statements.enqueueWaiting, [...values, longWait]).then(resolve, (error) => {
          reject(isLockTimeout(error) ? heldTooLong(error) : error);
        }),
      );
      if (this.running.size >= patientConnections) return;
      const run = this.work().finally(() => this.running.delete(run));
      this.running.add(run);
    });
  }

  async close(): Promise<void> {
    await Promise.all(this.running);
  }

  private async work(): Promise<void> {
    const session = new Session(this.route, 'hot');
    for (let next = this.waiting.shift(); next !== undefined; next = this.waiting.shift())
      await next(session);
    await session.close();
  }
}

function heldTooLong(cause: unknown): LineshaftError {
  return new LineshaftError('DATABASE_UNAVAILABLE', {
    message:
      `nothing was enqueued: a transaction that has been open for ${longWait} holds the unique key or the id; ` +
      'end it, and call again',
    details: { sqlstate: '55P03' },
    cause,
  });
}

function isLockTimeout(error: unknown): boolean {
  return isLineshaftError(error) && error.details['sqlstate'] === '55P03';
}
