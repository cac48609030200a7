/** Definitions of workflows and tasks as data: keep, find, list, forget; and what a run takes of them with it. */

import { createHash } from 'node:crypto';
import { LineshaftError } from '../domain/errors.ts';
import { didYouMean } from '../domain/suggest.ts';
import type { StepDefinition, TaskDefinition, WorkflowDefinition } from '../domain/workflow/definition.ts';
import { stepKind } from '../domain/workflow/step-kind.ts';
import { validateTask, withoutNulls } from '../domain/workflow/validate-task.ts';
import { refuseViolations } from '../domain/workflow/violation.ts';
import { relane } from '../queue/limit-book.ts';
import type { Pool } from '../store/pool.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { KeptDefinition } from './apply-values.ts';
import { checkDefinition } from './check-definition.ts';
import { stepDefinitions } from './rows.ts';

interface DefinitionRow {
  readonly name: string;
  readonly definition: unknown;
  readonly created_at: Date;
  readonly updated_at: Date;
}

const versionMax = 2_147_483_647;

export class DefinitionBook {
  private readonly pool: Pool;
  private readonly environment: Readonly<Record<string, string>>;
  private readonly statements: BoundStatements;

  constructor(parts: {
    readonly pool: Pool;
    readonly statements: BoundStatements;
    /** Names that `${NAME}` may show. Default none. */
    readonly environment?: Readonly<Record<string, string>>;
  }) {
    this.environment = parts.environment ?? {};
    this.pool = parts.pool;
    this.statements = parts.statements;
  }

  /**
   * A document as a definition that may be run, without fields that are null.
   * @throws LineshaftError DEFINITION_INVALID with details.violations
   */
  check(document: unknown): Promise<WorkflowDefinition> {
    return checkDefinition(document, {
      environment: this.environment,
      tasks: async (names) => new Map((await this.tasks(names)).map((task) => [task.name, task])),
      workflow: async ({ name, version }) => {
        const [row] = await this.pool.query<DefinitionRow>(this.statements.getWorkflow, [
          name,
          version ?? null,
        ]);
        return row?.definition as WorkflowDefinition | undefined;
      },
    });
  }

  /** @throws LineshaftError WORKFLOW_EXISTS, DEFINITION_INVALID */
  async putWorkflow(document: WorkflowDefinition, options: { overwrite: boolean }): Promise<void> {
    const definition = await this.check(document);
    const { name } = definition;
    const version = definition.version ?? 1;
    const rows = await this.pool.query(this.statements.putWorkflow, [
      name,
      version,
      JSON.stringify(definition),
      options.overwrite,
    ]);
    if (rows.length > 0) return;
    throw new LineshaftError('WORKFLOW_EXISTS', {
      message: `workflow '${name}' version ${version} exists already`,
      details: { name, version },
    });
  }

  /** @param version undefined: the latest. @throws LineshaftError WORKFLOW_NOT_FOUND */
  async getWorkflow(name: string, version?: number): Promise<WorkflowDefinition> {
    const known =
      version === undefined || (Number.isInteger(version) && version >= 1 && version <= versionMax);
    const [row] = known
      ? await this.pool.query<DefinitionRow>(this.statements.getWorkflow, [name, version ?? null])
      : [];
    if (row !== undefined) return dated<WorkflowDefinition>(row);
    const names = (await this.listWorkflows({ latestOnly: true })).map((each) => each.name);
    const which = version === undefined ? '' : ` version ${version}`;
    throw new LineshaftError('WORKFLOW_NOT_FOUND', {
      message: `workflow '${name}'${which} not found${names.includes(name) ? '' : didYouMean(name, names)}`,
      details: { name, ...(version === undefined ? {} : { version }) },
    });
  }

  async listWorkflows(
    options: { readonly name?: string; readonly latestOnly?: boolean } = {},
  ): Promise<WorkflowDefinition[]> {
    const rows = await this.pool.query<DefinitionRow>(this.statements.listWorkflows, [
      options.name ?? null,
      options.latestOnly ?? false,
    ]);
    return rows.map((row) => dated<WorkflowDefinition>(row));
  }

  /** @throws LineshaftError WORKFLOW_NOT_FOUND */
  async deleteWorkflow(name: string, version: number): Promise<void> {
    const rows = await this.pool.query(this.statements.deleteWorkflow, [name, version]);
    if (rows.length === 0) await this.getWorkflow(name, version);
  }

  /** @throws LineshaftError DEFINITION_INVALID */
  async putTask(document: TaskDefinition): Promise<void> {
    refuseViolations('the task definition', validateTask(document));
    const definition = withoutNulls(document);
    const { name } = definition;
    const values = [name, JSON.stringify(definition), stepKind(name) ?? null];
    const [row] = await this.pool.query<{ limited: boolean }>(this.statements.putTask, values);
    if (row?.limited === true) await relane(this.pool, this.statements);
  }

  /** @throws LineshaftError TASK_NOT_FOUND */
  async getTask(name: string): Promise<TaskDefinition> {
    const [task] = await this.tasks([name]);
    if (task !== undefined) return task;
    throw taskNotFound(
      name,
      (await this.listTasks()).map((task) => task.name),
    );
  }

