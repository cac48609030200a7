/** Leases of which nothing is left, and that no write has taken with it: their rows go by themselves, many at once. */

import type { Lease } from './held-job.ts';

export class EmptiedLeases {
  private readonly drop: (leases: readonly string[]) => Promise<unknown>;
  private waiting: string[] = [];
  private dropping: Promise<void> | undefined;

  /** @param drop where it fails they stay: the heartbeat finds leases that nobody knows */
  constructor(drop: (leases: readonly string[]) => Promise<unknown>) {
    this.drop = drop;
  }

  /** The end of a job of this lease is written. */
  look(lease: Lease): void {
    if (lease.unsettled > 0 || lease.isGone) return;
    lease.isGone = true;
    this.waiting.push(lease.id);
    this.dropping ??= this.dropAll();
  }

  /** Resolves when those that were seen so far are gone. */
  async settled(): Promise<void> {
    await this.dropping;
  }

  private async dropAll(): Promise<void> {
    while (this.waiting.length > 0) {
      const leases = this.waiting;
      this.waiting = [];
      await this.drop(leases).catch(() => {});
    }
    this.dropping = undefined;
  }
}
