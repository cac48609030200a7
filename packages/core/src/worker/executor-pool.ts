/** The executors of one worker: made when a queue or kind first needs one, shared by all with the same settings. */

import { recordError } from '../domain/attempt.ts';
import { LineshaftError } from '../domain/errors.ts';
import { createExecutor } from './executors/create.ts';
import type { AttemptListener, Executor, ExecutorName } from './executors/port.ts';
import type { ExecutorOptions, HandlerSource, JobLog } from './handler.ts';
import type { HeldJob } from './held-job.ts';
import type { RegisteredKind } from './registry.ts';

export interface ExecutorPoolOptions {
  readonly kinds: ReadonlyMap<string, RegisteredKind>;
  /** Settings of the worker (`--ncores`, `--max-tasks-per-child`) under those of a queue. */
  readonly defaults: ExecutorOptions;
  /** Overrules the executor of every queue and kind. */
  readonly forced: ExecutorName | undefined;
  readonly slots: number;
  readonly log: JobLog;
}

export class ExecutorPool {
  private readonly options: ExecutorPoolOptions;
  private readonly executors = new Map<string, { executor: Executor; ready: Promise<void> | undefined }>();
  private readonly usedBy = new WeakMap<HeldJob, Executor>();

  constructor(options: ExecutorPoolOptions) {
    this.options = options;
  }

  /** Runs a job in the executor of its kind or queue. Trouble is an outcome. */
  run(job: HeldJob, kind: RegisteredKind, listener: AttemptListener): void {
    const { queue } = job.runtime;
    const name =
      kind.source.type === 'command' ? 'command' : (this.options.forced ?? kind.executor ?? queue.executor);
    let entry: { executor: Executor; ready: Promise<void> | undefined };
    try {
      entry = this.entry(name, queue.executorOptions);
    } catch (error) {
      listener.onOutcome(job, { type: 'failed', error: recordError(error), retryable: false });
      return;
    }
    const { executor, ready } = entry;
    if (name !== 'async' && kind.source.type === 'function') {
      listener.onOutcome(job, {
        type: 'failed',
        error: recordError(needsModule(kind.kind, name)),
        retryable: false,
      });
      return;
    }
    if (executor.name !== 'async') this.usedBy.set(job, executor);
    if (ready === undefined) {
      executor.run(job, listener);
      return;
    }
    ready.then(
      () => executor.run(job, listener),
      (error: unknown) =>
        listener.onOutcome(job, { type: 'failed', error: recordError(error), retryable: true }),
    );
  }

  cancel(job: HeldJob, reason: 'cancelled' | 'shutdown' | 'lease-lost', graceMs: number): void {
    const used = this.usedBy.get(job);
    if (used !== undefined) {
      used.cancel(job.jobId, reason, graceMs);
      return;
    }
    for (const { executor } of this.executors.values()) executor.cancel(job.jobId, reason, graceMs);
  }

  async stop(): Promise<void> {
    await Promise.all([...this.executors.values()].map(({ executor }) => executor.stop()));
  }

  private entry(
    name: ExecutorName,
    settings: ExecutorOptions,
  ): { executor: Executor; ready: Promise<void> | undefined } {
    const options = { ...this.options.defaults, ...settings };
    const key = `${name}:${JSON.stringify(options)}`;
    const known = this.executors.get(key);
    if (known !== undefined) return known;
    const executor = createExecutor(name, {
      handlers: this.handlersFor(name),
      concurrency: this.options.slots,
      options,
      log: this.options.log,
    });
    const entry: { executor: Executor; ready: Promise<void> | undefined } = { executor, ready: undefined };
    entry.ready = executor.start().then(() => {
      entry.ready = undefined;
    });
    entry.ready.catch(() => this.executors.delete(key));
    this.executors.set(key, entry);
    return entry;
  }

  /** The kinds that an executor can be asked to run. */
  private handlersFor(name: ExecutorName): ReadonlyMap<string, HandlerSource> {
    const handlers = new Map<string, HandlerSource>();
    for (const { kind, source } of this.options.kinds.values()) {
      const fits =
        name === 'command'
          ? source.type === 'command'
          : name === 'async'
            ? source.type !== 'command'
            : source.type === 'module';
      if (fits) handlers.set(kind, source);
    }
    return handlers;
  }
}

function needsModule(kind: string, name: ExecutorName): LineshaftError {
  return new LineshaftError('HANDLER_INVALID', {
    message:
      `'${kind}' is a function of this program, which the executor '${name}' cannot load; ` +
      `register it as { module: new URL('./handler.js', import.meta.url) }`,
    details: { kind, executor: name },
  });
}
