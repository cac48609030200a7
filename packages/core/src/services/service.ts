/**
 * The contract of everything that runs in the background: `start` once, `stop` as often as one likes, survive a
 * lost database. `Loop` is the one implementation: it does a round, sleeps as long as the round says, and can be
 * woken. A round that throws is reported once per outage and tried again with growing pauses.
 */

import type { Clock } from '../domain/clock.ts';
import type { Rest } from './rest.ts';

export interface Service {
  readonly name: string;
  start(): void;
  /** Resolves when the round that runs has ended. Harmless before `start` and when called again. */
  stop(): Promise<void>;
}

export interface LoopOptions {
  readonly name: string;
  readonly clock: Clock;
  /** One round. Returns the milliseconds until the next; `signal` is aborted by `stop`. */
  readonly round: (signal: AbortSignal) => Promise<number>;
  readonly onError: (name: string, error: unknown) => void;
  readonly onRecovered?: (name: string) => void;
  /** Longest pause after errors. Default 5 s. */
  readonly errorPauseMaxMs?: number;
  /** Where it waits before a round while its worker lets the database sleep. */
  readonly rest?: Rest | undefined;
  /** Out of a rest it begins before the others, while the lease is renewed. Default false. */
  readonly first?: boolean;
}

const errorPauseMaxMs = 5_000;

export class Loop implements Service {
  readonly name: string;
  private readonly options: LoopOptions;
  private readonly controller = new AbortController();
  private running: Promise<void> | undefined;
  private wakeUp: (() => void) | undefined;
  private woken = false;

  constructor(options: LoopOptions) {
    this.name = options.name;
    this.options = options;
  }

  start(): void {
    this.running ??= this.run();
  }

  /** Ends the sleep, or the next one if a round is running. */
  wake(): void {
    this.woken = true;
    this.options.rest?.wake();
    this.wakeUp?.();
  }

  async stop(): Promise<void> {
    this.controller.abort();
    this.wake();
    await this.running;
  }

  private async run(): Promise<void> {
    const { signal } = this.controller;
    let failures = 0;
    const { rest, first } = this.options;
    while (!signal.aborted) {
      const parked = rest?.parked(first);
      if (parked !== undefined) {
        await parked;
        continue;
      }
      this.woken = false;
      let pauseMs: number;
      rest?.begin();
      try {
        pauseMs = await this.options.round(signal);
        if (failures > 0) this.options.onRecovered?.(this.name);
        failures = 0;
      } catch (error) {
        if (signal.aborted) return;
        failures += 1;
        if (failures === 1) this.options.onError(this.name, error);
        pauseMs = Math.min(100 * 2 ** Math.min(failures, 6), this.options.errorPauseMaxMs ?? errorPauseMaxMs);
      } finally {
        rest?.end();
      }
      if (!signal.aborted && !this.woken) await this.sleep(pauseMs);
    }
  }

  private sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const takeBack = this.options.clock.after(Math.max(ms, 0), finish);
      this.wakeUp = finish;
      const done = (): void => {
        this.wakeUp = undefined;
        resolve();
      };
      function finish(): void {
        takeBack();
        done();
      }
    });
  }
}
