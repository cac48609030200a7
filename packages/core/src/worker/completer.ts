/**
 * Writes how attempts ended, with group commit: results that come in while a write is in flight go together in
 * the next one; an idle worker writes at once. Every write names the leases and fences that it speaks for. A
 * result that is refused because its job has moved on is found by halving, reported and dropped. While the
 * database is away results are kept and written when it is back. A result that cannot be written for another
 * reason (a stranger's open transaction holds its unique key) is set aside and tried again apart from the others.
 */

import { recordError } from '../domain/attempt.ts';
import type { Ending } from '../domain/decide-ending.ts';
import { isLineshaftError } from '../domain/errors.ts';
import type { PreparedJob } from '../queue/enqueue-batch.ts';
import { enqueueValues } from '../queue/enqueue-batch.ts';
import type { Row, Session, Statement } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { EndedStep, EndingStep } from '../workflow/step-runs.ts';
import { type GroupedFor, groupResults, type ResultGroup } from './completion-groups.ts';
import { EmptiedLeases } from './emptied-leases.ts';
import type { HeldJob } from './held-job.ts';
import { findLanded } from './landed.ts';
import { settlementsOf } from './settlements.ts';
import { endsStep, stepEvent } from './step-events.ts';

/** How an attempt of a held job ended, ready to be written. */
export interface Result {
  readonly job: HeldJob;
  readonly ending: Ending | { readonly type: 'blocked'; readonly reason: string; readonly detail: unknown };
  readonly finishedMs: number;
  /** Jobs that are enqueued in the same transaction. */
  readonly enqueue: readonly PreparedJob[];
}

export interface CompleterListener {
  /** Results were written, or dropped because their jobs had moved on. */
  onSettled(results: readonly Result[], late: boolean): void;
  /** A write failed for a reason that is not the job's; it is tried again. Told once per outage. */
  onTrouble(error: unknown): void;
  onRecovered(): void;
  /** Attempts spoke of limits that their jobs were not under (by name; empty: there was no default). */
  onUnknownLimits(names: readonly string[]): void;
  /** Steps have ended, and it is written: their runs go on. */
  onStepsEnded(ended: readonly EndedStep[]): void;
}

/** A step that is to end in the write in which its run goes on. */
class EndingWithRun implements EndingStep {
  readonly result: Result;
  readonly event: EndingStep['event'];
  /** As it is settled. */
  how: 'written' | 'left' | 'unsure' = 'left';
  private readonly onSettled: (ending: EndingWithRun) => void;

  constructor(result: Result, event: EndingStep['event'], onSettled: (ending: EndingWithRun) => void) {
    this.result = result;
    this.event = event;
    this.onSettled = onSettled;
  }

  get stepId(): string {
    return this.result.job.jobId;
  }

  get runId(): string | undefined {
    return this.result.job.runId;
  }

  get fence(): number {
    return this.result.job.fence;
  }

  get lease(): HeldJob['lease'] {
    return this.result.job.lease;
  }

  get sinceMs(): number {
    return this.result.job.sinceMs;
  }

  settle(how: 'written' | 'left' | 'unsure'): void {
    this.how = how;
    this.onSettled(this);
  }
}

/** Ends jobs of steps in the same writes in which their runs go on. */
export type EndSteps = (steps: readonly EndingStep[]) => void;

/** Jobs in one write. */
const flushMax = 1_000;
/**
 * Jobs in one write where limits bind. Jobs that end together make room together, begin together, and end together again: in
 * one large write the first would wait for the last, over and over. In small ones they drift apart.
 */
const boundMin = 4;
/** Not where the writes would cost more than the jobs, and not while results pile up. */
const boundMeanMs = 20;
const boundShare = 1 / 4;

export class Completer {
  private readonly session: Session;
  private readonly statements: BoundStatements;
  private readonly listener: CompleterListener;
  private readonly workerName: string;
  private readonly clockOffsetMs: () => number;
  private readonly pause: (ms: number) => Promise<void>;
  private readonly endSteps: EndSteps;
  private readonly limitsBind: () => boolean;
  private waiting: Result[] = [];
  private inFlight = 0;
  /** Steps that end with their runs, and are not written yet. */
  private onTheirWay = 0;
  /** Steps that were to end with their runs, and did not: perhaps (`unsure`), or surely not. */
  private readonly notWithRuns = new WeakMap<Result, 'left' | 'unsure'>();
  private flushing: Promise<void> | undefined;
  /** Results that are tried again after a pause, and how often each was set aside. */
  private readonly aside = new Set<Promise<void>>();
  private readonly timesAside = new WeakMap<HeldJob, number>();
  private asideCount = 0;
  private readonly emptied: EmptiedLeases;
  private troubled = false;
  private abandoned = false;

