/**
 * Stands between Lineshaft and one part of a plugin: what goes wrong in it is reported once, with the names of the
 * plugin and the part, and the part is switched off. Nothing that a plugin throws or forgets comes through.
 */

import type { Clock } from '../domain/clock.ts';
import { LineshaftError } from '../domain/errors.ts';
import type { Log } from '../log.ts';
import type { HookName, Plugin } from '../plugin.ts';

/** The state of one part of a plugin, as `worker.metrics()` tells it. */
export interface HookReport {
  readonly plugin: string;
  readonly hook: HookName | 'middleware' | 'service';
  /** Calls that threw or took too long; more than one where several were under way. */
  readonly failures: number;
  /** Calls that were not made because too many were under way. */
  readonly dropped: number;
  /** Whether it is not called any more. */
  readonly off: boolean;
}

/** Calls of one hook that nobody waits for and that may be under way at once. */
const pendingMax = 1_000;

export class Guard {
  readonly plugin: string;
  readonly hook: HookReport['hook'];
  off = false;
  private readonly timeoutMs: number;
  private readonly clock: Clock;
  private readonly log: Log;
  private failures = 0;
  private dropped = 0;
  /** Since when each call that nobody waits for is under way; the oldest first. */
  private readonly pending = new Map<PromiseLike<unknown>, number>();
  private watched = false;

  constructor(plugin: Plugin, hook: HookReport['hook'], tools: { clock: Clock; log: Log }) {
    this.plugin = plugin.name;
    this.hook = hook;
    this.timeoutMs = plugin.timeoutMs;
    this.clock = tools.clock;
    this.log = tools.log;
  }

  report(): HookReport {
    const { plugin, hook, failures, dropped, off } = this;
    return { plugin, hook, failures, dropped, off };
  }

  /** Calls it and waits for nothing. */
  run(call: () => unknown): void {
    if (this.off) return;
    if (this.pending.size >= pendingMax) {
      this.dropped += 1;
      return;
    }
    try {
      const result = call();
      if (isPromise(result)) this.watch(result);
    } catch (error) {
      this.fail(error);
    }
  }

  /** Calls it and waits, no longer than its time; undefined where it failed. An error that `passes` is thrown on. */
  async ask<Result>(
    call: () => Result | PromiseLike<Result>,
    passes: (error: unknown) => boolean = () => false,
  ): Promise<Result | undefined> {
    if (this.off) return undefined;
    const asked = this.settle(call, passes);
    await this.within(asked);
    const { result, passed } = this.off ? { result: undefined, passed: undefined } : await asked;
    if (passed !== undefined) throw passed.error;
    return result;
  }

  /** Calls it; resolves when it has ended, and never rejects: a failure is reported. */
  async settle<Result>(
    call: () => Result | PromiseLike<Result>,
    passes: (error: unknown) => boolean = () => false,
  ): Promise<{ result?: Result; passed?: { error: unknown } }> {
    try {
      return { result: await call() };
    } catch (error) {
      if (passes(error)) return { passed: { error } };
      this.fail(error);
      return {};
    }
  }

  /** Waits for a promise that never rejects, but no longer than the part may take: then it has failed. */
  within(work: Promise<unknown>): Promise<void> {
    return new Promise((resolve) => {
      const takeBack = this.clock.after(
        this.timeoutMs,
        () => {
          this.fail(this.tooSlow());
          resolve();
        },
        true,
      );
      const done = (): void => {
        takeBack();
        resolve();
      };
      work.then(done, done);
    });
  }

  fail(error: unknown): void {
    this.failures += 1;
    if (this.off) return;
    this.off = true;
    const message = error instanceof Error ? error.message : String(error);
    this.log.error(`plugin '${this.plugin}': ${this.hook} failed and is switched off: ${message}`, {
      stack: error instanceof Error ? error.stack : undefined,
    });
  }

  private tooSlow(): LineshaftError {
    return new LineshaftError('PLUGIN_TIMEOUT', {
      message: `it took longer than its timeoutMs (${this.timeoutMs} ms)`,
      details: { plugin: this.plugin, hook: this.hook },
    });
  }

  private watch(result: PromiseLike<unknown>): void {
    this.pending.set(result, this.clock.monotonic());
    const done = (): void => void this.pending.delete(result);
    result.then(done, (error: unknown) => {
      done();
      this.fail(error);
    });
    this.watchOldest();
  }

  /** One timer for all calls that are under way: the oldest is the first to be too slow. */
  private watchOldest(): void {
    const [oldestMs] = this.pending.values();
    if (this.watched || oldestMs === undefined) return;
    this.watched = true;
    const leftMs = oldestMs + this.timeoutMs - this.clock.monotonic();
    this.clock.after(
      Math.max(leftMs, 1),
      () => {
        this.watched = false;
        const [stillMs] = this.pending.values();
        if (stillMs !== undefined && this.clock.monotonic() - stillMs >= this.timeoutMs) {
          this.fail(this.tooSlow());
          // What never ends must not be kept, nor be counted again.
          this.pending.clear();
        } else this.watchOldest();
      },
      true,
    );
  }
}

function isPromise(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' && value !== null && typeof (value as { then?: unknown }).then === 'function'
  );
}
