/** Queues and projects as data: declare, pause, resume, delete, look at. */

import { pinAllows } from '../domain/build.ts';
import { LineshaftError } from '../domain/errors.ts';
import {
  type Queue,
  type QueueDeclaration,
  queueColumns,
  queueFromRow,
  validateProjectName,
  validateQueue,
} from '../domain/queue.ts';
import { didYouMean } from '../domain/suggest.ts';
import { requirementsMet } from '../domain/tags.ts';
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
  /** How many live workers may run its jobs. */
  readonly workers: number;
  /** What keeps all live workers from it: they do not serve the queue, or lack kind, tags or build. */
  readonly unservedBecause: 'queue' | 'kind' | 'requirements' | 'build' | undefined;
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
  readonly running: number;
  readonly stopping: boolean;
  readonly startedAt: Date;
  readonly heartbeatAt: Date;
  readonly leaseUntil: Date;
  readonly expired: boolean;
  readonly leads: boolean;
}

export const countMax = 10_001;

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
  async show(queue: Queue): Promise<{ queue: Queue; lanes: LaneView[]; workers: WorkerView[] }> {
    const live = (await this.workers()).filter((worker) => !worker.expired && !worker.stopping);
    const workers = live.filter((worker) => worker.queues.includes(queue.slug));
    return { queue, lanes: await this.lanes(queue.id, workers), workers };
  }

  private async lanes(queueId: number, workers: readonly WorkerView[]): Promise<LaneView[]> {
    const lanes = await this.pool.query<LaneRow>(this.statements.listLanes);
    const own = lanes.filter((lane) => Number(lane.queue_id) === queueId);
    const counts = await this.pool.query<CountRow>(this.statements.countJobs, [
      own.map((lane) => lane.id),
      countMax,
    ]);
    const byLane = new Map(counts.map((row) => [row.lane, row]));
    return own.map((lane) => {
      const row = byLane.get(lane.id);
      return {
        kind: lane.kind,
        requirements: lane.requirements,
        pin: lane.pin,
        build: lane.build,
        ready: row?.ready ?? 0,
        later: row?.later ?? 0,
        running: row?.running ?? 0,
        blocked: row?.blocked ?? 0,
        failed: row?.dead ?? 0,
        ...servedBy(lane, workers),
      };
    });
  }

  async createProject(name: string): Promise<Project & { readonly made: boolean }> {
    const valid = validateProjectName(name, 'name');
    const [row] = await this.pool.query<{ id: string; name: string; made: boolean }>(
      this.statements.createProject,
      [valid],
    );
    return { id: Number(row?.id), name: valid, createdAt: new Date(), made: row?.made ?? false };
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

/** Which of the workers that serve its queue may run the jobs of a lane; if none, for want of what. */
function servedBy(
  lane: LaneRow,
  workers: readonly WorkerView[],
): Pick<LaneView, 'workers' | 'unservedBecause'> {
  const knowing = workers.filter(({ kinds }) => kinds.includes(lane.kind));
  const fitting = knowing.filter(({ tags }) => requirementsMet(lane.requirements, tags));
  const able = fitting.filter(({ build }) => pinAllows(lane.pin, lane.build, build));
  const unservedBecause =
    workers.length === 0
      ? 'queue'
      : knowing.length === 0
        ? 'kind'
        : fitting.length === 0
          ? 'requirements'
          : 'build';
  return { workers: able.length, unservedBecause: able.length > 0 ? undefined : unservedBecause };
}

interface LaneRow {
  readonly id: number;
  readonly queue_id: string;
  readonly kind: string;
  readonly requirements: string[];
  readonly pin: LaneView['pin'];
  readonly build: string;
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
  readonly running: number;
  readonly stopping: boolean;
  readonly started_at: Date;
  readonly heartbeat_at: Date;
  readonly lease_until: Date;
  readonly expired: boolean;
  readonly leads: boolean;
}
