/**
 * All that may be asked of workflows, for one installation: implements the port by delegating to books, each with a part
 * of it.
 */

import type { TaskDefinition, WorkflowDefinition } from '../domain/workflow/definition.ts';
import type { Pool } from '../store/pool.ts';
import type { Route } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { DefinitionBook } from './definition-book.ts';
import type { RunView, StepOfRun, Workflows } from './port.ts';
import { RunBook } from './run-book.ts';
import { RunStore } from './run-store.ts';

/** What the books are made of. */
export interface WorkflowParts {
  readonly route: Route;
  readonly pool: Pool;
  readonly statements: BoundStatements;
}

type Offered =
  | 'putWorkflow'
  | 'getWorkflow'
  | 'listWorkflows'
  | 'deleteWorkflow'
  | 'putTask'
  | 'getTask'
  | 'listTasks'
  | 'deleteTask'
  | 'show'
  | 'showStep'
  | 'correlated'
  | 'running'
  | 'remove';

export class WorkflowBooks implements Pick<Workflows, Offered> {
  private readonly store: RunStore;
  private readonly definitions: DefinitionBook;
  private readonly runBook: RunBook;

  constructor(parts: WorkflowParts) {
    this.store = new RunStore(parts);
    this.definitions = new DefinitionBook(parts);
    this.runBook = new RunBook({ ...parts, store: this.store });
  }

  putWorkflow(definition: WorkflowDefinition, options: { overwrite: boolean }): Promise<void> {
    return this.definitions.putWorkflow(definition, options);
  }

  getWorkflow(name: string, version?: number): Promise<WorkflowDefinition> {
    return this.definitions.getWorkflow(name, version);
  }

  listWorkflows(options?: { name?: string; latestOnly?: boolean }): Promise<WorkflowDefinition[]> {
    return this.definitions.listWorkflows(options);
  }

  deleteWorkflow(name: string, version: number): Promise<void> {
    return this.definitions.deleteWorkflow(name, version);
  }

  putTask(definition: TaskDefinition): Promise<void> {
    return this.definitions.putTask(definition);
  }

  getTask(name: string): Promise<TaskDefinition> {
    return this.definitions.getTask(name);
  }

  listTasks(): Promise<TaskDefinition[]> {
    return this.definitions.listTasks();
  }

  deleteTask(name: string): Promise<void> {
    return this.definitions.deleteTask(name);
  }

  show(runId: string, options?: { steps?: boolean }): Promise<RunView> {
    return this.runBook.show(runId, options);
  }

  showStep(stepId: string): Promise<StepOfRun> {
    return this.runBook.showStep(stepId);
  }

  correlated(
    names: readonly string[],
    correlationIds: readonly string[],
    options: { closed: boolean; steps: boolean },
  ): Promise<RunView[]> {
    return this.runBook.correlated(names, correlationIds, options);
  }

  running(name: string, version?: number, between?: { from: number; to: number }): Promise<string[]> {
    return this.runBook.running(name, version, between);
  }

  remove(runId: string): Promise<void> {
    return this.runBook.remove(runId);
  }

  async close(): Promise<void> {
    await this.store.close();
  }
}
