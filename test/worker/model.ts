/**
 * A model of the queue, and the same queue in a real database, to which the same commands are given: several
 * workers, each with its own connection and completer, of which any can be taken for dead at any time.
 */

import { isFinal, type JobCommand, type JobState, transition } from '../../packages/core/src/domain/job.ts';
import { isLineshaftError } from '../../packages/core/src/index.ts';
import { Route, Session } from '../../packages/core/src/store/session.ts';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import { Completer, type Result } from '../../packages/core/src/worker/completer.ts';
import { HeldJob, Lease } from '../../packages/core/src/worker/held-job.ts';
import { QueueRuntime } from '../../packages/core/src/worker/queue-runtime.ts';
import type { Site } from './site.ts';

const statements = bindStatements('lineshaft');
export const maxRescues = 2;

/** How an attempt ends, by the command of the state machine that it is. */
export type End = 'succeed' | 'cancel' | 'retry' | 'snooze' | 'give-back' | 'fail' | 'block';

interface ModelJob {
  readonly id: string;
  readonly priority: number;
  readonly key: string | undefined;
  /** Gone: deleted. */
  state: JobState | 'gone';
  rescued: number;
  /** It was rescued before and claimed, but not started: the death of its worker does not count for it. */
  spared: boolean;
  holder: HeldJob | undefined;
}

interface ModelWorker {
  readonly session: Session;
  readonly completer: Completer;
  readonly held: Set<HeldJob>;
  readonly late: Set<HeldJob>;
  row: string;
}

export class ModelledQueue {
  readonly jobs = new Map<string, ModelJob>();
  private readonly site: Site;
  private readonly workers: ModelWorker[];
  private readonly runtime: QueueRuntime;
  private readonly queue: string;
  private lane = 0;

  private constructor(site: Site, queue: string, runtime: QueueRuntime, sessions: readonly Session[]) {
    this.site = site;
    this.queue = queue;
    this.runtime = runtime;
    this.workers = sessions.map((session) => makeWorker(session));
  }

  static async make(site: Site, sessions: readonly Session[]): Promise<ModelledQueue> {
    const name = await site.queue();
    const { queue } = await site.lineshaft.showQueue(name);
    const made = new ModelledQueue(site, name, new QueueRuntime(queue), sessions);
    for (const worker of made.workers) await made.register(worker);
    return made;
  }

  async enqueue(priority: number, later: boolean, key: string | undefined): Promise<void> {
    const holder = [...this.jobs.values()].find((job) => job.key === key && isAlive(job));
    const { id, result } = await this.site.lineshaft.enqueue('one', null, {
      queue: this.queue,
      priority,
      ...(later ? { delayMs: 3_600_000 } : {}),
      ...(key === undefined ? {} : { unique: { key: `${this.queue}-${key}` } }),
    });
    if (key !== undefined && holder !== undefined) {
      equal('a taken key', { id, result }, { id: holder.id, result: 'kept' });
      return;
    }
    equal('a new job', result, 'new');
    const state = transition('new', later ? 'enqueue-later' : 'enqueue') ?? 'gone';
    this.jobs.set(id, { id, priority, key, state, rescued: 0, spared: false, holder: undefined });
    if (this.lane === 0) {
      const [row] = await this.site.rows<{ lane: number }>('select lane from lineshaft.job where id = $1', [
        id,
      ]);
      this.lane = row?.lane ?? 0;
    }
  }

