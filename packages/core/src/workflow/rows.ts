/**
 * Runs and steps as rows of the database: `load_runs.sql` gives arrays, `apply_runs.sql` takes objects without what
 * stays as it was. Pure; SQL is in the store.
 */

import type { JsonObject, StepDefinition, WorkflowDefinition } from '../domain/workflow/definition.ts';
import type { Run, RunLimit, RunStatus, Step, StepStatus } from '../domain/workflow/run.ts';
import type { Row } from '../store/session.ts';
import type { WrittenStep } from './port.ts';

/** What is kept of a run beside its columns. */
interface RunFacts {
  readonly taskToDomain?: Readonly<Record<string, string>>;
  readonly reRunFrom?: string;
  readonly failedRefs?: readonly string[];
  readonly failedNames?: readonly string[];
  readonly limited?: RunLimit;
  /** Where it is not 0. */
  readonly depth?: number;
  readonly externalInputPath?: string;
  readonly externalOutputPath?: string;
}

/** Where documents are that are kept apart from their row. */
export interface Places {
  readonly input: string | undefined;
  readonly output: string | undefined;
}

/** What is kept of a step beside its columns, where it is not as it mostly is. */
interface StepFacts {
  readonly domain?: string;
  /** Where it is not the time at which it was scheduled. */
  readonly firstScheduledAt?: number;
  readonly startDelaySeconds?: number;
  readonly callbackAfterSeconds?: number;
  readonly pollCount?: number;
  readonly workerId?: string;
  readonly retriedStepId?: string;
  readonly retried?: boolean;
  readonly executed?: boolean;
  readonly subRunId?: string;
  readonly dueAt?: number;
  readonly parentStepId?: string;
  readonly externalInputPath?: string;
  readonly externalOutputPath?: string;
}

type RunRow = readonly [
  status: RunStatus,
  nextSeq: number,
  updatedAt: number,
  endedAt: number | null,
  retriedAt: number | null,
  reason: string | null,
  facts: RunFacts | null,
  priority: number,
  correlationId: string | null,
  idempotencyKey: string | null,
  createdBy: string | null,
  event: string | null,
  createdAt: number,
  parentRun: string | null,
  parentStep: string | null,
  input: JsonObject,
  output: JsonObject,
  variables: JsonObject,
];

type StepRow = readonly [
  id: string,
  seq: number,
  ref: string,
  iteration: number,
  retryCount: number,
  type: string,
  name: string,
  status: StepStatus,
  scheduledAt: number,
  startedAt: number | null,
  updatedAt: number,
  endedAt: number | null,
  reason: string | null,
  facts: StepFacts | null,
  definition: StepDefinition | null,
  input: JsonObject,
  output: JsonObject,
];

const none = Object.freeze({});
const nobody: readonly string[] = [];

/** @param text the column `run` of `load_runs.sql` */
export function runFromText(
  text: string,
  known: { readonly id: string; readonly revision: number; readonly definition: WorkflowDefinition },
): Run {
  const row = JSON.parse(text) as RunRow;
  const facts: RunFacts = row[6] ?? none;
  return {
    id: known.id,
    revision: known.revision,
    definition: known.definition,
    status: row[0],
    nextSeq: row[1],
    updatedAt: row[2],
    endedAt: row[3] ?? undefined,
    lastRetriedAt: row[4] ?? undefined,
    reason: row[5] ?? undefined,
    taskToDomain: facts.taskToDomain ?? none,
    reRunFrom: facts.reRunFrom,
    failedRefs: facts.failedRefs ?? nobody,
    failedNames: facts.failedNames ?? nobody,
    priority: row[7],
    correlationId: row[8] ?? undefined,
    idempotencyKey: row[9] ?? undefined,
    createdBy: row[10] ?? undefined,
    event: row[11] ?? undefined,
    createdAt: row[12],
    parent: row[13] === null || row[14] === null ? undefined : { runId: row[13], stepId: row[14] },
    input: row[15],
    output: row[16],
    variables: row[17],
    limited: facts.limited,
    depth: facts.depth ?? 0,
    externalInputPath: facts.externalInputPath,
    externalOutputPath: facts.externalOutputPath,
  };
}

