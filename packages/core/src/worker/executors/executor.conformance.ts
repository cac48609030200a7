/** What every executor does, whatever it runs code in. Run by the tests of each adapter. */

import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutorOptions, Handler, HandlerSource, JobLog } from '../handler.ts';
import { createExecutor } from './create.ts';
import type { Attempt, AttemptEvent, AttemptListener, Executor, ExecutorName, Outcome } from './port.ts';

export const fixtures = new URL('./fixtures/handlers.ts', import.meta.url);

/** A handler of the fixtures, as a module. */
export function fixture(name: string): HandlerSource {
  return { type: 'module', module: fixtures, export: name };
}

/** A listener that keeps what it hears, lets tests wait for it, and refuses what must not happen. */
export class Recorder implements AttemptListener {
  readonly starts: string[] = [];
  readonly startedAt = new Map<string, number>();
  readonly events: { jobId: string; event: AttemptEvent }[] = [];
  readonly outcomes = new Map<string, Outcome>();
  readonly faults: string[] = [];
  #waiters: (() => void)[] = [];

  onStart(attempt: Attempt): void {
    if (this.starts.includes(attempt.jobId)) this.faults.push(`${attempt.jobId} started twice`);
    this.#refuseLate(attempt, 'onStart');
    this.starts.push(attempt.jobId);
    this.startedAt.set(attempt.jobId, performance.now());
    this.#wake();
  }

  onEvent(attempt: Attempt, event: AttemptEvent): void {
    if (!this.starts.includes(attempt.jobId)) this.faults.push(`${attempt.jobId}: event before its start`);
    this.#refuseLate(attempt, `onEvent ${event.type}`);
    this.events.push({ jobId: attempt.jobId, event });
    this.#wake();
  }

  onOutcome(attempt: Attempt, outcome: Outcome): void {
    this.#refuseLate(attempt, 'onOutcome');
    this.outcomes.set(attempt.jobId, outcome);
    this.#wake();
  }

  async outcome(jobId: string): Promise<Outcome> {
    await this.until(() => this.outcomes.has(jobId));
    return this.outcomes.get(jobId) ?? { type: 'returned' };
  }

  async started(jobId: string): Promise<void> {
    await this.until(() => this.starts.includes(jobId));
  }

  async event(jobId: string, matches: (event: AttemptEvent) => boolean): Promise<AttemptEvent> {
    const find = () => this.events.find((each) => each.jobId === jobId && matches(each.event));
    await this.until(() => find() !== undefined);
    return find()?.event ?? { type: 'heartbeat' };
  }

  /** Waits for a log line of an attempt. */
  async logged(jobId: string, message: string): Promise<Readonly<Record<string, unknown>>> {
    const event = await this.event(jobId, (each) => each.type === 'log' && each.message === message);
    return event.type === 'log' ? (event.fields ?? {}) : {};
  }

  async until(condition: () => boolean): Promise<void> {
    while (!condition()) {
      await new Promise<void>((resolve) => {
        this.#waiters.push(resolve);
      });
    }
  }

  /** Lets something else wake those who wait. */
  wake(): void {
    this.#wake();
  }

  #refuseLate(attempt: Attempt, what: string): void {
    if (this.outcomes.has(attempt.jobId)) this.faults.push(`${attempt.jobId}: ${what} after its outcome`);
  }

  #wake(): void {
    for (const resolve of this.#waiters.splice(0)) resolve();
  }
}

/** A log that keeps its lines. */
export class KeptLog implements JobLog {
  readonly lines: { level: string; message: string; fields: Readonly<Record<string, unknown>> }[] = [];
  readonly #recorder: Recorder;

  constructor(recorder: Recorder) {
    this.#recorder = recorder;
  }

  debug = this.#writer('debug');
  info = this.#writer('info');
  warn = this.#writer('warn');
  error = this.#writer('error');

  #writer(level: string) {
    return (message: string, fields: Readonly<Record<string, unknown>> = {}): void => {
      this.lines.push({ level, message, fields });
      this.#recorder.wake();
    };
  }
}

let attempts = 0;

export function makeAttempt(kind: string, payload?: unknown, more: Partial<Attempt> = {}): Attempt {
  attempts += 1;
  return {
    jobId: `job-${attempts}`,
    kind,
    queue: 'default',
    attempt: 1,
    maxAttempts: 5,
    payloadText: JSON.stringify(payload ?? null),
    labels: {},
    meta: {},
    timeoutMs: undefined,
    memoryBytes: undefined,
    ...more,
  };
}

