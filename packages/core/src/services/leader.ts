/** Leadership for what must run once: one worker holds it, renews it, and resigns when it stops. */

import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { Loop, type LoopOptions, type Service } from './service.ts';

/** A leader that is not heard of for so long is replaced; sooner where workers have shorter leases. */
const longestLeaseMs = 10_000;

export interface Leadership extends Service {
  /** The term of this worker's leadership; undefined while another leads, or when it cannot be sure. */
  readonly term: string | undefined;
  /** The leader has resigned: who asks first is the next. */
  wake(): void;
}

export function createLeadership(
  context: Pick<LoopOptions, 'clock' | 'onError' | 'onRecovered'> & {
    session: Session;
    statements: BoundStatements;
    /** The row of the worker; it changes when the worker had to register anew. */
    workerRow: () => string;
    /** The lease of the worker. */
    leaseMs: number;
    onElected: () => void;
  },
): Leadership {
  const { session, statements, clock } = context;
  const leaderLeaseMs = Math.min(longestLeaseMs, context.leaseMs);
  let term: string | undefined;
  let sureUntilMs = 0;
  const loop = new Loop({
    ...context,
    name: 'leader',
    errorPauseMaxMs: leaderLeaseMs / 3,
    async round() {
      const askedAtMs = clock.monotonic();
      const [[won = null] = []] = await session.query(statements.lead, [
        'main',
        context.workerRow(),
        leaderLeaseMs,
      ]);
      const elected = won !== null && won !== term;
      term = won ?? undefined;
      // Counted from before the question: the lease in the database ends later than ours.
      sureUntilMs = askedAtMs + leaderLeaseMs;
      if (elected) context.onElected();
      return leaderLeaseMs / 3;
    },
  });
  return {
    name: 'leader',
    get term() {
      return clock.monotonic() < sureUntilMs ? term : undefined;
    },
    start: () => loop.start(),
    wake: () => loop.wake(),
    async stop() {
      await loop.stop();
      if (term === undefined) return;
      term = undefined;
      await session.query(statements.resign, ['main', context.workerRow()]).catch(() => {});
    },
  };
}