/** @param text the column `steps` of `load_runs.sql` */
export function stepsFromText(text: string | null, definition: WorkflowDefinition): Step[] {
  if (text === null) return [];
  const definitions = stepDefinitions(definition);
  const rows = (JSON.parse(text) as StepRow[]).sort((a, b) => a[1] - b[1]);
  return rows.map((row) => stepFromRow(row, definitions));
}

/** @param text the column `step` of `load_steps.sql` */
export function stepFromText(text: string, definition: WorkflowDefinition): Step {
  return stepFromRow(JSON.parse(text) as StepRow, stepDefinitions(definition));
}

function stepFromRow(row: StepRow, definitions: ReadonlyMap<string, StepDefinition>): Step {
  const facts: StepFacts = row[13] ?? none;
  const [id, seq, ref] = row;
  return {
    id,
    seq,
    ref,
    iteration: row[3],
    retryCount: row[4],
    type: row[5],
    name: row[6],
    status: row[7],
    scheduledAt: row[8],
    startedAt: row[9] ?? undefined,
    updatedAt: row[10],
    endedAt: row[11] ?? undefined,
    reason: row[12] ?? undefined,
    definition: row[14] ??
      definitionOf(definitions, ref) ?? { name: row[6], taskReferenceName: baseRef(ref) },
    input: row[15],
    output: row[16],
    domain: facts.domain,
    firstScheduledAt: facts.firstScheduledAt ?? row[8],
    startDelaySeconds: facts.startDelaySeconds ?? 0,
    callbackAfterSeconds: facts.callbackAfterSeconds ?? 0,
    pollCount: facts.pollCount ?? 0,
    workerId: facts.workerId,
    retriedStepId: facts.retriedStepId,
    retried: facts.retried ?? false,
    executed: facts.executed ?? false,
    subRunId: facts.subRunId,
    dueAt: facts.dueAt,
    parentStepId: facts.parentStepId,
    externalInputPath: facts.externalInputPath,
    externalOutputPath: facts.externalOutputPath,
  };
}

/**
 * A step whose documents stay text.
 *
 * @param row the columns of a step in `show_run.sql`
 * @param parsed what the text of a definition says
 */
export function writtenStep(
  row: Row,
  definitions: ReadonlyMap<string, StepDefinition>,
  parsed: (text: string) => StepDefinition,
): WrittenStep {
  const [ref, name, scheduledAt] = [row[2] ?? '', row[6] ?? '', Number(row[8])];
  const facts: StepFacts = row[13] == null ? none : (JSON.parse(row[13]) as StepFacts);
  const definition = row[14];
  return {
    id: row[0] ?? '',
    seq: Number(row[1]),
    ref,
    iteration: Number(row[3]),
    retryCount: Number(row[4]),
    type: row[5] ?? '',
    name,
    status: row[7] as StepStatus,
    scheduledAt,
    startedAt: row[9] == null ? undefined : Number(row[9]),
    updatedAt: Number(row[10]),
    endedAt: row[11] == null ? undefined : Number(row[11]),
    reason: row[12] ?? undefined,
    definition:
      definition == null
        ? (definitionOf(definitions, ref) ?? { name, taskReferenceName: baseRef(ref) })
        : parsed(definition),
    inputText: row[15] ?? '{}',
    outputText: row[16] ?? '{}',
    domain: facts.domain,
    firstScheduledAt: facts.firstScheduledAt ?? scheduledAt,
    startDelaySeconds: facts.startDelaySeconds ?? 0,
    callbackAfterSeconds: facts.callbackAfterSeconds ?? 0,
    pollCount: facts.pollCount ?? 0,
    workerId: facts.workerId,
    retriedStepId: facts.retriedStepId,
    retried: facts.retried ?? false,
    executed: facts.executed ?? false,
    subRunId: facts.subRunId,
    dueAt: facts.dueAt,
    parentStepId: facts.parentStepId,
    externalInputPath: facts.externalInputPath,
    externalOutputPath: facts.externalOutputPath,
  };
}