/** An executor under test, with what it reports. Ended at the end of the scope, when nothing may be left. */
export class Rig implements AsyncDisposable {
  readonly recorder = new Recorder();
  readonly log = new KeptLog(this.recorder);
  readonly executor: Executor;

  constructor(
    name: ExecutorName,
    handlers: Record<string, HandlerSource | Handler>,
    setup: { concurrency?: number; options?: ExecutorOptions } = {},
  ) {
    const sources = Object.entries(handlers).map(([kind, source]): [string, HandlerSource] => [
      kind,
      typeof source === 'function' ? { type: 'function', handler: source } : source,
    ]);
    this.executor = createExecutor(name, {
      handlers: new Map(sources),
      concurrency: setup.concurrency ?? 4,
      options: setup.options ?? { size: 1 },
      log: this.log,
    });
  }

  static async start(...args: ConstructorParameters<typeof Rig>): Promise<Rig> {
    const rig = new Rig(...args);
    await rig.executor.start();
    return rig;
  }

  run(attempt: Attempt): string {
    this.executor.run(attempt, this.recorder);
    return attempt.jobId;
  }

  /** Runs an attempt and waits for its outcome. */
  async outcomeOf(kind: string, payload?: unknown, more?: Partial<Attempt>): Promise<Outcome> {
    return await this.recorder.outcome(this.run(makeAttempt(kind, payload, more)));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.executor.stop();
    expect(this.recorder.faults).toEqual([]);
  }
}

/** Whether a process runs; one that has ended and was not yet collected by its parent does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'latin1'));
  } catch {
    return false;
  }
}

/**
 * There is no event for the end of a process that is no child: looks until it is gone; the test's limit ends
 * it.
 */
export async function untilEnded(pid: number): Promise<void> {
  expect(pid).toBeGreaterThan(1);
  while (isRunning(pid)) await new Promise((resolve) => setTimeout(resolve, 5));
}

/** What an adapter shows to the suite: how it does the same things. */
export interface ConformanceSubject {
  readonly name: ExecutorName;
  /** By what they do; see the fixtures of the same names. */
  readonly handlers: Record<'echo' | 'nothing' | 'fail' | 'hang' | 'obey', HandlerSource>;
  /** One that it must refuse at its start. */
  readonly refused: HandlerSource;
  readonly holdsMemory: boolean;
}

