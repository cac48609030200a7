/**
 * Indexes the words of runs while its worker leads: what has started, ended or changed waits until a thousand runs are indexed
 * together, which costs a fraction of indexing each. Searches look into the documents of those that wait.
 */

import { definePlugin, type ServiceContext } from '../plugin.ts';
import type { Service } from './service.ts';

/** After it has indexed something. */
const busyMs = 500;
/** What gathers until then is more than usual for searches to look into, and no harm. */
const quietMs = 5_000;
/** Where nothing has come for some time. */
const idleMs = 30_000;
/** Who does not lead only looks at its own memory so often. */
const notLeadingMs = 1_000;

/** The built-in service that indexes the words of runs. */
export const searchIndexer = definePlugin({
  name: 'search-indexer',
  dependsOn: ['leader'],
  service: createSearchIndexer,
});

function createSearchIndexer(context: ServiceContext): Service {
  const { clock, leadership } = context;
  const { steps } = context.internals;
  let indexedAtMs = Number.NEGATIVE_INFINITY;
  let sleepMs = quietMs;
  let waiting = 0;
  const loop = context.loop({
    async round(signal) {
      if (leadership.term === undefined) return notLeadingMs;
      let indexed = await steps.indexRuns();
      for (; indexed.any && !signal.aborted; indexed = await steps.indexRuns())
        indexedAtMs = clock.monotonic();
      if (clock.monotonic() - indexedAtMs < quietMs) sleepMs = busyMs;
      else if (indexed.waiting !== waiting) sleepMs = quietMs;
      else sleepMs = Math.min(Math.max(2 * sleepMs, quietMs), idleMs);
      waiting = indexed.waiting;
      return sleepMs;
    },
  });
  context.onMessage('elected', () => loop.wake());
  return loop;
}