/** Undefined fields are left out by JSON. */
export function runFacts(run: Run, places: Places): RunFacts | undefined {
  const { taskToDomain, reRunFrom, failedRefs, failedNames, limited, depth } = run;
  const usual = reRunFrom === undefined && limited === undefined && depth === 0 && isEmpty(taskToDomain);
  const apart = places.input !== undefined || places.output !== undefined;
  if (usual && !apart && failedRefs.length + failedNames.length === 0) return undefined;
  return {
    ...(isEmpty(taskToDomain) ? {} : { taskToDomain }),
    ...(reRunFrom === undefined ? {} : { reRunFrom }),
    ...(failedRefs.length === 0 ? {} : { failedRefs }),
    ...(failedNames.length === 0 ? {} : { failedNames }),
    ...(limited === undefined ? {} : { limited }),
    ...(depth === 0 ? {} : { depth }),
    ...(places.input === undefined ? {} : { externalInputPath: places.input }),
    ...(places.output === undefined ? {} : { externalOutputPath: places.output }),
  };
}

/** What differs from what is mostly so; undefined fields are left out by JSON. */
export function stepFacts(step: Step, places: Places): Record<string, unknown> {
  return {
    domain: step.domain,
    firstScheduledAt: step.firstScheduledAt === step.scheduledAt ? undefined : step.firstScheduledAt,
    startDelaySeconds: step.startDelaySeconds || undefined,
    callbackAfterSeconds: step.callbackAfterSeconds || undefined,
    pollCount: step.pollCount || undefined,
    workerId: step.workerId,
    retriedStepId: step.retriedStepId,
    retried: step.retried || undefined,
    executed: step.executed || undefined,
    subRunId: step.subRunId,
    dueAt: step.dueAt,
    parentStepId: step.parentStepId,
    externalInputPath: places.input,
    externalOutputPath: places.output,
  } satisfies Record<keyof StepFacts, unknown>;
}

/** What a definition says of a ref, also inside of a loop; undefined: the step came about while the run ran. */
export function definitionOf(
  definitions: ReadonlyMap<string, StepDefinition>,
  ref: string,
): StepDefinition | undefined {
  return definitions.get(ref) ?? definitions.get(baseRef(ref));
}

/** The ref without the iteration: in iteration 3 of a loop `send` is `send__3`. */
function baseRef(ref: string): string {
  return ref.replace(/__\d+$/, '');
}

const indexes = new WeakMap<WorkflowDefinition, ReadonlyMap<string, StepDefinition>>();

/** All steps of a definition, also those inside of others, by ref; made once for a definition. */
export function stepDefinitions(definition: WorkflowDefinition): ReadonlyMap<string, StepDefinition> {
  let index = indexes.get(definition);
  if (index === undefined) {
    index = indexOf(definition.tasks);
    indexes.set(definition, index);
  }
  return index;
}

/** Without recursion: definitions may be nested as deep as they like. */
function indexOf(steps: readonly StepDefinition[]): ReadonlyMap<string, StepDefinition> {
  const index = new Map<string, StepDefinition>();
  const lists: (readonly StepDefinition[])[] = [steps];
  for (let list = lists.pop(); list !== undefined; list = lists.pop()) {
    for (const step of list) {
      index.set(step.taskReferenceName, step);
      for (const branch of Object.values(step.decisionCases ?? none)) lists.push(branch as typeof list);
      for (const branch of step.forkTasks ?? []) lists.push(branch);
      if (step.defaultCase !== undefined) lists.push(step.defaultCase);
      if (step.loopOver !== undefined) lists.push(step.loopOver);
    }
  }
  return index;
}

function isEmpty(record: object): boolean {
  for (const _field in record) return false;
  return true;
}