  async claim(number: number, take: number): Promise<void> {
    const worker = this.worker(number);
    let rows: Awaited<ReturnType<Session['query']>>;
    try {
      rows = await worker.session.query(statements.claimLane, [worker.row, this.lane, take]);
    } catch (error) {
      // Taken for dead: it registers anew, as the worker does.
      if (!isLineshaftError(error) || error.details['sqlstate'] !== '23503') throw error;
      await this.register(worker);
      return;
    }
    const ready = this.inState('ready').sort((a, b) => b.priority - a.priority);
    equal('as many as there are', rows.length, Math.min(take, ready.length));
    const least = ready[rows.length - 1]?.priority ?? 0;
    const lease = new Lease(rows[0]?.[0] ?? '', 0);
    lease.unsettled = rows.length;
    const at = {
      id: this.lane,
      queueId: this.runtime.queue.id,
      kind: 'one',
      requirements: [],
      pin: 'none',
      build: '',
      wants: {},
    } as const;
    for (const [place, row] of rows.entries()) {
      const held = new HeldJob(row, lease, at, this.runtime);
      const job = this.job(held.jobId);
      // Of those that were rescued before, every other one is started.
      job.spared = held.rescued > 0 && place % 2 === 1;
      if (held.rescued > 0 && !job.spared) {
        await worker.session.query(statements.markSuspect, [lease.id, held.jobId]);
      }
      equal('the highest priorities first', job.priority >= least, true);
      this.apply(job, 'claim');
      job.holder = held;
      worker.held.add(held);
    }
  }

  /** Ends some of the jobs that a worker holds, or believes to hold. */
  async finish(number: number, ends: readonly End[]): Promise<void> {
    const worker = this.worker(number);
    const ending = [...worker.held].slice(0, ends.length);
    const expected = new Map<HeldJob, boolean>();
    for (const [place, held] of ending.entries()) {
      const end = ends[place] ?? 'succeed';
      const job = this.job(held.jobId);
      expected.set(held, job.holder !== held);
      worker.completer.add({ job: held, ending: endingOf(end, held), finishedMs: Date.now(), enqueue: [] });
      if (job.holder !== held) continue;
      job.holder = undefined;
      this.apply(job, end);
    }
    await worker.completer.settled();
    for (const [held, late] of expected) {
      equal(`whether the result of ${held.jobId} is late`, worker.late.has(held), late);
      worker.held.delete(held);
      worker.late.delete(held);
    }
  }

  /** The lease of a worker runs out, though it may live. */
  async rescue(number: number): Promise<void> {
    const worker = this.worker(number);
    await this.site.rows("update lineshaft.worker set lease_until = now() - interval '1 s' where id = $1", [
      worker.row,
    ]);
    await this.site.rows('select lineshaft.rescue($1, $2)', [worker.row, maxRescues]);
    for (const job of this.jobs.values()) {
      if (job.holder === undefined || !worker.held.has(job.holder)) continue;
      job.holder = undefined;
      if (!job.spared) job.rescued += 1;
      this.apply(job, job.rescued >= maxRescues ? 'bury' : 'rescue');
    }
  }

  /** Time passes: all that waits for its time is due and promoted. */
  async promote(): Promise<void> {
    const waiting = [...this.inState('scheduled'), ...this.inState('retrying')];
    const ids = waiting.map((job) => job.id);
    await this.site.rows(
      `with due as (
        update lineshaft.job set due = now() - interval '1 s' where id = any ($1) returning id, due
      )
      update lineshaft.later l set due = due.due from due where due.id = l.job_id`,
      [ids],
    );
    await this.worker(0).session.query(statements.promote, [1_000]);
    for (const job of waiting) this.apply(job, 'promote');
  }

  async cancel(place: number): Promise<void> {
    const job = this.pick(place);
    if (job === undefined) return;
    const [change] = await this.site.lineshaft.cancel([job.id]);
    const result =
      job.state === 'gone'
        ? 'unknown'
        : job.state === 'running'
          ? 'running'
          : isFinal(job.state)
            ? 'finished'
            : 'cancelled';
    equal('a cancel', change?.result, result);
    if (result === 'running' || result === 'cancelled') this.apply(job, 'cancel');
    job.holder = undefined;
  }