  constructor(options: {
    session: Session;
    statements: BoundStatements;
    listener: CompleterListener;
    workerName: string;
    clockOffsetMs: () => number;
    pause: (ms: number) => Promise<void>;
    endSteps: EndSteps;
    /** Whether jobs under limits wait for room. */
    limitsBind: () => boolean;
  }) {
    this.session = options.session;
    this.statements = options.statements;
    this.listener = options.listener;
    this.workerName = options.workerName;
    this.clockOffsetMs = options.clockOffsetMs;
    this.pause = options.pause;
    this.endSteps = options.endSteps;
    this.limitsBind = options.limitsBind;
    this.emptied = new EmptiedLeases((leases) =>
      this.session.query(this.statements.dropLeases, [pgArray(leases)]),
    );
  }

  /** Results that are not written yet. The claim loop stops while there are too many. */
  get backlog(): number {
    return this.waiting.length + this.inFlight + this.onTheirWay + this.aside.size;
  }

  add(result: Result): void {
    this.waiting.push(result);
    this.flush();
  }

  private flush(): void {
    this.flushing ??= this.drain().finally(() => {
      this.flushing = undefined;
      // What came after the last look and before this moment has found somebody at work.
      if (this.waiting.length > 0 && !this.abandoned) this.flush();
    });
  }

  /** Resolves when everything that was added so far is written. */
  async settled(): Promise<void> {
    while (this.flushing !== undefined || this.aside.size > 0) {
      await (this.flushing ?? Promise.race(this.aside));
    }
    await this.emptied.settled();
  }

  /** Gives up what is not written: its leases run out and the jobs are rescued. */
  abandon(): void {
    this.abandoned = true;
  }

  private get worker(): GroupedFor {
    return { workerName: this.workerName, clockOffsetMs: this.clockOffsetMs() };
  }

