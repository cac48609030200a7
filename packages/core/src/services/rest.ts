/**
 * Lets the database sleep: while a worker has nothing to do and nothing comes due, none of its loops asks anything. One
 * gate for all of them: a loop waits here before each round. Before it closes, one question says how long nothing
 * comes due; a notification, a wake of any loop, or that time opens it, and the lease of the worker is renewed before
 * the first round, so that nothing is claimed under a lease that has run out.
 */

import type { Clock } from '../domain/clock.ts';

export interface RestHost {
  readonly clock: Clock;
  /** Nothing is held, nothing is to be written, and notifications arrive. */
  quiet(): boolean;
  /** How long until something comes due, in ms; 0: there is work. One statement or two. */
  nextMs(): Promise<number>;
  /** Says that the worker lives, or registers it anew. */
  renew(): Promise<void>;
  onRest(): void;
}

/** So long nothing must have happened before the worker rests. */
const quietMs = 6_000;
const checkMs = 1_000;
/** A rest that would be shorter is not worth the two statements that it costs. */
const shortestMs = 15_000;
/** History needs its partitions some days ahead; nobody rests longer. */
const longestMs = 6 * 3_600_000;
const renewPauseMs = 200;

export class Rest {
  private readonly host: RestHost;
  private phase: 'awake' | 'entering' | 'resting' | 'waking' | 'stopped' = 'awake';
  private gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  private rounds = 0;
  /** When a rest ended and the lease was renewed for it. */
  renewedAtMs = Number.NEGATIVE_INFINITY;
  private lastMs: number;
  /** After a question that said: not yet. */
  private notBeforeMs = 0;
  private takeBackTimer: (() => void) | undefined;
  private takeBackCheck: (() => void) | undefined;

  constructor(host: RestHost) {
    this.host = host;
    this.lastMs = host.clock.monotonic();
  }

  get resting(): boolean {
    return this.phase === 'resting';
  }

  start(): void {
    this.takeBackCheck = this.host.clock.after(checkMs, () => this.check(), true);
  }

  stop(): void {
    this.phase = 'stopped';
    this.takeBackCheck?.();
    this.takeBackTimer?.();
    this.open();
  }

  /** What a loop waits for before a round; undefined: nothing. */
  parked(): Promise<void> | undefined {
    return this.gate?.opened;
  }

  begin(): void {
    this.rounds += 1;
  }

  end(): void {
    this.rounds -= 1;
  }

  /** Something happened, or is to happen now. */
  wake(): void {
    this.lastMs = this.host.clock.monotonic();
    if (this.phase === 'entering') this.phase = 'awake';
    else if (this.phase === 'resting') this.getUp().catch(() => {});
  }

  private check(): void {
    if (this.phase === 'stopped') return;
    this.start();
    const nowMs = this.host.clock.monotonic();
    if (this.phase !== 'awake' || this.gate !== undefined || this.rounds > 0 || !this.host.quiet()) return;
    if (nowMs - this.lastMs < quietMs || nowMs < this.notBeforeMs) return;
    this.enter().catch(() => {});
  }

  private async enter(): Promise<void> {
    this.phase = 'entering';
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gate = { opened: promise, open: resolve };
    let nextMs = 0;
    try {
      nextMs = await this.host.nextMs();
    } catch {
      // The loops find out what is wrong with the database.
    }
    // It may have been woken, or stopped, while the answer was on its way.
    const undisturbed = (this.phase as string) === 'entering';
    if (!undisturbed || nextMs < shortestMs) {
      if (undisturbed) this.phase = 'awake';
      this.notBeforeMs = this.host.clock.monotonic() + quietMs;
      this.open();
      return;
    }
    this.phase = 'resting';
    this.takeBackTimer = this.host.clock.after(Math.min(nextMs, longestMs), () => this.wake());
    this.host.onRest();
  }

  private async getUp(): Promise<void> {
    this.phase = 'waking';
    this.takeBackTimer?.();
    while ((this.phase as string) === 'waking') {
      try {
        await this.host.renew();
        this.renewedAtMs = this.host.clock.monotonic();
        break;
      } catch {
        await new Promise<void>((resolve) => void this.host.clock.after(renewPauseMs, resolve));
      }
    }
    if ((this.phase as string) === 'waking') this.phase = 'awake';
    this.open();
  }

  private open(): void {
    this.gate?.open();
    this.gate = undefined;
  }
}
