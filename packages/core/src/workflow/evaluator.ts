/**
 * Evaluates the scripts of workflows (JavaScript and jq) beside the event loop, in threads that see nothing of this process,
 * with limits of time and memory. A hostile or faulty script fails, and holds up nobody: what waits behind it in its batch
 * is given to another thread, and a thread that doesn't answer is ended and replaced. An evaluation has no effect, so
 * doing one twice does no harm.
 */

import { availableParallelism } from 'node:os';
import { wholeNumber } from '../domain/fields.ts';
import type { Evaluated, Evaluation } from '../domain/workflow/decision.ts';
import type { Outcome, Task } from './evaluator-protocol.ts';
import { EvaluatorThread } from './evaluator-worker.ts';

export interface EvaluatorOptions {
  /** Most threads; they come when they are needed. 1 to 64. Default: one for each core, at least 2 and at most 4. */
  readonly threads?: number;
  /** Longest time of one evaluation, 10 to 60,000 ms. Default 4,000, as in Conductor. */
  readonly timeoutMs?: number;
  /** Most memory of one evaluation, 16 MiB to 1 GiB. Default 64 MiB. */
  readonly memoryBytes?: number;
  /** Most evaluations that wait; what comes beyond fails, and may be tried again. 1 to 1,000,000. Default 20,000. */
  readonly queueMax?: number;
  /** Longest text of results, in characters, 1,024 to 104,857,600. Default 10 MiB. */
  readonly resultMaxLength?: number;
}

interface Pending {
  readonly task: Task;
  readonly resolve: (evaluated: Evaluated) => void;
}

const batchMost = 64;
/** Longer than that without a result, the rest of a batch goes to another thread. */
const stalledMs = 50;
/** A thread interrupts a script itself; only one that can't is ended. */
const graceMs = 500;
const loadingMs = 30_000;
const lookEveryMs = 25;
const idleMs = 60_000;
const expressionMaxLength = 1_048_576;
/** Of all inputs that wait, in characters. */
const waitingMaxLength = 268_435_456;

export class Evaluator {
  private readonly settings: Required<EvaluatorOptions>;
  private readonly pending = new Map<number, Pending>();
  private queue: Task[] = [];
  private threads: EvaluatorThread[] = [];
  private waitingLength = 0;
  private nextId = 1;
  private timer: NodeJS.Timeout | undefined;
  private closed = false;

  constructor(options: EvaluatorOptions = {}) {
    const threads = Math.min(4, Math.max(2, availableParallelism()));
    this.settings = {
      threads: wholeNumber(options.threads ?? threads, 'threads', 1, 64),
      timeoutMs: wholeNumber(options.timeoutMs ?? 4_000, 'timeoutMs', 10, 60_000),
      memoryBytes: wholeNumber(options.memoryBytes ?? 67_108_864, 'memoryBytes', 16_777_216, 1_073_741_824),
      queueMax: wholeNumber(options.queueMax ?? 20_000, 'queueMax', 1, 1_000_000),
      resultMaxLength: wholeNumber(
        options.resultMaxLength ?? 10_485_760,
        'resultMaxLength',
        1_024,
        104_857_600,
      ),
    };
  }

  /**
   * Evaluates; the answers are in the order of what was asked, and it never rejects. `terminal: false` says that the script
   * was not at fault: too many waited, or the evaluator was closed.
   *
   * @example const [answer] = await evaluator.evaluate([{ language: 'javascript', expression: '$.n > 3', body: false, input: { n: 4 } }]);
   */
  evaluate(evaluations: readonly Omit<Evaluation, 'stepId' | 'round'>[]): Promise<Evaluated[]> {
    const answers = evaluations.map((evaluation) => this.enqueue(evaluation));
    this.dispatch();
    return Promise.all(answers);
  }

  /** How many evaluations wait or run. */
  get busy(): number {
    return this.pending.size;
  }

  /** Ends all threads; what waits fails. Safe to call twice. */
  async close(): Promise<void> {
    this.closed = true;
    clearInterval(this.timer);
    this.timer = undefined;
    const threads = this.threads;
    this.threads = [];
    this.queue = [];
    for (const id of [...this.pending.keys()]) this.answer({ id, ok: false, message: 'closed' }, false);
    await Promise.all(threads.map((thread) => thread.end()));
  }