  private async drain(): Promise<void> {
    // Results of the same turn of the event loop go together.
    await new Promise<void>((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0 && !this.abandoned) {
      const most = this.mostInOneWrite();
      const batch = this.waiting.length <= most ? this.waiting : this.waiting.slice(0, most);
      this.waiting = this.waiting.length <= most ? [] : this.waiting.slice(most);
      this.inFlight = batch.length;
      await this.writeBatch(batch);
      this.inFlight = 0;
    }
  }

  private mostInOneWrite(): number {
    const job = this.waiting[0]?.job;
    if (job?.keyed === undefined || (job.runtime.meanMs ?? 0) < boundMeanMs || !this.limitsBind())
      return flushMax;
    return Math.min(Math.max(boundMin, Math.ceil(this.waiting.length * boundShare)), flushMax);
  }

  /** Writes what came together: steps with their runs, without waiting for that; what is left of them as the other results. */
  private async writeBatch(results: readonly Result[]): Promise<void> {
    const rest: Result[] = [];
    const unsure: Result[] = [];
    const steps: Result[] = [];
    for (const result of results) {
      const how = this.notWithRuns.get(result);
      if (how === undefined && goesWithItsRun(result)) steps.push(result);
      else (how === 'unsure' ? unsure : rest).push(result);
    }
    if (steps.length > 0) this.endWithRuns(steps);
    if (unsure.length > 0) await this.writeAll(unsure, true);
    if (rest.length > 0) await this.writeAll(rest);
  }

  /** What is left of it is written as other results are, and its runs go on after that. */
  private endWithRuns(results: readonly Result[]): void {
    const { workerName, clockOffsetMs } = this.worker;
    const ended = new Promise<void>((resolve) => {
      let open = results.length;
      let settled: EndingWithRun[] = [];
      // Those of one write are settled in one breath, and told together.
      const tell = (): void => {
        const told = settled;
        settled = [];
        this.settleWithRuns(told);
        open -= told.length;
        if (open === 0) resolve();
      };
      const onSettled = (ending: EndingWithRun): void => {
        if (settled.push(ending) === 1) queueMicrotask(tell);
      };
      this.onTheirWay += results.length;
      for (const { job } of results) job.runtime.kept += 1;
      this.endSteps(
        results.map(
          (result) => new EndingWithRun(result, stepEvent(result, workerName, clockOffsetMs), onSettled),
        ),
      );
    }).then(() => {
      this.aside.delete(ended);
    });
    this.aside.add(ended);
  }

  private settleWithRuns(told: readonly EndingWithRun[]): void {
    this.onTheirWay -= told.length;
    const written: Result[] = [];
    for (const { result, how } of told) {
      result.job.runtime.kept -= 1;
      if (how === 'written') written.push(result);
      else {
        this.notWithRuns.set(result, how);
        this.add(result);
      }
    }
    if (written.length === 0) return;
    this.recovered();
    this.settle(written);
  }

  /** The results are written, or late. */
  private settle(results: readonly Result[], late = false): void {
    this.listener.onSettled(results, late);
    let before: HeldJob['lease'] | undefined;
    for (const { job } of results) {
      // Results mostly come lease by lease.
      if (job.lease === before) continue;
      before = job.lease;
      this.emptied.look(before);
    }
  }

  /** Writes group by group. What was set aside still needs its lease: then the rest is grouped anew. */
  private async writeAll(results: readonly Result[], mayHaveLanded = false): Promise<void> {
    let groups = groupResults(results, this.worker);
    for (let group = groups.shift(); group !== undefined; group = groups.shift()) {
      const before = this.asideCount;
      await this.writeUntilDone(group, mayHaveLanded);
      if (this.asideCount === before || groups.length === 0) continue;
      groups = groupResults(
        groups.flatMap((rest) => rest.results),
        this.worker,
      );
    }
  }

  /** @param mayHaveLanded the answer of an earlier write was lost */
  private async writeUntilDone(group: ResultGroup, mayHaveLanded = false): Promise<void> {
    let answerLost = mayHaveLanded;
    for (let attempt = 1; !this.abandoned; attempt += 1) {
      try {
        await this.write(group);
        this.recovered();
        leasesGone(group);
        this.settle(group.results);
        return;
      } catch (error) {
        if (isLineshaftError(error, 'DATABASE_UNAVAILABLE')) {
          this.trouble(error);
          answerLost = true;
          await this.pause(Math.min(100 * 2 ** Math.min(attempt, 5), 2_000));
          continue;
        }
        if (isLineshaftError(error, 'CLOSED')) return;
        if (answerLost && isLineshaftError(error, 'LEASE_LOST') && (await this.settleLanded(group.results)))
          return;
        answerLost = false;
        const [only] = group.results;
        if (group.results.length === 1 && only !== undefined && !isRefusal(error)) {
          this.setAside(only, error);
          return;
        }
        await this.split(group, error);
        return;
      }
    }
  }

  /** Settles what was written by a write whose answer was lost, and writes the rest; false if nothing was. */
  private async settleLanded(results: readonly Result[]): Promise<boolean> {
    const landed = await findLanded(this.session, this.statements, results, this.workerName).catch(
      () => undefined,
    );
    if (landed === undefined || landed.size === 0) return false;
    this.recovered();
    this.settle(results.filter((result) => landed.has(result)));
    const rest = results.filter((result) => !landed.has(result));
    if (rest.length > 0) await this.writeAll(rest);
    return true;
  }

  /** Not the job's fault, as far as one can tell: its result is kept and tried again, and holds up no other. */
  private setAside(result: Result, error: unknown): void {
    const times = (this.timesAside.get(result.job) ?? 0) + 1;
    this.timesAside.set(result.job, times);
    this.asideCount += 1;
    if (times === 1 && !isLockTimeout(error)) this.trouble(error);
    const again = this.pause(Math.min(50 * 2 ** times, 5_000)).then(() => {
      this.aside.delete(again);
      this.add(result);
    });
    this.aside.add(again);
  }

  /** Finds the result that the database refuses. */
  private async split(group: ResultGroup, error: unknown): Promise<void> {
    if (group.results.length > 1) {
      const middle = group.results.length >> 1;
      for (const half of [group.results.slice(0, middle), group.results.slice(middle)]) {
        await this.writeAll(half);
      }
      return;
    }
    const [result] = group.results;
    if (result === undefined) return;
    if (!isLineshaftError(error, 'LEASE_LOST')) {
      for (const part of groupResults([refused(result, error)], this.worker)) await this.writeUntilDone(part);
      return;
    }
    this.settle(group.results, true);
  }

  private async write(group: ResultGroup): Promise<void> {
    const extras = this.extras(group);
    if (extras.length === 0) {
      this.tellRuns(group, await this.session.query(group.statement(this.statements), group.values()));
      return;
    }
    let unknown: string[] = [];
    let marked: Row[] = [];
    await this.session.transaction(async (run) => {
      if (group.keys.length > 0 || group.results.some(({ enqueue }) => enqueue.length > 0)) {
        await run(shortLockWait);
      }
      marked = await run(group.statement(this.statements), group.values());
      for (const [statement, values] of extras) {
        const rows = await run(statement, values);
        if (statement === this.statements.settleLimits) unknown = rows.map((row) => String(row[0]));
      }
    });
    if (unknown.length > 0) this.listener.onUnknownLimits(unknown);
    this.tellRuns(group, marked);
  }

  /** @param marked rows of `complete_steps.sql` */
  private tellRuns(group: ResultGroup, marked: readonly Row[]): void {
    if (group.events.length === 0) return;
    const events = new Map(
      group.events.flatMap((event) => ('stepId' in event ? [[event.stepId, event]] : [])),
    );
    const ended = marked.flatMap(([, , mark, runId, stepId]): EndedStep[] => {
      const event = events.get(stepId ?? '');
      return runId == null || event === undefined ? [] : [{ runId, mark: Number(mark), event }];
    });
    if (ended.length > 0) this.listener.onStepsEnded(ended);
  }

  /** What belongs in the same transaction: unique keys, jobs that a handler enqueued, progress to forget. */
  private extras(group: ResultGroup): [BoundStatements[keyof BoundStatements], unknown[]][] {
    const extras: [BoundStatements[keyof BoundStatements], unknown[]][] = [];
    if (group.keys.length > 0) {
      extras.push([
        this.statements.releaseKeys,
        [
          pgArray(group.keys.map((key) => String(key.projectId))),
          group.keyTexts(),
          pgArray(group.keys.map((key) => key.jobId)),
          group.keyBit,
        ],
      ]);
    }
    if (group.retaken.length > 0)
      extras.push([this.statements.retakeKeys, [pgArray(group.retaken.map((key) => key.jobId))]]);
    const enqueued = group.results.flatMap((result) => result.enqueue);
    if (enqueued.length > 0)
      extras.push([this.statements.enqueueMany, enqueueValues(enqueued, 'always', null)]);
    const settlements = group.results.flatMap(settlementsOf);
    if (settlements.length > 0) extras.push([this.statements.settleLimits, [JSON.stringify(settlements)]]);
    const progressed = group.results
      .filter((result) => result.job.progressed)
      .map((result) => result.job.jobId);
    const leased = group.results
      .filter((result) => result.job.leaseMs !== undefined)
      .map((result) => result.job.jobId);
    if (leased.length > 0) extras.push([this.statements.dropJobLeases, [pgArray(leased)]]);
    if (progressed.length > 0) extras.push([this.statements.dropProgress, [pgArray(progressed)]]);
    return extras;
  }

  private trouble(error: unknown): void {
    if (this.troubled) return;
    this.troubled = true;
    this.listener.onTrouble(error);
  }

  private recovered(): void {
    if (!this.troubled) return;
    this.troubled = false;
    this.listener.onRecovered();
  }
}

/** Whether the end of its job is all that is to be written beside what its run decides. */
function goesWithItsRun(result: Result): boolean {
  const { job, enqueue } = result;
  return (
    endsStep(result) &&
    enqueue.length === 0 &&
    job.keyed === undefined &&
    job.options.unique === undefined &&
    job.leaseMs === undefined &&
    !job.progressed
  );
}

function pgArray(values: readonly string[]): string {
  return `{${values.join(',')}}`;
}

/** The leases that went with the write of a group. */
function leasesGone({ results, finished }: ResultGroup): void {
  if (finished.length === 0) return;
  const gone = new Set(finished);
  for (const { job } of results) if (gone.has(job.lease.id)) job.lease.isGone = true;
}

/** A stranger's open transaction may hold a unique key; the other results do not wait for it. */
const shortLockWait: Statement = { name: 'short_lock_wait', text: "set local lock_timeout = '50ms'" };

function isLockTimeout(error: unknown): boolean {
  return isLineshaftError(error) && error.details['sqlstate'] === '55P03';
}

/** Whether the database refuses this very write: its job has moved on, or its data cannot be stored. */
function isRefusal(error: unknown): boolean {
  if (!isLineshaftError(error)) return false;
  if (error.code === 'LEASE_LOST' || error.category === 'invalid' || error.category === 'not-found')
    return true;
  // History has no partition for today yet: that is nobody's data.
  if (error.details['sqlstate'] === '23514') return false;
  return /^(22|23|54)/.test(String(error.details['sqlstate'] ?? '')) || error.category === 'limit';
}

/** A result that cannot be stored is a failure that is not tried again; one that is no success has lost its details. */
function refused(result: Result, error: unknown): Result {
  const record = { ...recordError(error), attempt: result.job.attempt };
  return {
    ...result,
    ending: { type: 'dead', attempt: result.job.attempt, reason: 'not-retryable', errors: [record] },
    enqueue: [],
  };
}
