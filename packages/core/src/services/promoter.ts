/** Moves jobs that have come due into the order book; sleeps until the next one is due. Any process may do it. */

import { definePlugin, type ServiceContext } from '../plugin.ts';
import type { Service } from './service.ts';

const batch = 1_000;
/** Longest sleep: a job may be enqueued by somebody whose word does not reach us. */
const sleepMaxMs = 5_000;

/** The built-in service that lets scheduled and retrying jobs go when their time has come. */
export const promoter = definePlugin({ name: 'promoter', service: createPromoter });

function createPromoter(context: ServiceContext): Service {
  const { session, statements } = context.internals;
  const loop = context.loop({
    async round(signal) {
      for (;;) {
        const [[wait = null] = []] = await session.query(statements.nextDue);
        const waitMs = wait === null ? sleepMaxMs : Math.ceil(Number(wait));
        if (waitMs > 0 || signal.aborted) return Math.min(Math.max(waitMs, 1), sleepMaxMs);
        const [[moved = '0', queues = null] = []] = await session.query(statements.promote, [batch]);
        if (queues !== null) await session.query(statements.wakeQueues, [queues, 'always']);
        // Nothing moved although something is due: another promoter has it in hand.
        if (Number(moved) === 0) return 20;
      }
    },
  });
  context.onMessage('l', () => loop.wake());
  return loop;
}
