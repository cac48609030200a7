/** Looking at jobs and changing what waits: show, list, cancel, retry, delete. For people and tools, not for the hot path. */

import type { ErrorRecord } from '../domain/attempt.ts';
import { invalidOption, LineshaftError } from '../domain/errors.ts';
import { oneOf } from '../domain/fields.ts';
import type { JobState } from '../domain/job.ts';
import type { StoredOptions } from '../domain/job-options.ts';
import { didYouMean } from '../domain/suggest.ts';
import { isUuid } from '../domain/uuid.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import { readEntry } from './history-entry.ts';

/** All that is known of a job. */
export interface JobView {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  readonly project: string;
  readonly state: JobState;
  /** Attempts that have ended and count; while it runs, the running one is the next. */
  readonly attempt: number;
  readonly maxAttempts: number | undefined;
  readonly rescued: number;
  readonly priority: number | undefined;
  readonly createdAt: Date;
  /** When it may run, or might have; undefined for finished jobs. */
  readonly dueAt: Date | undefined;
  readonly startedAt: Date | undefined;
  readonly finishedAt: Date | undefined;
  readonly payload: unknown;
  readonly output: unknown;
  /** Failed attempts, oldest first; bounded. */
  readonly errors: readonly ErrorRecord[];
  /** Why it is blocked, failed or cancelled. */
  readonly reason: string | undefined;
  /** What is known of why it is blocked; of `upgrade-failed`: the build that could not, and its error. */
  readonly detail: Readonly<Record<string, unknown>> | undefined;
  readonly options: StoredOptions;
  readonly requirements: readonly string[];
  readonly progress: { readonly current: number; readonly total: number | undefined } | undefined;
  readonly worker: string | undefined;
}

/** A job in a list. */
export interface JobSummary {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  readonly project: string;
  readonly state: JobState;
  readonly attempt: number;
  readonly priority: number | undefined;
  readonly createdAt: Date;
  /** When it is due, or since when it is in this state. */
  readonly at: Date;
  readonly error: string | undefined;
}

export interface JobFilter {
  /** Default: all that are alive or failed, then the newest that finished. */
  readonly state?: JobState;
  readonly queue?: string;
  readonly kind?: string;
  readonly project?: string;
  /** At most so many, 1 to 1,000. Default 50. */
  readonly limit?: number;
}

/** What became of one id in a change of several. */
export interface JobChange {
  readonly id: string;
  /** cancel: `cancelled`, `running` (and cancelled), `finished`, `unknown`. retry: `retried`, `ready`, `running`, `finished`, `key-taken`, `unknown`. delete: `deleted`, `running`, `unknown`. */
  readonly result: string;
}

interface LaneRow {
  readonly id: number;
  readonly queue_id: string;
  readonly kind: string;
  readonly requirements: string[];
  readonly queue: string;
  readonly project: string;
}

const states: readonly JobState[] = [
  'blocked',
  'scheduled',
  'ready',
  'running',
  'retrying',
  'succeeded',
  'failed',
  'cancelled',
];
/** What is looked at is taken in before, up to so many jobs. */
const takeInMax = 100_000;
const liveOrder: readonly JobState[] = ['running', 'failed', 'retrying', 'blocked', 'ready', 'scheduled'];

export class JobBook {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;

  constructor(pool: Pool, statements: BoundStatements) {
    this.pool = pool;
    this.statements = statements;
  }

  /** @throws LineshaftError JOB_NOT_FOUND, OPTION_INVALID */
  async show(id: string): Promise<JobView> {
    demandIds([id]);
    const view = (await this.find(id)) ?? (await this.takeIn().then(() => this.find(id)));
    if (view !== undefined) return view;
    throw new LineshaftError('JOB_NOT_FOUND', {
      message: `job ${id} not found: it never existed, or its history has been dropped`,
      details: { id },
    });
  }

  private async find(id: string): Promise<JobView | undefined> {
    const [row] = await this.pool.query<LiveRow>(this.statements.showJob, [id]);
    if (row !== undefined) return liveView(row);
    const [finished] = await this.pool.query<{ entry: string | null }>(this.statements.finishedJobs, [
      `{${id}}`,
    ]);
    return finished?.entry == null ? undefined : await this.finishedView(id, finished.entry);
  }

