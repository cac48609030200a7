/** Gathers what must be known to say why jobs wait, by a few bounded statements; `domain/why.ts` judges it. */

import type { Amounts } from '../domain/amounts.ts';
import type { ErrorRecord } from '../domain/attempt.ts';
import type { BuildPin } from '../domain/build.ts';
import { invalidOption, LineshaftError } from '../domain/errors.ts';
import { fieldsOf, refuseUnknown, timeOf } from '../domain/fields.ts';
import type { JobState } from '../domain/job.ts';
import type { Queue } from '../domain/queue.ts';
import type { LiveWorker } from '../domain/serving.ts';
import { didYouMean } from '../domain/suggest.ts';
import { isUuid } from '../domain/uuid.ts';
import { validateKind } from '../domain/validate-job.ts';
import type { LaneWants } from '../domain/wants.ts';
import { judgeJob, judgeLanes, judgeSchedules } from '../domain/why.ts';
import {
  countMax,
  type FullLimitFacts,
  type HeldFacts,
  type HolderFacts,
  type JobFacts,
  type LaneFacts,
  type OpenCircuitFacts,
  type PausedScheduleFacts,
  type PlaceFacts,
  type QueueFacts,
  type Reason,
  type SceneFacts,
} from '../domain/why-facts.ts';
import { judgeNothing } from '../domain/why-nothing.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import { factsFrom } from './circuit-facts.ts';
import type { JobBook } from './job-book.ts';
import type { QueueBook } from './queue-book.ts';
import type { Schedule, ScheduleBook } from './schedule-book.ts';

/** What is asked about: one job, the jobs of a queue, or those of a kind. */
export type WhySubject =
  | { readonly job: string }
  | { readonly queue: string; readonly project?: string }
  | { readonly kind: string };

/** Why something waits. */
export interface Why {
  readonly subject: 'job' | 'queue' | 'kind';
  /** The id, the name or slug, or the kind that was asked for. */
  readonly name: string;
  /** Of a job. */
  readonly state: JobState | undefined;
  readonly kind: string | undefined;
  readonly queue: string | undefined;
  readonly project: string | undefined;
  /** The most decisive first; at least one. */
  readonly reasons: readonly Reason[];
}

/** Bounds: what is looked at does not grow with what waits. */
const lanesMost = 200;
const laneJobsMost = 1_001;
const leasesMost = 2_000;
const rowsMost = 10_000;
const batchesMost = 500;
const pausedMost = 20;

export class WhyBook {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;
  private readonly jobs: JobBook;
  private readonly queues: QueueBook;
  private readonly schedules: ScheduleBook;

  constructor(parts: {
    pool: Pool;
    statements: BoundStatements;
    jobs: JobBook;
    queues: QueueBook;
    schedules: ScheduleBook;
  }) {
    this.pool = parts.pool;
    this.statements = parts.statements;
    this.jobs = parts.jobs;
    this.queues = parts.queues;
    this.schedules = parts.schedules;
  }

  /** @throws LineshaftError JOB_NOT_FOUND, QUEUE_NOT_FOUND, KIND_NOT_FOUND, OPTION_INVALID, OPTION_UNKNOWN */
  async why(subject: WhySubject): Promise<Why> {
    const fields = fieldsOf(subject, 'why');
    refuseUnknown(fields, ['job', 'queue', 'project', 'kind']);
    const named = ['job', 'queue', 'kind'].filter((name) => fields[name] !== undefined);
    if (named.length !== 1)
      throw invalidOption(
        'why',
        named.join(' and ') || undefined,
        'about a job, a queue or a kind, one of them',
      );
    if ('job' in subject && subject.job !== undefined) return await this.ofJob(subject.job);
    if ('kind' in subject && subject.kind !== undefined) return await this.ofKind(validateKind(subject.kind));
    const { queue, project = 'default' } = subject as { queue: string; project?: string };
    return await this.ofQueue(await this.queues.find(queue, project));
  }

