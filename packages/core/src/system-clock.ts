/** The clock of the machine. */

import type { Clock } from './domain/clock.ts';

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, callback, unref = false) {
    const timer = setTimeout(callback, Math.min(ms, 2_147_483_647));
    if (unref) timer.unref();
    return () => clearTimeout(timer);
  },
};
