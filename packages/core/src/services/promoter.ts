/** Moves jobs that have come due into the order book; sleeps until the next one is due. Any process may do it. */

import { definePlugin, type ServiceContext } from '../plugin.ts';
import type { Service } from './service.ts';

const batch = 1_000;
/** Longest sleep: a job may be enqueued by somebody whose word does not reach us. */
const sleepMaxMs = 5_000;

/** The built-in service that lets scheduled and retrying jobs go when their time has come. */
export const promoter = definePlugin({ name: 'promoter', service: createPromoter });

function createPromoter(context: ServiceContext): Service {
  const { clock } = context;
  const { session, statements, outlook } = context.internals;
  const loop = context.loop({
    async round(signal) {
      for (;;) {
        const next = await outlook.within(sleepMaxMs);
        if (next.jobAtMs > clock.monotonic() || signal.aborted)
          return outlook.sleepMs(next, next.jobAtMs, sleepMaxMs);
        const [[moved = '0', queues = null] = []] = await session.query(statements.promote, [batch]);
        outlook.forget();
        if (queues !== null) await session.query(statements.wakeQueues, [queues, 'always']);
        // Nothing moved although something is due: another promoter has it in hand.
        if (Number(moved) === 0) return 20;
      }
    },
  });
  context.onMessage('l', () => {
    outlook.forget();
    loop.wake();
  });
  return loop;
}