  private async ofJob(id: string): Promise<Why> {
    if (typeof id !== 'string' || !isUuid(id)) throw invalidOption('id', id, 'a UUID');
    const [row] = await this.findJob(id);
    if (row === undefined) return await this.ofFinished(id);
    const queues = await this.queues.list();
    const queue = queues.find((one) => one.id === Number(row.queue_id));
    if (queue === undefined) return await this.ofFinished(id);
    const [scene, place, limits] = await Promise.all([
      this.scene(row.now_ms, queues),
      row.state === 'ready' ? this.place(id) : undefined,
      this.fullLimits([row.lane], id),
    ]);
    const lane = laneFacts({ ...row, waiting: 1 }, queue, limits);
    const reasons = judgeJob(jobFacts(id, row, place), lane, scene);
    return {
      ...{
        subject: 'job',
        name: id,
        state: row.state,
        kind: row.kind,
        queue: queue.name,
        project: queue.project,
      },
      reasons,
    };
  }

  /** What callers' transactions have left in the inbox is taken in before it is called unknown. */
  private async findJob(id: string): Promise<JobRow[]> {
    const rows = await this.pool.query<JobRow>(this.statements.whyJob, [id]);
    if (rows.length > 0) return rows;
    await this.takeIn();
    return await this.pool.query<JobRow>(this.statements.whyJob, [id]);
  }

  private async takeIn(): Promise<void> {
    await this.pool.query(this.statements.takeIn, [rowsMost]);
  }

  /** What history has of it. @throws LineshaftError JOB_NOT_FOUND */
  private async ofFinished(id: string): Promise<Why> {
    const job = await this.jobs.show(id);
    const { state, kind, queue, project, finishedAt } = job;
    const facts: JobFacts = {
      ...{
        id,
        state,
        dueMs: 0,
        attempt: job.attempt,
        maxAttempts: job.maxAttempts ?? job.attempt,
        rescued: 0,
      },
      ...{ error: job.errors.at(-1), reason: job.reason, detail: {}, keptUntilMs: undefined },
      ...{ sinceMs: finishedAt?.getTime(), holder: undefined, place: undefined },
    };
    const [clock] = await this.pool.query<{ clock_timestamp: string }>(this.statements.clock);
    const nowMs = timeOf(clock?.clock_timestamp, 'the clock of the database').getTime();
    const lane = laneFacts({ ...emptyLane, kind }, { name: queue, project });
    return {
      ...{ subject: 'job', name: id, state, kind, queue, project },
      reasons: judgeJob(facts, lane, { nowMs, workers: [], circuits: [] }),
    };
  }

  private async ofQueue(queue: Queue): Promise<Why> {
    const rows = await this.waitingLanes(queue.id, undefined);
    const queues = await this.queues.list();
    const subject = { subject: 'queue', name: queue.name, state: undefined, kind: undefined } as const;
    const where = { queue: queue.name, project: queue.project };
    const paused = await this.pausedSchedules(
      (schedule) =>
        schedule.project === queue.project && (schedule.options.queue ?? 'default') === queue.name,
    );
    const belongs = (lane: { queue_id: string }): boolean => Number(lane.queue_id) === queue.id;
    const reasons = await this.ofLanes(rows, queues, { belongs, queue: queueFacts(queue), paused });
    return { ...subject, ...where, reasons };
  }

  private async ofKind(kind: string): Promise<Why> {
    const rows = await this.waitingLanes(undefined, kind);
    const queues = await this.queues.list();
    const paused = await this.pausedSchedules((schedule) => schedule.kind === kind);
    const belongs = (lane: { kind: string }): boolean => lane.kind === kind;
    const reasons = await this.ofLanes(rows, queues, { belongs, kind, paused });
    return {
      ...{ subject: 'kind', name: kind, state: undefined, kind, queue: undefined, project: undefined },
      reasons,
    };
  }

