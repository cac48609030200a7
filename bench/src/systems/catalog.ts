/** Which systems there are, what each needs, and in which setups it runs. Loads none of them. */
import type { Purpose } from './port.ts';

export type Store = 'postgres' | 'redis-everysec' | 'redis-always';

export interface SystemEntry {
  readonly name: string;
  readonly store: Store;
  readonly runtime: 'node' | 'python';
  /** The file that makes the driver, beside this one. */
  readonly module: string;
  /**
   * Setups that take part for a purpose; each runs in every round, and the one with the better median counts.
   */
  readonly setups: Readonly<Record<Purpose, readonly string[]>>;
  /** The share of a bench's jobs that a slow system gets, so that one round of it does not take minutes. */
  readonly share: number;
}

function everywhere(...setups: string[]): Record<Purpose, readonly string[]> {
  return { drain: setups, enqueue: setups, latency: setups, steady: setups };
}

export const systems: readonly SystemEntry[] = [
  {
    name: 'lineshaft',
    store: 'postgres',
    runtime: 'node',
    module: 'lineshaft.ts',
    setups: everywhere('default'),
    share: 1,
  },
  {
    name: 'graphile-worker',
    store: 'postgres',
    runtime: 'node',
    module: 'graphile-worker.ts',
    setups: { ...everywhere('default'), drain: ['local-queue-500', 'local-queue-2000'] },
    share: 1,
  },
  {
    name: 'pg-boss',
    store: 'postgres',
    runtime: 'node',
    module: 'pg-boss.ts',
    setups: {
      drain: ['poll', 'notify'],
      enqueue: ['poll', 'notify'],
      // Polling happens twice a second at most: it cannot count where latency does.
      latency: ['notify'],
      steady: ['notify'],
    },
    share: 1,
  },
  {
    name: 'bullmq',
    store: 'redis-everysec',
    runtime: 'node',
    module: 'bullmq.ts',
    setups: everywhere('default'),
    share: 0.5,
  },
  {
    name: 'bullmq-always',
    store: 'redis-always',
    runtime: 'node',
    module: 'bullmq.ts',
    setups: everywhere('default'),
    share: 0.5,
  },
  {
    name: 'bullmq-postgres',
    store: 'postgres',
    runtime: 'node',
    module: 'bullmq-postgres.ts',
    setups: everywhere('default'),
    share: 0.1,
  },
  {
    name: 'chancy',
    store: 'postgres',
    runtime: 'python',
    module: 'chancy_agent.py',
    setups: everywhere('concurrency-100', 'concurrency-1000'),
    share: 0.1,
  },
  {
    name: 'raw',
    store: 'postgres',
    runtime: 'node',
    module: 'raw.ts',
    setups: { ...everywhere('default'), enqueue: ['elements-2', 'elements-4', 'recordset-2', 'recordset-4'] },
    share: 1,
  },
  {
    name: 'raw-coalesced',
    store: 'postgres',
    runtime: 'node',
    module: 'raw-coalesced.ts',
    setups: everywhere('default'),
    share: 1,
  },
  {
    name: 'wakeup-floor',
    store: 'postgres',
    runtime: 'node',
    module: 'wakeup-floor.ts',
    setups: everywhere('default'),
    share: 1,
  },
  ...['conductor', 'conductor-python'].map((name) => ({
    name,
    // It has a server of its own, which listens on TCP: see measure/http-site.ts.
    store: 'postgres' as const,
    runtime: 'node' as const,
    module: 'noop.ts',
    setups: everywhere('default'),
    share: 0.25,
  })),
];

export function findSystem(name: string): SystemEntry {
  const found = systems.find((each) => each.name === name);
  if (found === undefined) throw new Error(`system '${name}' not found in the catalog`);
  return found;
}
