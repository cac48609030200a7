/** Schedules as data: declare, pause, resume, run, delete, look at. When they tick is the scheduler's (services). */

import { parseCron } from '../domain/cron.ts';
import { isLineshaftError, LineshaftError } from '../domain/errors.ts';
import { wholeNumber } from '../domain/fields.ts';
import { jitterOf } from '../domain/plan-schedule.ts';
import {
  type Backfill,
  nextTicksOf,
  type Overlap,
  type ScheduledJobOptions,
  type Timing,
  type ValidSchedule,
  validatePauseReason,
} from '../domain/schedule.ts';
import { didYouMean } from '../domain/suggest.ts';
import { timeZoneOf } from '../domain/time-zone.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { PreparedJob } from './enqueue-batch.ts';

/** What became of the last job that a schedule made. */
export interface ScheduleRun {
  readonly jobId: string;
  /** The tick that it is of; of a run that was asked for, when it was. */
  readonly tick: Date;
  /** When it was enqueued. */
  readonly at: Date;
  /** `unfinished`: it waits or runs. `forgotten`: it has finished, and its history is gone. */
  readonly state: 'unfinished' | 'succeeded' | 'failed' | 'cancelled' | 'forgotten';
}

/** A schedule as it is kept. */
export interface Schedule {
  readonly name: string;
  readonly project: string;
  readonly cron: string | undefined;
  readonly timeZone: string | undefined;
  readonly everyMs: number | undefined;
  readonly startAt: Date | undefined;
  readonly endAt: Date | undefined;
  readonly jitterMs: number;
  readonly backfill: 'none' | 'last' | Required<Backfill>;
  readonly overlap: Overlap;
  readonly kind: string;
  readonly payload: unknown;
  readonly options: ScheduledJobOptions;
  /** `ended`: no tick comes any more. */
  readonly state: 'active' | 'paused' | 'ended';
  readonly pauseReason: string | undefined;
  readonly pausedAt: Date | undefined;
  /** When its next job is enqueued, jitter included; undefined while it is paused, and when it has ended. */
  readonly nextRunAt: Date | undefined;
  readonly lastRun: ScheduleRun | undefined;
  /** Ticks that wait for the job before them (overlap `queue`). */
  readonly waiting: number;
  /** How many jobs it has made, how many ticks its overlap policy has skipped, how many were missed. */
  readonly runs: number;
  readonly skipped: number;
  readonly missed: number;
  /** Why its last tick has no job: its queue is gone, for instance. */
  readonly trouble: string | undefined;
  readonly createdAt: Date;
  readonly updatedAt: Date;
}

/** A schedule with its next runs, jitter included. */
export interface ScheduleView extends Schedule {
  readonly nextRuns: readonly Date[];
}

/** What a declaration has done. */
export interface DeclaredSchedule extends ScheduleView {
  readonly result: 'new' | 'changed' | 'kept';
}

const listMax = 10_000;
const previewMax = 1_000;

export class ScheduleBook {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;

  constructor(pool: Pool, statements: BoundStatements) {
    this.pool = pool;
    this.statements = statements;
  }

  /** @param job of which kind, payload and options are those of the jobs to come */
  async declare(valid: ValidSchedule, job: PreparedJob): Promise<DeclaredSchedule> {
    const { kind, project: _project, ...template } = job.template;
    const options =
      job.uniqueKey === undefined
        ? template
        : { ...template, unique: { ...template.unique, key: job.uniqueKey } };
    const [row] = await this.pool.query<{ result: DeclaredSchedule['result'] }>(
      this.statements.declareSchedule,
      [valid.name, JSON.stringify({ ...valid.settings, kind, options }), job.payloadText, valid.project],
    );
    return { ...(await this.show(valid.name, valid.project)), result: row?.result ?? 'kept' };
  }

  async list(project?: string): Promise<Schedule[]> {
    const rows = await this.pool.query<ScheduleRow>(this.statements.listSchedules, [
      project ?? null,
      null,
      listMax,
    ]);
    return rows.map(scheduleOf);
  }

  /** @throws LineshaftError SCHEDULE_NOT_FOUND */
  async show(name: string, project: string, nextRuns = 5): Promise<ScheduleView> {
    wholeNumber(nextRuns, 'nextRuns', 0, previewMax);
    const [row] = await this.pool.query<ScheduleRow>(this.statements.listSchedules, [project, name, 1]);
    if (row === undefined) throw await this.notFound(name, project);
    return { ...scheduleOf(row), nextRuns: nextRunsOf(row, nextRuns) };
  }

  async pause(name: string, project: string, reason: unknown): Promise<void> {
    const values = [name, validatePauseReason(reason) ?? null, project];
    await this.named(name, project, () => this.pool.query(this.statements.pauseSchedule, values));
  }

  async resume(name: string, project: string): Promise<void> {
    await this.named(name, project, () => this.pool.query(this.statements.resumeSchedule, [name, project]));
  }

  async delete(name: string, project: string): Promise<void> {
    await this.named(name, project, () => this.pool.query(this.statements.deleteSchedule, [name, project]));
  }

