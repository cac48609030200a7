/**
 * Runs handlers in the event loop of the worker itself: the fastest executor, for handlers that wait for
 * others more than they compute. It cannot end code that does not yield, and it cannot hold a memory limit.
 *
 * What a limit or a cancel does here: `job.signal` is aborted and the outcome is given; a handler that goes
 * on nevertheless is ignored from then on.
 */

import type { Handler, HandlerSource } from '../handler.ts';
import { AttemptRun, type RunHost } from './attempt-run.ts';
import { stopGraceMs } from './bounds.ts';
import { Deadlines } from './deadlines.ts';
import { handlerUrl, loadHandler, refuseHandler } from './load-handler.ts';
import type { Interruption } from './outcomes.ts';
import { failedAs, interruptedOutcome, returned, unknownKind } from './outcomes.ts';
import type { Attempt, AttemptListener, Executor, ExecutorName } from './port.ts';

export interface AsyncExecutorOptions {
  readonly handlers: ReadonlyMap<string, HandlerSource>;
  readonly concurrency: number;
}

export class AsyncExecutor implements Executor, RunHost {
  readonly name: ExecutorName = 'async';
  readonly concurrency: number;
  readonly #sources: ReadonlyMap<string, HandlerSource>;
  readonly #handlers = new Map<string, Handler>();
  readonly #runs = new Map<string, AttemptRun>();
  readonly #limits = new Deadlines<AttemptRun>((run) => this.#giveUp(run, 'time-limit'));
  /** Ends of the grace of cancelled runs, and why they were cancelled. */
  readonly #graces = new Deadlines<AttemptRun>((run) =>
    this.#giveUp(run, this.#cancelled.get(run) ?? 'cancelled'),
  );
  readonly #cancelled = new Map<AttemptRun, Interruption>();
  /**
   * Attempts handed over from within `onOutcome`: run in a loop, as handlers that return at once would nest.
   */
  readonly #nested: [Attempt, AttemptListener][] = [];
  #running = false;
  #stopping: Promise<void> | undefined;
  #onDrained: (() => void) | undefined;

  constructor(options: AsyncExecutorOptions) {
    this.concurrency = options.concurrency;
    this.#sources = options.handlers;
  }

  async start(): Promise<void> {
    for (const [kind, source] of this.#sources) {
      if (source.type === 'command') {
        refuseHandler(kind, source, this.name, "use the executor 'command'");
      } else if (source.type === 'module') {
        this.#handlers.set(
          kind,
          await loadHandler(kind, handlerUrl(kind, source), source.export ?? 'default'),
        );
      } else if (typeof source.handler === 'function') {
        this.#handlers.set(kind, source.handler);
      } else {
        refuseHandler(kind, source, this.name, 'give a function');
      }
    }
  }

  run(attempt: Attempt, listener: AttemptListener): void {
    if (this.#running) {
      this.#nested.push([attempt, listener]);
      return;
    }
    this.#running = true;
    try {
      this.#runOne(attempt, listener);
      while (this.#nested.length > 0) {
        for (const [next, nextListener] of this.#nested.splice(0)) this.#runOne(next, nextListener);
      }
    } finally {
      this.#running = false;
    }
  }

  cancel(jobId: string, reason: 'cancelled' | 'shutdown' | 'lease-lost', graceMs: number): void {
    const run = this.#runs.get(jobId);
    if (run === undefined || this.#cancelled.has(run)) return;
    this.#cancelled.set(run, reason);
    this.#graces.set(run, performance.now() + graceMs);
    AttemptRun.interrupt(run, reason);
  }

  stop(): Promise<void> {
    this.#stopping ??= this.#stop();
    return this.#stopping;
  }

  /** @internal */
  onEnd(run: AttemptRun): void {
    const { jobId, timeoutMs } = AttemptRun.attemptOf(run);
    if (this.#runs.get(jobId) === run) this.#runs.delete(jobId);
    if (timeoutMs !== undefined) this.#limits.delete(run);
    if (this.#cancelled.size > 0 && this.#cancelled.delete(run)) this.#graces.delete(run);
    if (this.#onDrained !== undefined && this.#runs.size === 0) this.#onDrained();
  }

  /** @internal */
  onHeartbeat(run: AttemptRun): void {
    this.#limit(run);
  }

  #runOne(attempt: Attempt, listener: AttemptListener): void {
    if (this.#stopping !== undefined) {
      listener.onOutcome(attempt, returned);
      return;
    }
    const handler = this.#handlers.get(attempt.kind);
    if (handler === undefined) {
      listener.onOutcome(attempt, unknownKind(attempt));
      return;
    }
    if (attempt.memoryBytes !== undefined) {
      const remedy = "use the executor 'thread', 'process' or 'command' for this kind, or remove the limit";
      listener.onOutcome(
        attempt,
        failedAs('OPTION_INVALID', `the executor 'async' cannot hold a memory limit; ${remedy}`),
      );
      return;
    }
    const run = new AttemptRun(attempt, listener, this);
    this.#runs.set(attempt.jobId, run);
    this.#limit(run);
    AttemptRun.execute(run, handler);
  }

  #limit(run: AttemptRun): void {
    const { timeoutMs } = AttemptRun.attemptOf(run);
    if (timeoutMs !== undefined) this.#limits.set(run, performance.now() + timeoutMs);
  }

  /** Gives the outcome now and then aborts the signal, so that what the abort sets off can change nothing. */
  #giveUp(run: AttemptRun, why: Interruption): void {
    AttemptRun.end(run, interruptedOutcome(why, AttemptRun.attemptOf(run)));
    AttemptRun.interrupt(run, why);
  }

  async #stop(): Promise<void> {
    const drained = new Promise<void>((resolve) => {
      this.#onDrained = resolve;
    });
    for (const run of [...this.#runs.values()])
      this.cancel(AttemptRun.attemptOf(run).jobId, 'shutdown', stopGraceMs);
    if (this.#runs.size > 0) {
      const timer = setTimeout(() => {
        for (const run of [...this.#runs.values()]) this.#giveUp(run, 'shutdown');
      }, stopGraceMs);
      await drained;
      clearTimeout(timer);
    }
    this.#limits.clear();
    this.#graces.clear();
  }
}
