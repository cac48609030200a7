/**
 * Takes in jobs and wakes workers after the commits of callers' transactions, where an adapter hears of the commit:
 * NOTIFY in the transaction itself would serialise the commits of the whole database. Commits that come while a
 * wake is under way share the next one. A wake that fails is lost without a word: promoters take the jobs in, and
 * workers find them, when they poll.
 */

import type { Pool } from '../store/pool.ts';
import type { Statement } from '../store/session.ts';
import { type PreparedJob, textArray } from './enqueue-batch.ts';

/** Which queues have new jobs, by project and name, and whether something is to come due. */
export class WakeTargets {
  private readonly queues = new Map<string, readonly [project: string, queue: string]>();
  private later = false;
  /** Whether jobs were left in the inbox. */
  inbox = false;

  /** The targets of many jobs, of which most are like the one before. */
  static of(jobs: readonly PreparedJob[]): WakeTargets {
    const targets = new WakeTargets();
    let last: string | undefined;
    for (const job of jobs) {
      if (job.templateKey !== last) targets.addJob(job);
      last = job.templateKey;
    }
    return targets;
  }

  get empty(): boolean {
    return this.queues.size === 0 && !this.later && !this.inbox;
  }

  addJob({ template }: PreparedJob): void {
    if (template.delayMs !== undefined || template.runAt !== undefined) this.later = true;
    // A time that has passed already makes the job ready.
    if (template.delayMs !== undefined && template.delayMs > 0) return;
    const { project = 'default', queue = 'default' } = template;
    this.queues.set(`${project}/${queue}`, [project, queue]);
  }

  /** Who takes jobs in wakes for them. */
  addInbox(): void {
    this.inbox = true;
  }

  add(other: WakeTargets): void {
    for (const [key, queue] of other.queues) this.queues.set(key, queue);
    this.later ||= other.later;
    this.inbox ||= other.inbox;
  }

  get tells(): boolean {
    return this.queues.size > 0 || this.later;
  }

  /** The values of `wake_named_queues.sql`. */
  values(): unknown[] {
    const queues = [...this.queues.values()];
    return [
      textArray(queues.map(([project]) => project)),
      textArray(queues.map(([, queue]) => queue)),
      this.later,
    ];
  }
}

/** Each wake is a commit of its own, with the lock of NOTIFY: not more often than this. */
const pauseMs = 10;
/** So many jobs are taken in by one statement. */
const takeInMax = 1_000;

export class AfterCommitWaker {
  private readonly pool: Pool;
  private readonly statements: { readonly takeIn: Statement; readonly wakeNamedQueues: Statement };
  private waiting = new WakeTargets();
  private flushing: Promise<void> | undefined;
  private closed = false;

  constructor(pool: Pool, statements: { readonly takeIn: Statement; readonly wakeNamedQueues: Statement }) {
    this.pool = pool;
    this.statements = statements;
  }

  wake(targets: WakeTargets): void {
    if (this.closed) return;
    this.waiting.add(targets);
    this.flushing ??= this.flush();
  }

  /** Resolves when all wakes so far were sent; later ones are dropped. */
  async close(): Promise<void> {
    this.closed = true;
    await this.flushing;
  }

  private async flush(): Promise<void> {
    // Commits of the same turn of the event loop go together.
    await Promise.resolve();
    while (!this.waiting.empty) {
      const targets = this.waiting;
      this.waiting = new WakeTargets();
      await this.send(targets).catch(() => {});
      // The first commit after a pause wakes at once; under load a wake serves the commits of a moment.
      if (!this.closed) await new Promise<void>((resolve) => setTimeout(resolve, pauseMs));
    }
    this.flushing = undefined;
  }

  private async send(targets: WakeTargets): Promise<void> {
    for (let more = targets.inbox; more; ) {
      const [row] = await this.pool.query<{ taken: number }>(this.statements.takeIn, [takeInMax]);
      more = row?.taken === takeInMax;
    }
    if (targets.tells) await this.pool.query(this.statements.wakeNamedQueues, targets.values());
  }
}