  /** Enqueues a job of the schedule now. */
  async run(name: string, project: string): Promise<string> {
    const [row] = await this.named(name, project, () =>
      this.pool.query<{ id: string }>(this.statements.runSchedule, [name, project]),
    );
    if (row === undefined) throw new TypeError('a run has a job');
    return row.id;
  }

  private async named<Result>(name: string, project: string, work: () => Promise<Result>): Promise<Result> {
    try {
      return await work();
    } catch (error) {
      if (!isLineshaftError(error, 'SCHEDULE_NOT_FOUND')) throw error;
      throw await this.notFound(name, project);
    }
  }

  private async notFound(name: string, project: string): Promise<LineshaftError> {
    const names = (await this.list(project)).map((schedule) => schedule.name);
    const remedy = didYouMean(name, names) || '; see lineshaft schedule list';
    return new LineshaftError('SCHEDULE_NOT_FOUND', {
      message: `schedule '${name}' not found in project '${project}'${remedy}`,
      details: { schedule: name, project },
    });
  }
}

interface ScheduleRow {
  readonly id: string;
  readonly name: string;
  readonly project: string;
  readonly cron: string | null;
  readonly time_zone: string;
  readonly every_ms: string | null;
  readonly starts_at: Date | null;
  readonly ends_at: Date | null;
  readonly jitter_ms: number;
  readonly backfill: 'none' | 'last' | 'all';
  readonly backfill_within_ms: string;
  readonly backfill_most: number;
  readonly overlap: Overlap;
  readonly template: Readonly<Record<string, unknown>>;
  readonly payload: unknown;
  readonly state: 'active' | 'paused';
  readonly pause_reason: string | null;
  readonly paused_at: Date | null;
  readonly anchor: Date;
  readonly plan_from: Date;
  readonly next_tick: Date | null;
  readonly next_due: Date | null;
  readonly waiting: readonly Date[];
  readonly last_tick: Date | null;
  readonly last_job_id: string | null;
  readonly last_run_tick: Date | null;
  readonly last_run_at: Date | null;
  readonly last_state: string | null;
  readonly runs: string;
  readonly skipped: string;
  readonly missed: string;
  readonly trouble: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

function scheduleOf(row: ScheduleRow): Schedule {
  const { kind, project: _project, version: _version, pin: _pin, build: _build, ...options } = row.template;
  const [nextRunAt] = nextRunsOf(row, 1);
  return {
    name: row.name,
    project: row.project,
    cron: row.cron ?? undefined,
    timeZone: row.cron === null ? undefined : row.time_zone,
    everyMs: row.every_ms === null ? undefined : Number(row.every_ms),
    startAt: row.starts_at ?? undefined,
    endAt: row.ends_at ?? undefined,
    jitterMs: row.jitter_ms,
    backfill:
      row.backfill === 'all'
        ? { withinMs: Number(row.backfill_within_ms), most: row.backfill_most }
        : row.backfill,
    overlap: row.overlap,
    kind: String(kind),
    payload: row.payload,
    options: options as ScheduledJobOptions,
    state: row.state === 'active' && row.next_due === null ? 'ended' : row.state,
    pauseReason: row.pause_reason ?? undefined,
    pausedAt: row.paused_at ?? undefined,
    nextRunAt,
    lastRun: lastRunOf(row),
    waiting: row.waiting.length,
    runs: Number(row.runs),
    skipped: Number(row.skipped),
    missed: Number(row.missed),
    trouble: row.trouble ?? undefined,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

function lastRunOf(row: ScheduleRow): ScheduleRun | undefined {
  const { last_job_id: jobId, last_run_tick: tick, last_run_at: at } = row;
  if (jobId === null || tick === null || at === null) return undefined;
  const state = row.last_state === 'live' ? 'unfinished' : (row.last_state ?? 'forgotten');
  return { jobId, tick, at, state: state as ScheduleRun['state'] };
}

/** Empty while it is paused, when it has ended, and for a rule that came by SQL and cannot be read. */
function nextRunsOf(row: ScheduleRow, most: number): Date[] {
  if (row.next_due === null || most === 0) return [];
  const id = row.id;
  const runOf = (tickMs: number): Date => new Date(tickMs + jitterOf(id, tickMs, row.jitter_ms));
  const timing = timingOf(row);
  if (timing === undefined) return [];
  const fromMs = Math.max(row.plan_from.getTime(), row.last_tick?.getTime() ?? 0);
  const after = row.next_tick === null ? fromMs : row.next_tick.getTime() - 1;
  return nextTicksOf(timing, after, most).map(runOf);
}

function timingOf(row: ScheduleRow): Timing | undefined {
  try {
    return {
      cron: row.cron === null ? undefined : parseCron(row.cron),
      zone: timeZoneOf(row.time_zone),
      everyMs: row.every_ms === null ? undefined : Number(row.every_ms),
      anchorMs: row.anchor.getTime(),
      startsAtMs: row.starts_at?.getTime(),
      endsAtMs: row.ends_at?.getTime(),
    };
  } catch {
    return undefined;
  }
}
