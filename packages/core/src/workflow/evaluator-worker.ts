/** One thread of the evaluator, as the evaluator sees it: what it was given, and how long nothing was heard of it. */

import { Worker } from 'node:worker_threads';
import type { Batch, Outcome, Task, ThreadMessage, ThreadSettings } from './evaluator-protocol.ts';

const entry = new URL(
  import.meta.url.endsWith('.ts') ? './evaluator-thread.ts' : './evaluator-thread.js',
  import.meta.url,
);

export interface ThreadEvents {
  onOutcomes(outcomes: readonly Outcome[]): void;
  /** It has nothing to do. `left`: what it had not begun when the rest of its batch was taken back. */
  onIdle(left: readonly Task[]): void;
  /** It has ended, once: `failed` is what it was at, if that was at fault, `left` what it had besides. */
  onEnd(left: readonly Task[], failed: Task | undefined, reason: string): void;
}

export class EvaluatorThread {
  private readonly worker: Worker;
  private readonly events: ThreadEvents;
  /** The number of the batch whose rest is not wanted any more; and at which of its tasks the thread is. */
  private readonly shared = new Int32Array(new SharedArrayBuffer(8));
  /** Languages whose machines are loaded: only then the time of a script counts. */
  private readonly loaded = new Set<string>();
  private tasks: readonly Task[] = [];
  private left: readonly Task[] = [];
  private batch = 0;
  private waiting = false;
  private heardAt = performance.now();
  private ended = false;

  constructor(settings: Omit<ThreadSettings, 'shared'>, events: ThreadEvents) {
    this.events = events;
    const { timeoutMs, memoryBytes, resultMaxLength } = settings;
    const shared = this.shared.buffer;
    this.worker = new Worker(entry, {
      name: 'lineshaft evaluator',
      workerData: { timeoutMs, memoryBytes, resultMaxLength, shared } satisfies ThreadSettings,
      argv: [],
      env: {},
      execArgv: [],
      stdin: false,
      stdout: true,
      stderr: true,
      resourceLimits: { maxOldGenerationSizeMb: 256, maxYoungGenerationSizeMb: 32 },
    });
    this.worker.unref();
    // What jq programs print for debugging is nobody's; unread it would pile up.
    this.worker.stdout.resume();
    this.worker.stderr.resume();
    this.worker.on('message', (message: ThreadMessage) => this.hear(message));
    this.worker.on('error', (error) =>
      this.over(`the script ended its thread: ${error.message}`, this.current),
    );
    this.worker.on('exit', () => this.over('the script ended its thread', this.current));
  }

  get busy(): boolean {
    return this.waiting;
  }

  /** What it is at needs a machine that it never used. */
  get loading(): boolean {
    const { current } = this;
    return current !== undefined && !this.loaded.has(current.language);
  }

  /** What it is at, as it last said: it tells of results a little later. */
  private get current(): Task | undefined {
    return this.waiting ? this.tasks[Atomics.load(this.shared, 1)] : undefined;
  }

  /** Since when nothing was heard of it. */
  quietMs(): number {
    return performance.now() - this.heardAt;
  }

  send(tasks: readonly Task[]): void {
    this.tasks = tasks;
    this.left = tasks;
    this.batch += 1;
    Atomics.store(this.shared, 1, 0);
    this.waiting = true;
    this.heardAt = performance.now();
    // A process must not end while it waits for an answer.
    this.worker.ref();
    this.worker.postMessage({ number: this.batch, tasks } satisfies Batch);
  }

  /** Takes all but the one that it is at. */
  takeBack(): readonly Task[] {
    const { current } = this;
    const rest = this.left.filter((task) => task !== current);
    if (current === undefined || rest.length === 0) return [];
    Atomics.store(this.shared, 0, this.batch);
    this.left = [current];
    return rest;
  }

  /** Ends it, since what it is at must fail. */
  fail(reason: string): void {
    this.over(reason, this.current);
    this.worker.terminate().catch(() => undefined);
  }

  async end(): Promise<void> {
    this.over('the evaluator is closed');
    await this.worker.terminate();
  }

  private hear(message: ThreadMessage): void {
    if (this.ended) return;
    this.heardAt = performance.now();
    if ('loaded' in message) {
      this.loaded.add(message.loaded);
      return;
    }
    const told = new Set(message.outcomes.map(({ id }) => id));
    this.left = this.left.filter(({ id }) => !told.has(id));
    this.events.onOutcomes(message.outcomes);
    if (message.broken) {
      // What broke it was told; the others have not begun.
      this.over('');
      this.worker.terminate().catch(() => undefined);
    } else if (message.done) {
      this.waiting = false;
      this.worker.unref();
      const { left } = this;
      this.left = [];
      this.events.onIdle(left);
    }
  }

  private over(reason: string, failed?: Task): void {
    if (this.ended) return;
    this.ended = true;
    this.waiting = false;
    this.events.onEnd(
      this.left.filter((task) => task !== failed),
      failed,
      reason,
    );
  }
}
