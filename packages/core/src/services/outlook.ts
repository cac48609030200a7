/**
 * What comes next, as the database said it last: one answer for all loops of a worker that sleep until something comes
 * due, so that they need not each ask. Heartbeats bring it as often as the loops would look; so an idle worker's
 * loops ask nothing themselves. An answer is believed as long as a loop would have slept after asking, and no longer.
 */

import type { Clock } from '../domain/clock.ts';
import type { Row } from '../store/session.ts';

/** Times are those of the monotonic clock of this process, in ms; infinite: none is in sight. */
export interface Prospect {
  /** Just before the question was sent: what was committed until then is in it. */
  readonly askedAtMs: number;
  /** When a job comes due, or is to be taken in from the inbox. */
  readonly jobAtMs: number;
  /** When a schedule comes due. */
  readonly scheduleAtMs: number;
  /** When a paused queue is to be resumed. */
  readonly resumeAtMs: number;
  /** When a run needs somebody: time alone may change it, or nobody has decided on what happened to it. */
  readonly runAtMs: number;
  /** Whether ticks of schedules wait for the job before them. */
  readonly ticksWait: boolean;
  /** Whether anything at all may be claimed, by whomever. */
  readonly anyReady: boolean;
}

export class Outlook {
  private readonly clock: Clock;
  private readonly ask: () => Promise<readonly Row[]>;
  private last: Prospect | undefined;
  private asking: Promise<Prospect> | undefined;
  /** Counts what is known to have changed, so that an answer that was under way meanwhile is not kept. */
  private changes = 0;

  /** @param ask sends `outlook.sql` */
  constructor(clock: Clock, ask: () => Promise<readonly Row[]>) {
    this.clock = clock;
    this.ask = ask;
  }

  /** An answer that is no older than `maxAgeMs`; asks if there is none. */
  async within(maxAgeMs: number): Promise<Prospect> {
    const { last } = this;
    if (last !== undefined && this.clock.monotonic() - last.askedAtMs < maxAgeMs) return last;
    this.asking ??= this.look();
    return await this.asking;
  }

  /** How long the order book has been known to be empty, in ms; infinite: it is not, or nobody knows. */
  sinceEmptyMs(): number {
    if (this.last === undefined || this.last.anyReady) return Number.POSITIVE_INFINITY;
    return this.clock.monotonic() - this.last.askedAtMs;
  }

  /** How long to sleep on an answer: until `dueAtMs`, or until it is older than `maxAgeMs`; at least 1 ms. */
  sleepMs(prospect: Prospect, dueAtMs: number, maxAgeMs: number): number {
    const untilMs = Math.min(dueAtMs, prospect.askedAtMs + maxAgeMs);
    return Math.max(Math.ceil(untilMs - this.clock.monotonic()), 1);
  }

  /** Something has changed: the next one who wants to know asks anew. */
  forget(): void {
    this.changes += 1;
    this.last = undefined;
    this.asking = undefined;
  }

  /** For a question that is sent now with something else: call what it returns with the answer. */
  expect(): (row: Row) => Prospect {
    const { changes } = this;
    const askedAtMs = this.clock.monotonic();
    return (row) => {
      const prospect = prospectFromRow(row, askedAtMs, this.clock.monotonic());
      if (changes === this.changes && askedAtMs >= (this.last?.askedAtMs ?? askedAtMs)) this.last = prospect;
      return prospect;
    };
  }

  private look(): Promise<Prospect> {
    const told = this.expect();
    const asking = this.ask()
      .then(([row = []]) => told(row))
      .finally(() => {
        if (this.asking === asking) this.asking = undefined;
      });
    return asking;
  }
}

function prospectFromRow(row: Row, askedAtMs: number, nowMs: number): Prospect {
  const [jobMs, scheduleMs, resumeMs, ticksWait, anyReady, runMs] = row;
  const at = (ms: string | null | undefined): number =>
    ms == null ? Number.POSITIVE_INFINITY : nowMs + Number(ms);
  return {
    askedAtMs,
    jobAtMs: at(jobMs),
    scheduleAtMs: at(scheduleMs),
    resumeAtMs: at(resumeMs),
    runAtMs: at(runMs),
    ticksWait: ticksWait === 't',
    anyReady: anyReady === 't',
  };
}
