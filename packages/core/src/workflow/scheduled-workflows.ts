/**
 * Schedules of workflows: declare, look at, pause, and see what they have started. When they tick is the scheduler's
 * (services), as of all schedules; here is also how the runs of its ticks are started.
 */

import { LineshaftError } from '../domain/errors.ts';
import { didYouMean } from '../domain/suggest.ts';
import type { StartRequest } from '../domain/workflow/run.ts';
import {
  parseSearchQuery,
  parseSort,
  type SearchTree,
  validateSearch,
} from '../domain/workflow/search-query.ts';
import { nextRunOf, nextRunsOf, validateWorkflowSchedule } from '../domain/workflow/workflow-schedule.ts';
import type { Pool } from '../store/pool.ts';
import { withSearch } from '../store/search-sql.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Found } from './port.ts';
import type {
  ScheduleExecution,
  WorkflowSchedule,
  WorkflowSchedules,
  WorkflowStartDocument,
} from './port-books.ts';

/** At most so many schedules are listed. */
const listedMost = 10_000;
/** So many hits are counted. */
const countedMost = 10_000;
/** So many runs are started before one looks again. */
const startBatch = 100;

export interface ScheduledWorkflowsParts {
  readonly pool: Pool;
  readonly statements: BoundStatements;
  readonly schema: string;
  /** The database's clock, ms since 1970. */
  readonly now: () => Promise<number>;
  /** Starts a run with this id; harmless when it is there already. */
  readonly start: (request: StartRequest, runId: string) => Promise<void>;
}

export class ScheduledWorkflows implements WorkflowSchedules {
  private readonly parts: ScheduledWorkflowsParts;

  constructor(parts: ScheduledWorkflowsParts) {
    this.parts = parts;
  }

  async put(schedule: WorkflowSchedule): Promise<WorkflowSchedule> {
    const { pool, statements } = this.parts;
    const valid = validateWorkflowSchedule(schedule);
    await pool.query(statements.putWorkflowSchedule, [
      valid.name,
      JSON.stringify(valid.rules),
      JSON.stringify(valid.settings),
      JSON.stringify(valid.document),
      JSON.stringify(valid.request),
    ]);
    return await this.get(valid.name);
  }

  async get(name: string): Promise<WorkflowSchedule> {
    const [row] = await this.rows(name, undefined, 1);
    if (row === undefined) throw await this.notFound(name);
    return scheduleOf(row, await this.parts.now());
  }

  async list(options: { workflow?: string } = {}): Promise<WorkflowSchedule[]> {
    const nowMs = await this.parts.now();
    const rows = await this.rows(undefined, options.workflow, listedMost);
    return rows.map((row) => scheduleOf(row, nowMs));
  }

  async delete(name: string): Promise<void> {
    const { pool, statements } = this.parts;
    const rows = await pool.query(statements.deleteWorkflowSchedule, [name]);
    if (rows.length === 0) throw await this.notFound(name);
  }

  async pause(name: string, reason?: string): Promise<void> {
    await this.turn(name, true, reason);
  }

  async resume(name: string): Promise<void> {
    await this.turn(name, false);
  }

  async next(rule: Parameters<WorkflowSchedules['next']>[0]): Promise<number[]> {
    return nextRunsOf(rule, await this.parts.now());
  }

  async executions(
    search: Parameters<WorkflowSchedules['executions']>[0],
  ): Promise<Found<ScheduleExecution>> {
    const { pool, statements, schema } = this.parts;
    const { start, size } = validateSearch({ start: search.start, size: search.size });
    const tree: SearchTree = {
      conditions: parseSearchQuery(search.query ?? '', executionFields),
      words: freeWords(search.freeText),
      sort: parseSort(search.sort ?? '', executionFields),
      start,
      size,
    };
    const counted = Math.max(countedMost, start + size);
    const { statement, values } = withSearch(schema, statements.searchScheduledRuns, [start, size, counted], {
      searched: 'executions',
      tree,
    });
    const rows = await pool.query<ExecutionRow>(statement, values);
    return {
      totalHits: Number(rows[0]?.hits ?? 0),
      results: rows.filter(({ id }) => id !== null).map(executionOf),
    };
  }

  /**
   * Starts the runs of ticks that have none yet. Several may do this at once, and again after a death: a run starts once, by
   * its id. @returns how many were started, or could not be
   */
  async startDue(signal?: AbortSignal): Promise<number> {
    const { pool, statements } = this.parts;
    let done = 0;
    for (;;) {
      const due = await pool.query<DueRow>(statements.scheduledRunsDue, [startBatch]);
      for (const tick of due) {
        if (signal?.aborted === true) return done;
        await this.startOne(tick);
        done += 1;
      }
      if (due.length < startBatch) return done;
    }
  }

