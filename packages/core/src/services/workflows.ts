/**
 * Goes on with runs that need somebody: time has come for them, or a process has died between the end of a step and what
 * follows it. Any process may do it; it sleeps until the next one is due.
 */

import { definePlugin, type ServiceContext } from '../plugin.ts';
import type { Service } from './service.ts';

/** Longest sleep: a run may be left behind by somebody whose word does not reach us. */
const sleepMaxMs = 5_000;
/** While there are marks, they are looked at no more often than this: mostly somebody is about to decide on them. */
const pauseMs = 250;
/** So many at once are a backlog, which is worked off without a pause. */
const backlog = 100;

/** The built-in service that takes up runs that nobody goes on with. */
export const workflows = definePlugin({ name: 'workflows', service: createWorkflows });

function createWorkflows(context: ServiceContext): Service {
  const { clock } = context;
  const { outlook, steps } = context.internals;
  let told = false;
  const loop = context.loop({
    async round(signal) {
      for (;;) {
        const next = await outlook.within(sleepMaxMs);
        if ((next.runAtMs > clock.monotonic() && !told) || signal.aborted)
          return outlook.sleepMs(next, next.runAtMs, sleepMaxMs);
        told = false;
        const runs = await steps.advanceDue();
        outlook.forget();
        if (runs < backlog) return pauseMs;
      }
    },
  });
  // A mark was left by somebody who does not decide.
  context.onMessage('m', () => {
    told = true;
    outlook.forget();
    loop.wake();
  });
  return loop;
}