  private async ofLanes(
    rows: readonly LaneRow[],
    queues: readonly Queue[],
    asked: {
      belongs(lane: { queue_id: string; kind: string }): boolean;
      readonly queue?: QueueFacts;
      readonly kind?: string;
      readonly paused: readonly PausedScheduleFacts[];
    },
  ): Promise<Reason[]> {
    const { kind, paused } = asked;
    const byId = new Map(queues.map((queue) => [queue.id, queue]));
    const limits = await this.fullLimits(
      rows.map(({ lane }) => lane),
      undefined,
    );
    const lanes = rows.flatMap((row) => {
      const queue = byId.get(Number(row.queue_id));
      return queue === undefined ? [] : [laneFacts(row, queue, limits)];
    });
    const [first] = rows;
    if (first !== undefined) {
      const scene = await this.scene(first.now_ms, queues);
      return [...judgeLanes(lanes, scene), ...judgeSchedules(paused, scene)];
    }
    const all = await this.pool.query<{ id: number; queue_id: string; kind: string }>(
      this.statements.listLanes,
    );
    const own = all.filter((lane) => asked.belongs(lane));
    const [nothing] = await this.pool.query<NothingRow>(this.statements.whyNothing, [
      own.map(({ id }) => id),
      rowsMost,
    ]);
    const scene = await this.scene(nothing?.now_ms ?? 0, queues);
    if (
      kind !== undefined &&
      own.length + paused.length === 0 &&
      !scene.workers.some(({ kinds }) => kinds.includes(kind))
    ) {
      const known = [
        ...new Set([...all.map((lane) => lane.kind), ...scene.workers.flatMap(({ kinds }) => kinds)]),
      ];
      throw new LineshaftError('KIND_NOT_FOUND', {
        message: `no job of kind '${kind}' was ever enqueued, and no live worker knows it${didYouMean(kind, known)}`,
        details: { kind },
      });
    }
    const { running = 0, blocked = 0, later = 0 } = nothing ?? {};
    const facts = { running, blocked, later, nextMs: nothing?.next_ms ?? undefined };
    return [
      ...judgeSchedules(paused, scene),
      judgeNothing(facts, asked.queue === undefined ? [] : [asked.queue], scene),
    ];
  }

  private async pausedSchedules(fits: (schedule: Schedule) => boolean): Promise<PausedScheduleFacts[]> {
    const schedules = await this.schedules.list();
    return schedules
      .filter((schedule) => schedule.state === 'paused' && fits(schedule))
      .slice(0, pausedMost)
      .map(({ name, project, kind, pausedAt, pauseReason }) => ({
        ...{ name, project, kind, sinceMs: pausedAt?.getTime(), reason: pauseReason },
      }));
  }

  private async waitingLanes(queueId: number | undefined, kind: string | undefined): Promise<LaneRow[]> {
    await this.takeIn();
    return await this.pool.query<LaneRow>(this.statements.whyLanes, [
      queueId ?? null,
      kind ?? null,
      lanesMost,
      laneJobsMost,
    ]);
  }

  /** Of keyed lanes, the limits that leave no room. */
  private async fullLimits(lanes: readonly number[], job: string | undefined): Promise<readonly LimitRow[]> {
    const keyed = lanes.filter((lane) => lane < 0);
    if (keyed.length === 0) return [];
    return await this.pool.query<LimitRow>(this.statements.whyLimits, [keyed, job ?? null, leasesMost]);
  }

  private async place(id: string): Promise<PlaceFacts | undefined> {
    const [row] = await this.pool.query<{ ahead: number; finished: number; span_ms: number | null }>(
      this.statements.whyPlace,
      [id, countMax + 1, batchesMost],
    );
    if (row === undefined) return undefined;
    const { ahead, finished, span_ms: spanMs } = row;
    return {
      ahead,
      perSecond: finished > 0 && spanMs !== null ? (finished * 1_000) / Math.max(spanMs, 1_000) : undefined,
    };
  }

  /** The live workers, and what they hold. */
  private async scene(nowMs: number, queues: readonly Queue[]): Promise<SceneFacts> {
    const byId = new Map(queues.map((queue) => [queue.id, queue]));
    const [workers, held, circuits] = await Promise.all([
      this.pool.query<WorkerRow>(this.statements.liveWorkers),
      this.pool.query<HeldRow>(this.statements.whyHeld, [leasesMost]),
      this.pool.query<{ facts: unknown }>(this.statements.listCircuits),
    ]);
    const holds = new Map<string, HeldFacts[]>();
    for (const { worker_id: workerId, queue_id: queueId, kind, needs, jobs } of held) {
      const queue = byId.get(Number(queueId));
      const own = holds.get(workerId) ?? [];
      own.push({ slug: queue?.slug ?? '', kind, jobs, needs: needs ?? queue?.needs ?? {} });
      holds.set(workerId, own);
    }
    return {
      nowMs,
      circuits: circuits.flatMap(({ facts }) => openCircuit(facts)),
      workers: workers.map(({ worker_id: workerId, ...worker }) => ({
        ...worker,
        workerId,
        holds: holds.get(workerId) ?? [],
      })),
    };
  }
}

function openCircuit(value: unknown): OpenCircuitFacts[] {
  const { kind, circuit } = factsFrom(value);
  const { state, untilMs, reason, byHand, probesOut } = circuit;
  return state === 'closed' ? [] : [{ kind, state, untilMs, reason, byHand, probing: probesOut }];
}

