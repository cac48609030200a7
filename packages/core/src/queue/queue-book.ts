/** Queues and projects as data: declare, pause, resume, delete, look at. */

import type { Amounts } from '../domain/amounts.ts';
import { LineshaftError } from '../domain/errors.ts';
import {
  type Queue,
  type QueueDeclaration,
  queueColumns,
  queueFromRow,
  validateProjectName,
  validateQueue,
} from '../domain/queue.ts';
import { judgeServing, type Lack } from '../domain/serving.ts';
import { didYouMean } from '../domain/suggest.ts';
import type { LaneWants } from '../domain/wants.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';

/** How many jobs of a queue are where. Counts stop at `countMax`: a larger number reads as that. */
export interface QueueCounts {
  readonly ready: number;
  readonly later: number;
  readonly running: number;
  readonly blocked: number;
  readonly failed: number;
}

/** A lane of a queue with what waits in it, and whether a live worker may run it. */
export interface LaneView extends QueueCounts {
  readonly kind: string;
  readonly requirements: readonly string[];
  readonly pin: 'none' | 'min' | 'exact';
  readonly build: string;
  /** What one of its jobs needs of its worker. */
  readonly needs: Amounts;
  /** Tags of the workers that its jobs prefer. */
  readonly prefers: readonly string[];
  /** How many live workers may run its jobs. */
  readonly workers: number;
  /** What keeps all live workers from it: they do not serve the queue, or lack kind, tags, build or amounts. */
  readonly unservedBecause: Lack | undefined;
}

/** A queue, what waits in it lane by lane, and the live workers that serve it. */
export interface QueueView {
  readonly queue: Queue;
  readonly lanes: readonly LaneView[];
  readonly workers: readonly WorkerView[];
}

export interface Project {
  readonly id: number;
  readonly name: string;
  readonly createdAt: Date;
}

export interface WorkerView {
  readonly workerId: string;
  readonly name: string;
  readonly build: string;
  readonly tags: readonly string[];
  readonly kinds: readonly string[];
  readonly queues: readonly string[];
  readonly slots: number;
  /** Named amounts that its jobs may need. */
  readonly offers: Amounts;
  readonly running: number;
  readonly stopping: boolean;
  readonly startedAt: Date;
  readonly heartbeatAt: Date;
  readonly leaseUntil: Date;
  readonly expired: boolean;
  readonly leads: boolean;
}

export const countMax = 10_001;
/** What callers' transactions have left in the inbox is taken in before jobs are counted, up to so many. */
const takeInMax = 100_000;

export class QueueBook {
  private readonly pool: Pool;
  private readonly statements: BoundStatements;

  constructor(pool: Pool, statements: BoundStatements) {
    this.pool = pool;
    this.statements = statements;
  }

  /** Makes a queue, or changes the settings that are given. @throws LineshaftError OPTION_INVALID, OPTION_UNKNOWN, PROJECT_NOT_FOUND */
  async declare(declaration: QueueDeclaration): Promise<Queue> {
    const valid = validateQueue(declaration);
    const project = valid.project ?? 'default';
    const [row] = await this.pool.query(this.statements.declareQueue, [
      project,
      valid.name,
      JSON.stringify(queueColumns(valid)),
    ]);
    if (row !== undefined) return queueFromRow(row);
    throw await this.noProject(project);
  }

  /** Its jobs wait until it is resumed, or until a time; running attempts go on. */
  async pause(name: string, project: string, until: Date | undefined): Promise<void> {
    const queue = await this.find(name, project);
    await this.pool.query(this.statements.pauseQueue, [queue.id, 'paused', until ?? null]);
  }

  async resume(name: string, project: string): Promise<void> {
    const queue = await this.find(name, project);
    await this.pool.query(this.statements.pauseQueue, [queue.id, 'active', null]);
  }

  /** @throws LineshaftError QUEUE_NOT_FOUND; QUEUE_NOT_EMPTY where jobs run, or wait and `purge` is not set */
  async delete(name: string, project: string, purge: boolean): Promise<void> {
    const queue = await this.find(name, project);
    const [row] = await this.pool.query<{ result: string }>(this.statements.deleteQueue, [queue.id, purge]);
    if (row?.result === 'deleted') return;
    throw new LineshaftError('QUEUE_NOT_EMPTY', {
      message: purge
        ? `queue '${name}' has running jobs; pause it and wait for them, or cancel them`
        : `queue '${name}' still holds jobs; delete it with its jobs (purge), or let them finish`,
      details: { queue: name },
    });
  }

  async list(): Promise<Queue[]> {
    const rows = await this.pool.query(this.statements.listQueues);
    return rows.map((row) => queueFromRow(row));
  }

  /** A queue by name or slug. @throws LineshaftError QUEUE_NOT_FOUND */
  async find(name: string, project: string): Promise<Queue> {
    const queues = await this.list();
    const found = queues.find(
      (queue) => (queue.name === name && queue.project === project) || queue.slug === name,
    );
    if (found !== undefined) return found;
    const names = queues.filter((queue) => queue.project === project).map((queue) => queue.name);
    throw new LineshaftError('QUEUE_NOT_FOUND', {
      message: `queue '${name}' not found in project '${project}'${didYouMean(name, names)}`,
      details: { queue: name, project },
    });
  }

  /** What waits in a queue, lane by lane, and the live workers that serve it. */
  async show(queue: Queue): Promise<QueueView> {
    const [view] = await this.view([queue]);
    return view ?? { queue, lanes: [], workers: [] };
  }