  async retry(place: number): Promise<void> {
    const job = this.pick(place);
    if (job === undefined) return;
    const taken = job.state === 'failed' && [...this.jobs.values()].some((other) => holdsKeyOf(other, job));
    const [change] = await this.site.lineshaft.retry([job.id]);
    const results: Partial<Record<ModelJob['state'], string>> = {
      gone: 'unknown',
      running: 'running',
      ready: 'ready',
      succeeded: 'finished',
      cancelled: 'finished',
    };
    equal('a retry', change?.result, taken ? 'key-taken' : (results[job.state] ?? 'retried'));
    if (change?.result !== 'retried') return;
    if (job.state === 'failed') job.rescued = 0;
    this.apply(job, 'redrive');
  }

  async remove(place: number): Promise<void> {
    const job = this.pick(place);
    if (job === undefined) return;
    const [change] = await this.site.lineshaft.deleteJobs([job.id]);
    equal(
      'a delete',
      change?.result,
      job.state === 'gone' ? 'unknown' : job.state === 'running' ? 'running' : 'deleted',
    );
    if (job.state !== 'running') job.state = 'gone';
  }

  /** No job is lost, none is in two places, and all are where the model has them; so are keys and counts. */
  async check(): Promise<void> {
    const rows = await this.site.rows<{ id: string; state: string; rescued: number | null }>(placesText, [
      [...this.jobs.keys()],
    ]);
    for (const row of rows) {
      const job = this.job(row.id);
      equal(`the state of ${row.id}`, row.state, job.state);
      if (row.rescued !== null && job.state !== 'gone') equal('its rescues', row.rescued, job.rescued);
    }
    const alive = [...this.jobs.values()].filter(isAlive);
    const keys = await this.site.rows<{ job_id: string }>(
      'select job_id from lineshaft.unique_key where key like $1',
      [`${this.queue}-%`],
    );
    const holders = alive.filter((job) => job.key !== undefined).map((job) => job.id);
    equal('the holders of keys', keys.map((row) => row.job_id).sort(), holders.sort());
    const [lane] = (await this.site.lineshaft.showQueue(this.queue)).lanes;
    const count = (...states: JobState[]) =>
      states.reduce((sum, state) => sum + this.inState(state).length, 0);
    equal(
      'the counts',
      [lane?.ready, lane?.later, lane?.running, lane?.blocked, lane?.failed].map((number) => number ?? 0),
      [count('ready'), count('scheduled', 'retrying'), count('running'), count('blocked'), count('failed')],
    );
  }

  private async register(worker: ModelWorker): Promise<void> {
    const values = [this.queue, this.queue, '0.0.0', '{*}', '{one}', '{}', 10, 3_600_000, '{}'];
    const [[row = null] = []] = await worker.session.query(statements.registerWorker, values);
    worker.row = row ?? '0';
  }

  private worker(number: number): ModelWorker {
    const worker = this.workers[number % this.workers.length];
    if (worker === undefined) throw new RangeError('there are no workers');
    return worker;
  }

  private job(id: string): ModelJob {
    const job = this.jobs.get(id);
    if (job === undefined) throw new Error(`job ${id} was never enqueued`);
    return job;
  }

  private pick(place: number): ModelJob | undefined {
    const jobs = [...this.jobs.values()];
    return jobs[place % Math.max(jobs.length, 1)];
  }

  private inState(state: JobState): ModelJob[] {
    return [...this.jobs.values()].filter((job) => job.state === state);
  }

  /** The one table of transitions decides. */
  private apply(job: ModelJob, command: JobCommand): void {
    const next = job.state === 'gone' ? undefined : transition(job.state, command);
    if (next === undefined) throw new Error(`${command} is not allowed for a job that is ${job.state}`);
    job.state = next;
  }
}

