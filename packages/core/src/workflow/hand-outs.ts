/**
 * Steps that were taken for polls and whose answers are on their way. The database gives such a step a few seconds only
 * (`sending_ms`), until it is told that the answer was sent: if this process dies before, the step waits again soon, and not
 * when a worker that never heard of it should have answered. Most steps are reported sooner than they would be
 * written about; what is still out after half a second is told of all together, in one statement.
 */

import type { Clock } from '../domain/clock.ts';

/** How an answer stands, for the database. */
export interface HandOut {
  readonly stepId: string;
  /** The call of `claim_remote` that took it. */
  readonly claim: string;
  /** The answer was sent; false: it is still on its way, and the step stays with it. */
  readonly sent: boolean;
}

interface Entry {
  readonly claim: string;
  readonly takenMs: number;
  renewedMs: number;
  state: 'taken' | 'answered' | 'sent';
}

/** What is reported within this time is never written about. */
const tellAfterMs = 500;
/** An answer that takes longer to send keeps its steps; the database gives them 10 s each time. */
const renewAfterMs = 3_000;
/** Steps in one statement. */
const tellMost = 5_000;

export class HandOuts {
  private readonly entries = new Map<string, Entry>();
  private readonly clock: Clock;
  private readonly tell: (steps: readonly HandOut[]) => Promise<void>;
  private readonly isOut: (stepId: string) => boolean;
  private takeBackTick: (() => void) | undefined;
  private telling: Promise<void> | undefined;
  private closed = false;

  constructor(parts: {
    readonly clock: Clock;
    /** Writes it; where it throws, it is tried again. */
    readonly tell: (steps: readonly HandOut[]) => Promise<void>;
    /** Whether a worker has the step that was answered with, as far as is known here: nobody has reported on it. */
    readonly isOut: (stepId: string) => boolean;
  }) {
    this.clock = parts.clock;
    this.tell = parts.tell;
    this.isOut = parts.isOut;
  }

  /** A claim has taken it for a poll. */
  taken(stepId: string, claim: string): void {
    const now = this.clock.monotonic();
    this.entries.delete(stepId);
    this.entries.set(stepId, { claim, takenMs: now, renewedMs: now, state: 'taken' });
    this.schedule();
  }

  /** The poll is answered: the answer is about to be sent. */
  answered(stepId: string): void {
    const entry = this.entries.get(stepId);
    if (entry !== undefined) entry.state = 'answered';
  }

  /** The answer was sent. */
  sent(stepId: string): void {
    const entry = this.entries.get(stepId);
    if (entry !== undefined) entry.state = 'sent';
  }

  /** It was given back. */
  forget(stepId: string): void {
    this.entries.delete(stepId);
  }

  /** Tells of all that was sent; what was not is taken back by the database when its time is over. */
  async close(): Promise<void> {
    this.closed = true;
    this.takeBackTick?.();
    await this.telling;
    await this.tellAll(0).catch(() => {});
  }

  private schedule(): void {
    if (this.takeBackTick !== undefined || this.closed) return;
    this.takeBackTick = this.clock.after(
      tellAfterMs,
      () => {
        this.takeBackTick = undefined;
        this.telling = this.tellAll(tellAfterMs)
          // The database is away: there is time to try again.
          .catch(() => {})
          .then(() => {
            this.telling = undefined;
            if (this.entries.size > 0) this.schedule();
          });
      },
      true,
    );
  }

  /** Of those that were taken so long ago. */
  private async tellAll(afterMs: number): Promise<void> {
    const now = this.clock.monotonic();
    const due: HandOut[] = [];
    for (const [stepId, entry] of this.entries) {
      if (due.length === tellMost) break;
      // They are in the order in which they were taken.
      if (now - entry.takenMs < afterMs) break;
      if (entry.state !== 'taken' && !this.isOut(stepId)) this.entries.delete(stepId);
      else if (entry.state === 'sent') due.push({ stepId, claim: entry.claim, sent: true });
      else if (!this.closed && now - entry.renewedMs >= renewAfterMs)
        due.push({ stepId, claim: entry.claim, sent: false });
    }
    if (due.length === 0) return;
    await this.tell(due);
    for (const { stepId, claim, sent } of due) {
      const entry = this.entries.get(stepId);
      if (entry?.claim !== claim) continue;
      if (sent) this.entries.delete(stepId);
      else entry.renewedMs = now;
    }
  }
}
