/** How a worker comes to an end: running attempts finish or are interrupted, and what has ended is written. */

import type { Clock } from '../domain/clock.ts';
import type { Log } from '../log.ts';
import type { Completer } from './completer.ts';
import type { Runner } from './runner.ts';

/** A stop leaves the last results at least this time to be written, however late it is. */
const writeAtLeastMs = 2_000;

export class Shutdown {
  private readonly options: {
    readonly clock: Clock;
    readonly log: Log;
    readonly runner: Runner;
    readonly completer: Completer;
    readonly timeoutMs: number;
    readonly graceMs: number;
  };
  private interrupted: (() => void) | undefined;
  private hurrying = false;

  constructor(options: Shutdown['options']) {
    this.options = options;
  }

  /** Do not wait for running attempts any longer. */
  hurry(): void {
    this.hurrying = true;
    this.interrupted?.();
  }

  /** Lets running attempts finish in their time; what then still runs is interrupted and given back. */
  async endAttempts(): Promise<void> {
    const { runner } = this.options;
    if (runner.running > 0 && !(await this.waitForRunning())) await this.interruptRunning();
  }

  /** Writes what has ended. With the database away for too long it is given up: those jobs run again elsewhere. */
  async writeResults(byMs: number): Promise<void> {
    const { clock, log, completer } = this.options;
    await new Promise<void>((resolve) => {
      const giveUp = (): void => {
        log.error('results are given up, the database is away; their jobs run again', {
          results: completer.backlog,
        });
        completer.abandon();
        resolve();
      };
      const leftMs = this.hurrying ? 0 : byMs - clock.monotonic();
      let takeBack = clock.after(Math.max(leftMs, writeAtLeastMs), giveUp);
      this.interrupted = () => {
        takeBack();
        takeBack = clock.after(writeAtLeastMs, giveUp);
      };
      completer.settled().then(() => {
        takeBack();
        resolve();
      }, resolve);
    });
  }

  /** Whether all attempts ended in time and nobody asked to hurry. */
  private waitForRunning(): Promise<boolean> {
    if (this.hurrying) return Promise.resolve(false);
    return new Promise((resolve) => {
      const takeBack = this.options.clock.after(this.options.timeoutMs, () => resolve(false));
      this.interrupted = () => resolve(false);
      this.options.runner.idle().then(
        () => {
          takeBack();
          resolve(true);
        },
        () => resolve(false),
      );
    });
  }

  private async interruptRunning(): Promise<void> {
    const { clock, log, runner, graceMs } = this.options;
    log.warn('running attempts are interrupted and given back', { running: runner.running });
    runner.interrupt('shutdown', graceMs);
    await new Promise<void>((resolve) => {
      const takeBack = clock.after(graceMs + 100, resolve);
      runner.idle().then(() => {
        takeBack();
        resolve();
      }, resolve);
    });
    runner.abandonRunning();
  }
}
