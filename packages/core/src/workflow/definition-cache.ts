/**
 * What runs start with, kept in memory as long as no definition has changed: one short question tells whether it has. So a
 * definition that was acknowledged, by whichever process, is what the next run starts with.
 */

import type { TaskDefinition, WorkflowDefinition } from '../domain/workflow/definition.ts';
import type { KeptDefinition } from './apply-values.ts';
import type { DefinitionBook } from './definition-book.ts';
import type { RunStore } from './run-store.ts';

const keptMost = 500;

export class DefinitionCache {
  private readonly store: RunStore;
  private readonly book: DefinitionBook;
  private readonly kept = new Map<string, Promise<KeptDefinition>>();
  private tasks: ReadonlyMap<string, TaskDefinition> | undefined;
  private stamp: string | undefined;

  constructor(parts: { readonly store: RunStore; readonly book: DefinitionBook }) {
    this.store = parts.store;
    this.book = parts.book;
  }

  /** Forgets what has changed since; to be called before each group of starts. */
  async refresh(): Promise<void> {
    const stamp = await this.store.definitionStamp();
    if (stamp === this.stamp) return;
    this.stamp = stamp;
    this.tasks = undefined;
    this.kept.clear();
  }

  /** As runs keep it. @param version undefined: the latest. @throws LineshaftError WORKFLOW_NOT_FOUND */
  get(name: string, version: number | undefined): Promise<KeptDefinition> {
    const key = `${version ?? ''} ${name}`;
    let kept = this.kept.get(key);
    if (kept === undefined) {
      kept = this.read(name, version);
      this.kept.set(key, kept);
      kept.catch(() => this.kept.delete(key));
      for (const oldest of this.kept.keys()) {
        if (this.kept.size <= keptMost) break;
        this.kept.delete(oldest);
      }
    }
    return kept;
  }

  /** A definition that a start brings with it: checked like any other. @throws LineshaftError DEFINITION_INVALID */
  async unregistered(document: WorkflowDefinition): Promise<KeptDefinition> {
    return await this.given(await this.book.check(document));
  }

  /** One that was checked. */
  private async given(definition: WorkflowDefinition): Promise<KeptDefinition> {
    return this.store.shared(await this.book.snapshot(definition));
  }

  /** All task definitions, for `taskOf`. */
  async readTasks(): Promise<void> {
    if (this.tasks !== undefined) return;
    const tasks = await this.book.listTasks();
    this.tasks = new Map(tasks.map((task) => [task.name, task]));
  }

  taskOf(name: string): TaskDefinition | undefined {
    return this.tasks?.get(name);
  }

  private async read(name: string, version: number | undefined): Promise<KeptDefinition> {
    return await this.given(await this.book.getWorkflow(name, version));
  }
}