  private enqueue(evaluation: Omit<Evaluation, 'stepId' | 'round'>): Promise<Evaluated> {
    const { language, expression, body } = evaluation;
    if (expression.length > expressionMaxLength)
      return refused(`the script is longer than ${expressionMaxLength} characters`, true);
    if (this.closed) return refused('the evaluator is closed', false);
    if (this.pending.size >= this.settings.queueMax || this.waitingLength > waitingMaxLength)
      return refused('too many scripts wait to be evaluated', false);
    const input = JSON.stringify(evaluation.input ?? null);
    const task = { id: this.nextId, language, expression, body, input };
    this.nextId += 1;
    this.waitingLength += input.length;
    this.queue.push(task);
    return new Promise((resolve) => this.pending.set(task.id, { task, resolve }));
  }

  /** Gives what waits to threads that have nothing to do; makes the first, and another while all are stalled. */
  private dispatch(): void {
    while (this.queue.length > 0 && !this.closed) {
      const thread = this.threads.find((each) => !each.busy) ?? this.anotherThread();
      if (thread === undefined) break;
      const tasks = this.takeBatch();
      if (tasks.length > 0) thread.send(tasks);
    }
    if (this.threads.length > 0) this.timer ??= this.startTimer();
  }

  private anotherThread(): EvaluatorThread | undefined {
    const allStalled = this.threads.every((thread) => thread.quietMs() > stalledMs);
    if (this.threads.length >= this.settings.threads || !allStalled) return undefined;
    const thread = new EvaluatorThread(this.settings, {
      onOutcomes: (outcomes) => {
        for (const outcome of outcomes) this.answer(outcome, true);
      },
      onIdle: (left) => {
        this.queue = [...left, ...this.queue];
        this.dispatch();
      },
      onEnd: (left, failed, reason) => this.replace(thread, left, { failed, reason }),
    });
    this.threads.push(thread);
    return thread;
  }

  private takeBatch(): Task[] {
    // What was answered meanwhile, by a thread that was thought to be stalled, is done.
    const language = this.queue.find((task) => this.pending.has(task.id))?.language;
    const most = Math.max(1, Math.min(batchMost, Math.ceil(this.queue.length / this.settings.threads)));
    const batch: Task[] = [];
    const rest: Task[] = [];
    for (const [at, task] of this.queue.entries()) {
      if (batch.length >= most) {
        rest.push(...this.queue.slice(at));
        break;
      }
      if (this.pending.has(task.id)) (task.language === language ? batch : rest).push(task);
    }
    this.queue = rest;
    return batch;
  }

  private answer(outcome: Outcome, terminal: boolean): void {
    const pending = this.pending.get(outcome.id);
    if (pending === undefined) return;
    this.pending.delete(outcome.id);
    this.waitingLength -= pending.task.input.length;
    pending.resolve(evaluatedOf(outcome, terminal));
  }

  /** A thread has ended: what it had besides the one that is at fault is given to others. */
  private replace(
    thread: EvaluatorThread,
    left: readonly Task[],
    fault: { readonly failed: Task | undefined; readonly reason: string },
  ): void {
    this.threads = this.threads.filter((each) => each !== thread);
    if (this.closed) return;
    if (fault.failed !== undefined)
      this.answer({ id: fault.failed.id, ok: false, message: fault.reason }, true);
    this.queue = [...left, ...this.queue];
    this.dispatch();
  }

  private startTimer(): NodeJS.Timeout {
    return setInterval(() => this.look(), lookEveryMs).unref();
  }

  private look(): void {
    for (const thread of [...this.threads]) {
      const quietMs = thread.quietMs();
      if (!thread.busy) {
        if (quietMs > idleMs) thread.end().catch(() => undefined);
        continue;
      }
      const limitMs = (thread.loading ? loadingMs : this.settings.timeoutMs) + graceMs;
      if (quietMs > limitMs) thread.fail(`the script ran longer than ${this.settings.timeoutMs} ms`);
      else if (quietMs > stalledMs && !thread.loading) this.queue = [...thread.takeBack(), ...this.queue];
    }
    this.dispatch();
    if (this.threads.length > 0) return;
    clearInterval(this.timer);
    this.timer = undefined;
  }
}

function refused(message: string, terminal: boolean): Promise<Evaluated> {
  return Promise.resolve({ ok: false, message, terminal });
}

function evaluatedOf(outcome: Outcome, terminal: boolean): Evaluated {
  if (!outcome.ok) return { ok: false, message: outcome.message, terminal };
  const values = outcome.results.map((json): unknown => JSON.parse(json));
  return { ok: true, value: values[0] ?? null, values };
}