  /** Gives what callers' transactions have left in the inbox its place, or waits for who is doing so. */
  private async takeIn(): Promise<void> {
    await this.pool.query(this.statements.takeIn, [takeInMax]);
  }

  /** Jobs that match, those that need attention first. */
  async list(filter: JobFilter = {}): Promise<JobSummary[]> {
    const limit = filter.limit ?? 50;
    if (!Number.isInteger(limit) || limit < 1 || limit > 1_000)
      throw invalidOption('limit', limit, 'a whole number from 1 to 1000');
    if (filter.state !== undefined) oneOf(filter.state, 'state', states);
    await this.takeIn();
    const lanes = await this.lanes(filter);
    const laneIds = [...lanes.keys()];
    const summaries: JobSummary[] = [];
    const wanted =
      filter.state === undefined
        ? [...liveOrder, 'succeeded' as const, 'cancelled' as const]
        : [filter.state];
    for (const state of wanted) {
      if (summaries.length >= limit) break;
      const room = limit - summaries.length;
      const found =
        state === 'succeeded' || state === 'cancelled'
          ? await this.listFinished(state, laneIds, lanes, room)
          : await this.listLive(state, laneIds, lanes, room);
      summaries.push(...found);
    }
    return summaries;
  }

  cancel(ids: readonly string[], reason: string): Promise<JobChange[]> {
    return this.change(this.statements.cancelJobs, ids, [reason.slice(0, 1_000)]);
  }

  retry(ids: readonly string[]): Promise<JobChange[]> {
    return this.change(this.statements.retryJobs, ids, []);
  }

  delete(ids: readonly string[]): Promise<JobChange[]> {
    return this.change(this.statements.deleteJobs, ids, []);
  }

  private async change(
    statement: BoundStatements[keyof BoundStatements],
    ids: readonly string[],
    rest: unknown[],
  ): Promise<JobChange[]> {
    demandIds(ids);
    const results = new Map<string, string>();
    const ask = async (asked: readonly string[]): Promise<void> => {
      for (let start = 0; start < asked.length; start += 500) {
        const part = `{${asked.slice(start, start + 500).join(',')}}`;
        for (const row of await this.pool.query<JobChange>(statement, [part, ...rest]))
          results.set(row.id, row.result);
      }
    };
    await ask(ids);
    const unknown = ids.filter((id) => results.get(id.toLowerCase()) === 'unknown');
    if (unknown.length > 0) {
      await this.takeIn();
      await ask(unknown);
    }
    return ids.map((id) => ({ id, result: results.get(id.toLowerCase()) ?? 'unknown' }));
  }

  private async lanes(filter: JobFilter): Promise<Map<number, LaneRow>> {
    const rows = await this.pool.query<LaneRow>(this.statements.listLanes);
    const queueIds = filter.queue === undefined ? undefined : await this.queueIds(filter.queue);
    const fits = (row: LaneRow): boolean =>
      (queueIds === undefined || queueIds.has(row.queue_id)) &&
      (filter.kind === undefined || row.kind === filter.kind) &&
      (filter.project === undefined || row.project === filter.project);
    return new Map(rows.filter(fits).map((row) => [row.id, row]));
  }

  /** The queues of a name, which each project may have, or the one of a slug. */
  private async queueIds(name: string): Promise<ReadonlySet<string>> {
    const queues = await this.pool.query<{ id: string; name: string; slug: string }>(
      this.statements.listQueues,
    );
    const found = queues.filter((queue) => queue.name === name || queue.slug === name);
    if (found.length > 0) return new Set(found.map(({ id }) => id));
    const names = queues.map((queue) => queue.name);
    throw new LineshaftError('QUEUE_NOT_FOUND', {
      message: `queue '${name}' not found${didYouMean(name, names)}`,
      details: { queue: name },
    });
  }

  private async listLive(
    state: JobState,
    laneIds: number[],
    lanes: Map<number, LaneRow>,
    limit: number,
  ): Promise<JobSummary[]> {
    const rows = await this.pool.query<LiveSummaryRow>(this.statements.listLiveJobs, [state, laneIds, limit]);
    return rows.map((row) => ({
      id: row.id,
      ...placeOf(lanes.get(row.lane)),
      state: row.state,
      attempt: row.attempt,
      priority: row.priority,
      createdAt: row.created_at,
      at: row.at,
      error: row.error?.message,
    }));
  }