  /** The same of all queues, by as many statements as for one. */
  async showAll(): Promise<QueueView[]> {
    return await this.view(await this.list());
  }

  private async view(queues: readonly Queue[]): Promise<QueueView[]> {
    await this.pool.query(this.statements.takeIn, [takeInMax]);
    const live = (await this.workers()).filter((worker) => !worker.expired && !worker.stopping);
    const wanted = new Set(queues.map(({ id }) => id));
    const lanes = (await this.pool.query<LaneRow>(this.statements.listLanes)).filter((lane) =>
      wanted.has(Number(lane.queue_id)),
    );
    const counts = await this.pool.query<CountRow>(this.statements.countJobs, [
      lanes.map((lane) => lane.id),
      countMax,
    ]);
    const byLane = new Map(counts.map((row) => [row.lane, row]));
    return queues.map((queue) => ({
      queue,
      lanes: twins(lanes.filter((lane) => Number(lane.queue_id) === queue.id)).map((alike) =>
        laneView(alike, queue, byLane, live),
      ),
      workers: live.filter((worker) => worker.queues.includes(queue.slug)),
    }));
  }

  async createProject(name: string): Promise<Project & { readonly made: boolean }> {
    const valid = validateProjectName(name, 'name');
    const [row] = await this.pool.query<{ id: string; created_at: Date; made: boolean }>(
      this.statements.createProject,
      [valid],
    );
    if (row === undefined) throw await this.noProject(valid);
    return { id: Number(row.id), name: valid, createdAt: row.created_at, made: row.made };
  }

  async projects(): Promise<Project[]> {
    const rows = await this.pool.query<{ id: string; name: string; created_at: Date }>(
      this.statements.listProjects,
    );
    return rows.map((row) => ({ id: Number(row.id), name: row.name, createdAt: row.created_at }));
  }

  async workers(): Promise<WorkerView[]> {
    const rows = await this.pool.query<WorkerRow>(this.statements.listWorkers);
    return rows.map((row) => ({
      workerId: row.worker_id,
      name: row.name,
      build: row.build,
      tags: row.tags,
      kinds: row.kinds,
      queues: row.queues,
      slots: row.slots,
      offers: row.offers,
      running: row.running,
      stopping: row.stopping,
      startedAt: row.started_at,
      heartbeatAt: row.heartbeat_at,
      leaseUntil: row.lease_until,
      expired: row.expired,
      leads: row.leads,
    }));
  }

  private async noProject(name: string): Promise<LineshaftError> {
    const names = (await this.projects()).map((project) => project.name);
    return new LineshaftError('PROJECT_NOT_FOUND', {
      message: `project '${name}' not found${didYouMean(name, names)}; create it: lineshaft project create ${name}`,
      details: { project: name },
    });
  }
}

/**
 * Lanes by what is in them. Callers that made the same lane at the same time may have made two, since none waits long
 * for another's transaction (`lane_of` in 0002_enqueue.sql); who looks is shown one.
 */
function twins(lanes: readonly LaneRow[]): (readonly [LaneRow, ...LaneRow[]])[] {
  const groups = new Map<string, [LaneRow, ...LaneRow[]]>();
  for (const lane of lanes) {
    const content = JSON.stringify([lane.kind, lane.requirements, lane.pin, lane.build, lane.wants]);
    const alike = groups.get(content);
    if (alike === undefined) groups.set(content, [lane]);
    else alike.push(lane);
  }
  return [...groups.values()];
}

function laneView(
  alike: readonly [LaneRow, ...LaneRow[]],
  queue: Queue,
  counts: ReadonlyMap<number, CountRow>,
  live: readonly WorkerView[],
): LaneView {
  const { kind, requirements, pin, build, wants } = alike[0];
  const sum = (field: 'ready' | 'later' | 'running' | 'blocked' | 'dead'): number =>
    Math.min(
      countMax,
      alike.reduce((all, { id }) => all + (counts.get(id)?.[field] ?? 0), 0),
    );
  const needs = wants.needs ?? queue.needs;
  const { able, lack } = judgeServing({ slug: queue.slug, kind, requirements, pin, build, needs }, live);
  return {
    ...{ kind, requirements, pin, build, needs, prefers: wants.prefers ?? [] },
    ready: sum('ready'),
    later: sum('later'),
    running: sum('running'),
    blocked: sum('blocked'),
    failed: sum('dead'),
    workers: able.length,
    unservedBecause: lack,
  };
}

interface LaneRow {
  readonly id: number;
  readonly queue_id: string;
  readonly kind: string;
  readonly requirements: string[];
  readonly pin: LaneView['pin'];
  readonly build: string;
  readonly wants: LaneWants;
}

interface CountRow {
  readonly lane: number;
  readonly ready: number;
  readonly later: number;
  readonly running: number;
  readonly blocked: number;
  readonly dead: number;
}

interface WorkerRow {
  readonly worker_id: string;
  readonly name: string;
  readonly build: string;
  readonly tags: string[];
  readonly kinds: string[];
  readonly queues: string[];
  readonly slots: number;
  readonly offers: Amounts;
  readonly running: number;
  readonly stopping: boolean;
  readonly started_at: Date;
  readonly heartbeat_at: Date;
  readonly lease_until: Date;
  readonly expired: boolean;
  readonly leads: boolean;
}
