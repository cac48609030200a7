/**
 * What limits need beside the claims: lanes that wait for tokens go on at their time (any worker does that); and the
 * leader moves waiting jobs after a change of limits, forgets counters that count nothing, and checks once in a while
 * that the others say what runs. Asks nothing where no limit is declared.
 */

import { wholeNumber } from '../domain/fields.ts';
import { limitsAtWork } from '../domain/limit.ts';
import { definePlugin, type ServiceContext } from '../plugin.ts';
import { settings } from '../plugins/settings.ts';
import type { Service } from './service.ts';

const batch = 1_000;
/** While rates are declared: the word of a lane that was parked may have been lost with its worker. */
const ratedSleepMs = 1_000;
const sleepMs = 5_000;
const moveMs = 1_000;

export interface LimiterConfig {
  /** How often counters are checked, and those that count nothing forgotten, while the worker leads; 1 s to 1 hour. Default 1 min. */
  readonly intervalMs: number;
}

/** The built-in service that opens what waits for tokens, and keeps the counters of limits. */
export const limiter = definePlugin({
  name: 'limiter',
  dependsOn: ['leader'],
  config: settings<LimiterConfig>({
    intervalMs: { byDefault: 60_000, check: (value, field) => wholeNumber(value, field, 1_000, 3_600_000) },
  }),
  service: createLimiter,
});

function createLimiter(context: ServiceContext<LimiterConfig>): Service {
  const { clock, leadership, config, log } = context;
  const { session, slowSession, statements } = context.internals;
  let limits: { any: boolean; rated: boolean } | undefined;
  /** The limits as they were when all that waits was looked through. */
  let declared = '';
  let lookedThrough: string | undefined;
  let movedAtMs = Number.NEGATIVE_INFINITY;
  let caredAtMs = clock.monotonic();
  const loop = context.loop({
    async round(signal) {
      if (limits === undefined) {
        const rows = await context.query(statements.listLimits.text);
        limits = limitsAtWork(rows);
        declared = JSON.stringify(rows);
      }
      if (!limits.any) return 60_000;
      // Without rates a key may still have been closed for a while.
      const waitMs = await openDue(signal, limits.rated ? ratedSleepMs : sleepMs);
      if (leadership.term === undefined) return waitMs;
      if (clock.monotonic() - movedAtMs >= moveMs) await move(signal);
      if (clock.monotonic() - caredAtMs >= config.intervalMs) await care(signal);
      return waitMs;
    },
  });
  // Limits were declared or deleted, or the settings of the worker were read for another reason.
  context.onMessage('limits', () => {
    limits = undefined;
    loop.wake();
  });
  // Lanes were parked that wait for time alone.
  context.onMessage('limited', () => loop.wake());
  return loop;

  async function openDue(signal: AbortSignal, longestMs: number): Promise<number> {
    for (;;) {
      const [[wait = null] = []] = await session.query(statements.nextLimitDue);
      const waitMs = wait === null ? longestMs : Math.ceil(Number(wait));
      if (waitMs > 0 || signal.aborted) return Math.min(Math.max(waitMs, 1), longestMs);
      await session.query(statements.openDueLimits, [batch]);
    }
  }

  /** All that waits is looked through after a change, and with the other checks; what is due next always. */
  async function move(signal: AbortSignal, thorough = lookedThrough !== declared): Promise<void> {
    const at = declared;
    while (!signal.aborted) {
      const [[moved = '0'] = []] = await slowSession.query(statements.relane, [batch, thorough]);
      if (Number(moved) === 0) break;
    }
    if (thorough && !signal.aborted) lookedThrough = at;
    movedAtMs = clock.monotonic();
  }

  async function care(signal: AbortSignal): Promise<void> {
    await move(signal, true);
    const [found = []] = await slowSession.query(statements.mendLimits);
    const [counters, , lanes, parked] = found.map(Number);
    if (Number(counters) + Number(lanes) + Number(parked) > 0)
      log.error(`counters of limits were mended: ${found.join(', ')} (counters, keys, lanes, parked)`);
    while (!signal.aborted) {
      const [[gone = '0'] = []] = await slowSession.query(statements.collectLimits, [batch]);
      if (Number(gone) < batch) break;
    }
    caredAtMs = clock.monotonic();
  }
}