  private async startOne({ id, request }: DueRow): Promise<void> {
    const { pool, statements, start } = this.parts;
    let reason: string | null = null;
    try {
      await start(requestOf(request), id);
    } catch (error) {
      // What another try may mend stays due.
      if (error instanceof Error && (error as Partial<LineshaftError>).retryable === true) throw error;
      reason = error instanceof Error ? error.message : String(error);
    }
    const state = reason === null ? 'EXECUTED' : 'FAILED';
    await pool.query(statements.settleScheduledRun, [id, state, reason]);
  }

  private async turn(name: string, pause: boolean, reason?: string): Promise<void> {
    const { pool, statements } = this.parts;
    const [row] = await pool.query<{ found: boolean }>(statements.pauseWorkflowSchedule, [
      name,
      reason?.slice(0, 500) ?? null,
      pause,
    ]);
    if (row?.found !== true) throw await this.notFound(name);
  }

  private rows(name: string | undefined, workflow: string | undefined, most: number): Promise<ScheduleRow[]> {
    const { pool, statements } = this.parts;
    return pool.query<ScheduleRow>(statements.listWorkflowSchedules, [name ?? null, workflow ?? null, most]);
  }

  private async notFound(name: string): Promise<LineshaftError> {
    const names = (await this.list()).map((schedule) => schedule.name);
    return new LineshaftError('SCHEDULE_NOT_FOUND', {
      message: `schedule '${name}' not found${didYouMean(name, names)}`,
      details: { schedule: name },
    });
  }
}

/** What executions are searched by. */
const executionFields = {
  executionId: 'id',
  workflowId: 'id',
  scheduleName: 'text',
  workflowName: 'text',
  workflowType: 'text',
  state: 'text',
  status: 'text',
  scheduledTime: 'time',
  executionTime: 'time',
  startTime: 'time',
} as const;

/** The free text of executions names schedules or workflows. */
function freeWords(freeText: string | undefined): string[] {
  return validateSearch({ freeText: freeText ?? '*' }).words.slice();
}

/** A request as it comes over the wire, with the words of the domain. */
export function requestOf(document: WorkflowStartDocument): StartRequest {
  const { name, version, input, correlationId, priority, taskToDomain, workflowDef } = document;
  const { createdBy, idempotencyKey, idempotencyStrategy } = document;
  return {
    name,
    ...(version === undefined || version === 0 ? {} : { version }),
    ...(input == null ? {} : { input }),
    ...(correlationId == null ? {} : { correlationId }),
    ...(priority == null ? {} : { priority }),
    ...(taskToDomain == null ? {} : { taskToDomain }),
    ...(workflowDef == null ? {} : { definition: workflowDef }),
    ...(createdBy == null ? {} : { createdBy }),
    ...(idempotencyKey == null ? {} : { idempotencyKey }),
    ...(idempotencyStrategy == null ? {} : { idempotencyStrategy }),
  };
}

interface ScheduleRow {
  readonly name: string;
  readonly document: Readonly<Record<string, unknown>>;
  readonly request: WorkflowStartDocument;
  readonly paused: boolean;
  readonly paused_reason: string | null;
  readonly created_at: Date;
  readonly updated_at: Date;
}

function scheduleOf(row: ScheduleRow, nowMs: number): WorkflowSchedule {
  const next = row.paused ? undefined : nextRunOf(row.document, nowMs);
  return {
    ...row.document,
    name: row.name,
    startWorkflowRequest: row.request,
    paused: row.paused,
    ...(row.paused_reason === null ? {} : { pausedReason: row.paused_reason }),
    createTime: row.created_at.getTime(),
    updatedTime: row.updated_at.getTime(),
    ...(next === undefined ? {} : { nextRunTime: next }),
  };
}

interface DueRow {
  readonly id: string;
  readonly request: WorkflowStartDocument;
}

interface ExecutionRow {
  readonly hits: string;
  readonly id: string | null;
  readonly schedule: string;
  readonly workflow: string;
  readonly tick: Date;
  readonly zone: string;
  readonly state: ScheduleExecution['state'];
  readonly reason: string | null;
  readonly request: WorkflowStartDocument;
  readonly at: Date;
}

function executionOf(row: ExecutionRow): ScheduleExecution {
  const id = row.id ?? '';
  return {
    executionId: id,
    scheduleName: row.schedule,
    scheduledTime: row.tick.getTime(),
    executionTime: row.at.getTime(),
    workflowName: row.workflow,
    ...(row.state === 'EXECUTED' ? { workflowId: id } : {}),
    ...(row.reason === null ? {} : { reason: row.reason }),
    startWorkflowRequest: row.request,
    state: row.state,
    zoneId: row.zone,
  };
}