export function describeExecutor(subject: ConformanceSubject): void {
  const { name, handlers } = subject;
  const options = { size: 2 };

  describe(`executor ${name}, as every executor`, () => {
    let rig: Rig;
    beforeAll(async () => {
      rig = await Rig.start(name, handlers, { concurrency: 40, options });
    });
    afterAll(() => rig[Symbol.asyncDispose]());

    it('gives what the handler returned as JSON text', async () => {
      const outcome = await rig.outcomeOf('echo', { text: 'größer\n"' });
      expect(outcome).toMatchObject({ type: 'succeeded', enqueue: [] });
      expect(JSON.parse(outcome.type === 'succeeded' ? (outcome.outputText ?? '') : '')).toEqual({
        text: 'größer\n"',
      });
    });

    it('gives no output when there is none', async () => {
      expect(await rig.outcomeOf('nothing')).toEqual({
        type: 'succeeded',
        outputText: undefined,
        enqueue: [],
      });
    });

    it('gives each attempt its start and its outcome, once', async () => {
      const ids = Array.from({ length: 40 }, (_, n) => rig.run(makeAttempt(n % 2 ? 'nothing' : 'echo', n)));
      const outcomes = await Promise.all(ids.map((id) => rig.recorder.outcome(id)));
      expect(outcomes.map((outcome) => outcome.type === 'succeeded' && outcome.outputText)).toEqual(
        ids.map((_, n) => (n % 2 ? undefined : String(n))),
      );
      expect(rig.recorder.starts.filter((id) => ids.includes(id)).sort()).toEqual([...ids].sort());
    });

    it('makes a failure an outcome that can be tried again', async () => {
      expect(await rig.outcomeOf('fail', {})).toMatchObject({ type: 'failed', retryable: true });
      expect(await rig.outcomeOf('nothing')).toMatchObject({ type: 'succeeded' });
    });

    it('ends an attempt at its time limit, which counts from its start', async () => {
      const id = rig.run(makeAttempt('hang', null, { timeoutMs: 150 }));
      const outcome = await rig.recorder.outcome(id);
      expect(outcome).toMatchObject({
        type: 'failed',
        retryable: true,
        error: { code: 'TIME_LIMIT_EXCEEDED' },
      });
      const tookMs = performance.now() - (rig.recorder.startedAt.get(id) ?? 0);
      expect(tookMs).toBeGreaterThan(100);
      expect(tookMs).toBeLessThan(2_000);
    });

    it('runs as many at once as it has room for', async () => {
      await using rig = await Rig.start(name, handlers, { concurrency: 3, options: { size: 3 } });
      const ids = [1, 2, 3].map(() => rig.run(makeAttempt('obey')));
      await Promise.all(ids.map((id) => rig.recorder.started(id)));
      for (const id of ids) rig.executor.cancel(id, 'cancelled', 5_000);
      await Promise.all(ids.map((id) => rig.recorder.outcome(id)));
    });

    it('lets an attempt that is cancelled end by itself', async () => {
      const id = rig.run(makeAttempt('obey'));
      await rig.recorder.logged(id, 'ready');
      rig.executor.cancel(id, 'cancelled', 60_000);
      rig.executor.cancel(id, 'cancelled', 60_000);
      expect(await rig.recorder.outcome(id)).toMatchObject({ type: 'cancelled' });
      expect(await rig.outcomeOf('nothing')).toMatchObject({ type: 'succeeded' });
    });

    it('does not wait longer than the grace for one that does not end', async () => {
      const id = rig.run(makeAttempt('hang'));
      await rig.recorder.started(id);
      rig.executor.cancel(id, 'cancelled', 30);
      expect(await rig.recorder.outcome(id)).toMatchObject({ type: 'cancelled' });
      expect(await rig.outcomeOf('nothing')).toMatchObject({ type: 'succeeded' });
    });

    it('gives an attempt back when the worker stops or has lost its lease', async () => {
      for (const reason of ['shutdown', 'lease-lost'] as const) {
        const id = rig.run(makeAttempt('obey'));
        await rig.recorder.logged(id, 'ready');
        rig.executor.cancel(id, reason, 60_000);
        expect(await rig.recorder.outcome(id)).toEqual({ type: 'returned' });
      }
    });

    it('ignores the cancelling of what it does not run', async () => {
      rig.executor.cancel('unknown', 'cancelled', 10);
      const id = rig.run(makeAttempt('nothing'));
      await rig.recorder.outcome(id);
      rig.executor.cancel(id, 'cancelled', 10);
    });

    it('fails an attempt of a kind that it does not know, for good', async () => {
      const outcome = await rig.outcomeOf('unheard-of');
      expect(outcome).toMatchObject({ type: 'failed', retryable: false, error: { code: 'HANDLER_INVALID' } });
    });

    it('refuses at its start a handler that it cannot run', async () => {
      const rig = new Rig(name, { wrong: subject.refused });
      await expect(rig.executor.start()).rejects.toMatchObject({ code: 'HANDLER_INVALID' });
      await rig.executor.stop();
    });

    it('returns running attempts when it stops, and refuses new ones', async () => {
      const rig = await Rig.start(name, handlers, { concurrency: 3, options });
      const ids = [rig.run(makeAttempt('hang')), rig.run(makeAttempt('obey'))];
      await Promise.all(ids.map((id) => rig.recorder.started(id)));
      await Promise.all([rig.executor.stop(), rig.executor.stop()]);
      await rig.executor.stop();
      ids.push(rig.run(makeAttempt('nothing')));
      for (const id of ids) expect(rig.recorder.outcomes.get(id)).toEqual({ type: 'returned' });
      expect(rig.recorder.faults).toEqual([]);
    });

    it('runs attempts that it is handed from within an outcome', async () => {
      let left = 20;
      const done = new Promise<void>((resolve) => {
        const next: AttemptListener = {
          onStart() {},
          onEvent() {},
          onOutcome() {
            left -= 1;
            if (left === 0) resolve();
            else rig.executor.run(makeAttempt('nothing'), next);
          },
        };
        rig.executor.run(makeAttempt('nothing'), next);
      });
      await done;
    });

    if (!subject.holdsMemory) {
      it('refuses an attempt with a memory limit, which it cannot hold', async () => {
        const outcome = await rig.outcomeOf('nothing', null, { memoryBytes: 2 ** 26 });
        expect(outcome).toMatchObject({
          type: 'failed',
          retryable: false,
          error: { code: 'OPTION_INVALID' },
        });
      });
    }
  });
}