  private async tasks(names: readonly string[]): Promise<TaskDefinition[]> {
    const list = `{${names.map(quoted).join(',')}}`;
    const rows = await this.pool.query<DefinitionRow>(this.statements.getTasks, [list]);
    return rows.map((row) => dated<TaskDefinition>(row));
  }

  async listTasks(): Promise<TaskDefinition[]> {
    const rows = await this.pool.query<DefinitionRow>(this.statements.getTasks, [null]);
    return rows.map((row) => dated<TaskDefinition>(row));
  }

  /** @throws LineshaftError TASK_NOT_FOUND */
  async deleteTask(name: string): Promise<void> {
    const [row] = await this.pool.query<{ limited: boolean }>(this.statements.deleteTask, [name]);
    if (row === undefined) throw taskNotFound(name, []);
    if (row.limited) await relane(this.pool, this.statements);
  }

  /**
   * A definition as a run keeps it: each step has the task definition of this moment inside, unless it brings one, and a
   * SUB_WORKFLOW that names no version has the latest.
   */
  async snapshot(definition: WorkflowDefinition): Promise<KeptDefinition> {
    const steps = [...stepDefinitions(definition).values()];
    const names = new Set(steps.filter((step) => step.taskDefinition === undefined).map(({ name }) => name));
    const called = new Set(steps.flatMap((step) => calledWithoutVersion(step) ?? []));
    const tasks = await this.query<DefinitionRow>(this.statements.getTasks, names);
    const latest = await this.query<{ name: string; version: number }>(
      this.statements.latestVersions,
      called,
    );
    if (tasks.length === 0 && latest.length === 0) return keep(definition);
    return keep(
      withKnown(definition, {
        tasks: new Map(tasks.map((row) => [row.name, dated<TaskDefinition>(row)])),
        versions: new Map(latest.map(({ name, version }) => [name, version])),
      }),
    );
  }

  /** What is known of these names; nothing is asked for none. */
  private async query<Row extends object>(
    statement: BoundStatements[keyof BoundStatements],
    names: ReadonlySet<string>,
  ): Promise<Row[]> {
    if (names.size === 0) return [];
    return await this.pool.query<Row>(statement, [`{${[...names].map(quoted).join(',')}}`]);
  }
}

/** @throws RangeError never: the document was checked when it came in */
export function keep(definition: WorkflowDefinition): KeptDefinition {
  const text = JSON.stringify(definition);
  return { hash: createHash('sha256').update(text).digest('hex'), definition, text };
}

/** The workflow that a step starts in its latest version; undefined: it starts none, or says which. */
function calledWithoutVersion(step: StepDefinition): string | undefined {
  const { name, version, workflowDefinition } = step.subWorkflowParam ?? {};
  if (step.type !== 'SUB_WORKFLOW' || workflowDefinition || (version ?? null) !== null) return undefined;
  return name?.includes('${') === false ? name : undefined;
}

/** The definition with what is known put into its steps, also those inside of others. */
function withKnown(
  definition: WorkflowDefinition,
  known: {
    readonly tasks: ReadonlyMap<string, TaskDefinition>;
    readonly versions: ReadonlyMap<string, number>;
  },
): WorkflowDefinition {
  const stepWith = (step: StepDefinition): StepDefinition => {
    const task = step.taskDefinition ?? known.tasks.get(step.name);
    const version = known.versions.get(calledWithoutVersion(step) ?? '');
    return {
      ...step,
      ...(task === undefined ? {} : { taskDefinition: task }),
      ...(version === undefined ? {} : { subWorkflowParam: { ...step.subWorkflowParam, version } }),
      ...(step.decisionCases === undefined
        ? {}
        : {
            decisionCases: Object.fromEntries(
              Object.entries(step.decisionCases).map(([name, steps]) => [name, steps.map(stepWith)]),
            ),
          }),
      ...(step.defaultCase === undefined ? {} : { defaultCase: step.defaultCase.map(stepWith) }),
      ...(step.forkTasks === undefined
        ? {}
        : { forkTasks: step.forkTasks.map((branch) => branch.map(stepWith)) }),
      ...(step.loopOver === undefined ? {} : { loopOver: step.loopOver.map(stepWith) }),
    };
  };
  return { ...definition, tasks: definition.tasks.map(stepWith) };
}

/** With the times at which it was kept, where it says none itself. */
function dated<Definition extends TaskDefinition | WorkflowDefinition>(row: DefinitionRow): Definition {
  const definition = row.definition as Definition;
  const changed = row.updated_at.getTime() !== row.created_at.getTime();
  return {
    ...definition,
    createTime: definition.createTime ?? row.created_at.getTime(),
    ...(changed ? { updateTime: definition.updateTime ?? row.updated_at.getTime() } : {}),
  };
}

function taskNotFound(name: string, names: readonly string[]): LineshaftError {
  return new LineshaftError('TASK_NOT_FOUND', {
    message: `task definition '${name}' not found${didYouMean(name, names)}`,
    details: { name },
  });
}

function quoted(name: string): string {
  return `"${name.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
