/**
 * Lets the database sleep: while a worker has nothing to do and nothing comes due, none of its loops asks anything: each
 * waits here before its round. Before they do, one question says how long nothing comes due. A notification, a wake of any
 * loop, or that time ends the rest. The lease of the worker is renewed then; the loop that claims does not wait for that,
 * but nothing that it claims may start before (`renewing`). The others begin when its first round is over.
 */

import type { Clock } from '../domain/clock.ts';

export interface RestHost {
  readonly clock: Clock;
  /** Nothing is held, nothing is to be written, and notifications arrive. */
  quiet(): boolean;
  /** How long until something comes due, in ms; 0: there is work. One statement or two. */
  nextMs(): Promise<number>;
  /** Says that the worker lives, or registers it anew. Asked once more as the rest begins: so the connection knows the statement. */
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
/** So long the other loops wait for the first round of the one that claims. */
const headStartMs = 50;

/** Opens once. */
interface Gate {
  readonly opened: Promise<void>;
  readonly open: () => void;
}

export class Rest {
  private readonly host: RestHost;
  private phase: 'awake' | 'entering' | 'resting' | 'waking' | 'stopped' = 'awake';
  /** For loops that go first, and for the others. */
  private firstGate: Gate | undefined;
  private gate: Gate | undefined;
  private rounds = 0;
  private onIdle: (() => void) | undefined;
  /** Out of a rest, until the lease is renewed: others may still take what is claimed. */
  renewing: Promise<void> | undefined;
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

  /** What a loop waits for before a round; undefined: nothing. `first`: not for the lease. */
  parked(first = false): Promise<void> | undefined {
    return (first ? this.firstGate : this.gate)?.opened;
  }

  begin(): void {
    this.rounds += 1;
  }

  end(): void {
    this.rounds -= 1;
    if (this.rounds === 0) this.onIdle?.();
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
    this.firstGate = newGate();
    this.gate = newGate();
    let nextMs = 0;
    try {
      nextMs = await this.host.nextMs();
      if (nextMs >= shortestMs) await this.host.renew();
    } catch {
      // The loops find out what is wrong with the database.
      nextMs = 0;
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
    const renewed = newGate();
    this.renewing = renewed.opened;
    this.openFirst();
    while ((this.phase as string) === 'waking') {
      try {
        await this.host.renew();
        this.renewedAtMs = this.host.clock.monotonic();
        break;
      } catch {
        await new Promise<void>((resolve) => void this.host.clock.after(renewPauseMs, resolve));
      }
    }
    this.renewing = undefined;
    renewed.open();
    await this.firstRound();
    if ((this.phase as string) === 'waking') this.phase = 'awake';
    this.open();
  }

  /** Resolves when no round is under way, or after a while. */
  private async firstRound(): Promise<void> {
    if (this.rounds === 0 || this.phase === 'stopped') return;
    const over = newGate();
    this.onIdle = over.open;
    const takeBack = this.host.clock.after(headStartMs, over.open);
    await over.opened;
    takeBack();
    this.onIdle = undefined;
  }

  private openFirst(): void {
    this.firstGate?.open();
    this.firstGate = undefined;
  }

  private open(): void {
    this.openFirst();
    this.gate?.open();
    this.gate = undefined;
  }
}

function newGate(): Gate {
  const { promise, resolve } = Promise.withResolvers<void>();
  return { opened: promise, open: resolve };
}