function makeWorker(session: Session): ModelWorker {
  const late = new Set<HeldJob>();
  const onSettled = (results: readonly Result[], isLate: boolean): void => {
    for (const { job } of results) {
      job.lease.unsettled -= 1;
      if (isLate) late.add(job);
    }
  };
  const fail = (error: unknown): never => {
    throw error;
  };
  const completer = new Completer({
    session,
    statements,
    workerName: 'model',
    clockOffsetMs: () => 0,
    pause: () => Promise.resolve(),
    limitsBind: () => false,
    endSteps: (steps) => {
      for (const { settle } of steps) settle('left');
    },
    listener: {
      onSettled,
      onTrouble: fail,
      onRecovered: () => {},
      onUnknownLimits: () => {},
      onStepsEnded: () => {},
    },
  });
  return { session, completer, held: new Set(), late, row: '0' };
}

/** Opens the connections of some workers. */
export function openSessions(url: string, count: number): Session[] {
  const route = new Route({ databaseUrl: url, applicationName: 'model', statementTimeoutMs: 20_000 });
  return Array.from({ length: count }, () => new Session(route, 'hot'));
}

function endingOf(end: End, held: HeldJob): Result['ending'] {
  const { attempt, attemptsBefore } = held;
  const error = { name: 'Error', message: 'by the model', attempt };
  switch (end) {
    case 'succeed':
      return { type: 'succeeded', attempt, outputText: '1' };
    case 'cancel':
      return { type: 'cancelled', attempt, reason: 'by itself' };
    case 'retry':
      return { type: 'later', attempt, delayMs: 3_600_000, reason: 'r', errors: [error] };
    case 'snooze':
      return { type: 'later', attempt: attemptsBefore, delayMs: 3_600_000, reason: 's', errors: undefined };
    case 'give-back':
      return { type: 'ready', attempt: attemptsBefore };
    case 'fail':
      return { type: 'dead', attempt, reason: 'attempts', errors: [error] };
    case 'block':
      return { type: 'blocked', reason: 'upgrade-failed', detail: {} };
  }
}

function isAlive(job: ModelJob): boolean {
  return job.state !== 'gone' && !isFinal(job.state);
}

function holdsKeyOf(other: ModelJob, job: ModelJob): boolean {
  return other !== job && job.key !== undefined && other.key === job.key && isAlive(other);
}

function equal(what: string, found: unknown, expected: unknown): void {
  const [a, b] = [JSON.stringify(found), JSON.stringify(expected)];
  if (a !== b) throw new Error(`${what}: the database has ${a}, the model ${b}`);
}

/** Each job with the one place that it is in; two places are joined by '+'. */
const placesText = `
  select t.id, j.rescued, coalesce(nullif(concat_ws('+',
    (select string_agg('ready', '+') from lineshaft.ready r where r.job_id = t.id),
    (select string_agg(case w.reason when 'r' then 'retrying' else 'scheduled' end, '+')
      from lineshaft.later w where w.job_id = t.id),
    (select string_agg('blocked', '+') from lineshaft.blocked b where b.job_id = t.id),
    (select string_agg('failed', '+') from lineshaft.dead d where d.job_id = t.id),
    (select string_agg('running', '+')
      from lineshaft.lease e cross join unnest(e.job_ids, e.fences) as h (id, fence)
      where h.id = t.id and h.fence = j.fence),
    (select string_agg(split_part(h.entries, e'\\n', array_position(h.ids, t.id))::json ->> 1, '+')
      from lineshaft.history h where t.id = any (h.ids)),
    case when j.id is not null and not exists (
      select from lineshaft.ready r where r.job_id = t.id
      union all select from lineshaft.later w where w.job_id = t.id
      union all select from lineshaft.blocked b where b.job_id = t.id
      union all select from lineshaft.dead d where d.job_id = t.id
      union all select from lineshaft.lease e cross join unnest(e.job_ids, e.fences) as h (id, fence)
        where h.id = t.id and h.fence = j.fence
    ) then 'lost' end
  ), ''), 'gone') as state
  from unnest($1::uuid[]) as t (id)
  left join lineshaft.job j on j.id = t.id`;