  private async listFinished(
    state: 'succeeded' | 'cancelled',
    laneIds: number[],
    lanes: Map<number, LaneRow>,
    limit: number,
  ): Promise<JobSummary[]> {
    const rows = await this.pool.query<{ id: string; entry: string; finished_at: Date }>(
      this.statements.listFinishedJobs,
      [laneIds, limit, state],
    );
    return rows.map((row) => {
      const entry = readEntry(row.id, row.entry);
      return {
        id: row.id,
        ...placeOf(lanes.get(entry.laneId)),
        state,
        attempt: entry.attempt,
        priority: undefined,
        createdAt: new Date(entry.createdMs),
        at: row.finished_at,
        error: entry.reason,
      };
    });
  }

  private async finishedView(id: string, line: string): Promise<JobView> {
    const entry = readEntry(id, line);
    const lanes = await this.lanes({});
    const lane = lanes.get(entry.laneId);
    return {
      id,
      ...placeOf(lane),
      state: entry.state,
      attempt: entry.attempt,
      maxAttempts: entry.options.maxAttempts,
      rescued: 0,
      priority: undefined,
      createdAt: new Date(entry.createdMs),
      dueAt: undefined,
      startedAt: entry.startedMs === undefined ? undefined : new Date(entry.startedMs),
      finishedAt: new Date(entry.finishedMs),
      payload: entry.payload,
      output: entry.output,
      errors: entry.errors,
      reason: entry.reason,
      detail: undefined,
      options: entry.options,
      requirements: lane?.requirements ?? [],
      progress: undefined,
      worker: entry.worker,
    };
  }
}

interface LiveRow {
  readonly id: string;
  readonly kind: string;
  readonly queue: string;
  readonly project: string;
  readonly state: JobState;
  readonly priority: number;
  readonly attempt: number;
  readonly rescued: number;
  readonly created_at: Date;
  readonly due: Date;
  readonly payload: unknown;
  readonly options: StoredOptions | null;
  readonly errors: ErrorRecord[] | null;
  readonly requirements: string[];
  readonly reason: string | null;
  readonly detail: Record<string, unknown> | null;
  readonly failed_at: Date | null;
  readonly max_attempts: number;
  readonly progress: { current: number; total: number | null } | null;
  readonly worker: { workerId: string; since: string } | null;
}

interface LiveSummaryRow {
  readonly id: string;
  readonly state: JobState;
  readonly lane: number;
  readonly attempt: number;
  readonly priority: number;
  readonly created_at: Date;
  readonly at: Date;
  readonly error: ErrorRecord | null;
}

function liveView(row: LiveRow): JobView {
  return {
    id: row.id,
    kind: row.kind,
    queue: row.queue,
    project: row.project,
    state: row.state,
    attempt: row.attempt,
    maxAttempts: row.max_attempts,
    rescued: row.rescued,
    priority: row.priority,
    createdAt: row.created_at,
    dueAt: row.due,
    startedAt: row.worker === null ? undefined : new Date(row.worker.since),
    finishedAt: row.failed_at ?? undefined,
    payload: row.payload,
    output: undefined,
    errors: row.errors ?? [],
    reason: row.reason ?? undefined,
    detail: row.detail ?? undefined,
    options: row.options ?? {},
    requirements: row.requirements,
    progress:
      row.progress === null
        ? undefined
        : { current: row.progress.current, total: row.progress.total ?? undefined },
    worker: row.worker?.workerId,
  };
}

function placeOf(lane: LaneRow | undefined): { kind: string; queue: string; project: string } {
  return {
    kind: lane?.kind ?? '(deleted)',
    queue: lane?.queue ?? '(deleted)',
    project: lane?.project ?? '(deleted)',
  };
}

function demandIds(ids: readonly string[]): void {
  for (const id of ids) if (typeof id !== 'string' || !isUuid(id)) throw invalidOption('id', id, 'a UUID');
}
