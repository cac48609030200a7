/** Moves jobs that have come due into the order book; sleeps until the next one is due. Any process may do it. */

import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import { Loop, type LoopOptions, type Service } from './service.ts';

const batch = 1_000;
/** Longest sleep: a job may be enqueued by somebody whose word does not reach us. */
const sleepMaxMs = 5_000;

export interface Promoter extends Service {
  wake(): void;
}

export function createPromoter(
  context: Pick<LoopOptions, 'clock' | 'onError' | 'onRecovered'> & {
    session: Session;
    statements: BoundStatements;
  },
): Promoter {
  const { session, statements } = context;
  return new Loop({
    ...context,
    name: 'promoter',
    async round(signal) {
      while (!signal.aborted) {
        const [[moved = '0', queues = null] = []] = await session.query(statements.promote, [batch]);
        if (queues !== null) await session.query(statements.wakeQueues, [queues, 'always']);
        if (Number(moved) < batch) break;
      }
      const [[waitMs = null] = []] = await session.query(statements.nextDue);
      return waitMs === null ? sleepMaxMs : Math.min(Math.max(Math.ceil(Number(waitMs)), 1), sleepMaxMs);
    },
  });
}