function queueFacts(queue: Pick<Queue, 'name' | 'project'> & Partial<Queue>): QueueFacts {
  const { name, project, slug = '', tags = [], concurrency = 0, state, resumeAt } = queue;
  return {
    name,
    project,
    slug,
    tags,
    concurrency,
    paused: state === 'paused',
    resumeAtMs: resumeAt?.getTime(),
  };
}

function laneFacts(
  row: Omit<LaneRow, 'queue_id' | 'now_ms'>,
  queue: Pick<Queue, 'name' | 'project'> & Partial<Queue>,
  limits: readonly LimitRow[] = [],
): LaneFacts {
  const { lane, kind, requirements, pin, build, wants, waiting, due_ms: dueMs } = row;
  const needs = wants.needs ?? queue.needs ?? {};
  const fullLimits = limits.filter((limit) => limit.lane === lane).map(limitFacts);
  return {
    queue: queueFacts(queue),
    kind,
    requirements,
    pin,
    build,
    needs,
    wants,
    waiting,
    dueMs,
    fullLimits,
  };
}

function jobFacts(id: string, row: JobRow, place: PlaceFacts | undefined): JobFacts {
  return {
    ...{ id, state: row.state, dueMs: row.due_ms, attempt: row.attempt, maxAttempts: row.max_attempts },
    rescued: row.rescued,
    error: row.error ?? undefined,
    reason: row.reason ?? undefined,
    detail: row.detail ?? {},
    sinceMs: row.since_ms ?? undefined,
    keptUntilMs: row.kept_until_ms ?? undefined,
    holder: holderFacts(row),
    place,
  };
}

function holderFacts(row: JobRow): HolderFacts | undefined {
  if (row.worker_id === null) return undefined;
  return {
    workerId: row.worker_id,
    sinceMs: row.taken_ms ?? 0,
    leaseUntilMs: row.lease_until_ms ?? 0,
    running: row.running ?? 0,
    held: row.held ?? 0,
  };
}

function limitFacts(row: LimitRow): FullLimitFacts {
  const { name, project, key, used, need, fifo, holders } = row;
  return {
    ...{ name, project, key, used, need, fifo, holders },
    concurrency: row.concurrency ?? undefined,
    perSecond: row.per_second ?? undefined,
    openMs: row.open_ms ?? undefined,
    closedMs: row.closed_ms ?? undefined,
    holder: row.holder ?? undefined,
  };
}

interface LimitRow {
  readonly lane: number;
  readonly name: string;
  readonly project: string;
  readonly key: string;
  readonly used: number;
  readonly concurrency: number | null;
  readonly need: number;
  readonly per_second: number | null;
  readonly open_ms: number | null;
  readonly closed_ms: number | null;
  readonly fifo: boolean;
  readonly holder: string | null;
  readonly holders: readonly string[];
}

interface LaneRow {
  readonly lane: number;
  readonly queue_id: string;
  readonly kind: string;
  readonly requirements: readonly string[];
  readonly pin: BuildPin;
  readonly build: string;
  readonly wants: LaneWants;
  readonly waiting: number;
  readonly due_ms: number;
  readonly now_ms: number;
}

const emptyLane = {
  lane: 0,
  requirements: [],
  pin: 'none',
  build: '',
  wants: {},
  waiting: 1,
  due_ms: 0,
} as const;

interface JobRow extends Omit<LaneRow, 'waiting'> {
  readonly state: JobState;
  readonly attempt: number;
  readonly rescued: number;
  readonly max_attempts: number;
  readonly error: ErrorRecord | null;
  readonly reason: string | null;
  readonly detail: Record<string, unknown> | null;
  readonly since_ms: number | null;
  readonly kept_until_ms: number | null;
  readonly worker_id: string | null;
  readonly running: number | null;
  readonly held: number | null;
  readonly taken_ms: number | null;
  readonly lease_until_ms: number | null;
}

interface WorkerRow extends Omit<LiveWorker, 'workerId'> {
  readonly worker_id: string;
  readonly slots: number;
}

interface HeldRow {
  readonly worker_id: string;
  readonly queue_id: string;
  readonly kind: string;
  readonly needs: Amounts | null;
  readonly jobs: number;
}

interface NothingRow {
  readonly running: number;
  readonly blocked: number;
  readonly later: number;
  readonly next_ms: number | null;
  readonly now_ms: number;
}
