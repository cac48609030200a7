/**
 * Lineshaft itself, with the defaults of a fresh install: only retention and the number of workers differ.
 * `extra` chooses what only our own benches do: `executor`, `lanes`,
 * `mixed`, `services` and `sleep`.
 */
import { fileURLToPath } from 'node:url';
import {
  Lineshaft,
  type LineshaftOptions,
  pruner,
  type QueueDeclaration,
  reprioritiser,
} from '@lineshaft/core';
import { age } from '@lineshaft/core/rules';
import pg from 'pg';
import type { Payload } from '../payload.ts';
import { CAPABILITIES, LANE_QUEUES, MIXED_QUEUES, makeExtras } from './lineshaft-extras.ts';
import { declareLimits, makeLimitExtras } from './lineshaft-limits.ts';
import { makePruningExtras } from './lineshaft-pruning.ts';
import type { Driver, DriverConfig, MakeDriver, OnJob, Producer, Worker } from './port.ts';

const QUEUE = 'bench';

/**
 * Nothing runs, nothing that this worker may run waits, no retry is due later. The order book is read by jumps from
 * lane to lane that has jobs: neither a million jobs for other workers nor thousands of empty lanes may weigh in what
 * is measured.
 */
const IS_EMPTY = `
  select case
    when exists (select from lineshaft.lease) then false
    when exists (select from lineshaft.later where reason = 'r') then false
    else not exists (
      with recursive hop as (
        (select min(lane) as lane from lineshaft.ready)
        union all
        select (select min(r.lane) from lineshaft.ready r where r.lane > h.lane) from hop h where h.lane is not null
      )
      select from hop h join lineshaft.lane l on l.id = h.lane where l.requirements <> '{capability=elsewhere}')
  end as empty`;

export const makeDriver: MakeDriver = async (config): Promise<Driver> => {
  const monitor = new pg.Pool({ connectionString: config.url, max: 1 });
  monitor.on('error', () => {});
  const lineshaft = new Lineshaft({ databaseUrl: config.url, ...servicesOf(config) });
  return {
    settings: {
      slots: 'default',
      retention: retention(config) ?? 'default',
      queues: queuesOf(config).length,
    },
    prepare: async () => {
      await lineshaft.migrate();
      for (const name of queuesOf(config)) await lineshaft.declare({ name, ...queueSettings(config) });
      await declareLimits(lineshaft, config);
      if (config.extra.services === 'all') await declareServices(lineshaft);
    },
    openProducer: async () => openProducer(lineshaft),
    openWorker: async (onJob) => openWorker(lineshaft, config, onJob),
    isEmpty: async () => (await monitor.query<{ empty: boolean }>(IS_EMPTY)).rows[0]?.empty ?? false,
    close: async () => {
      await lineshaft.close();
      await monitor.end();
    },
    extras: {
      ...makeExtras(lineshaft, config.url),
      ...makePruningExtras(lineshaft, config.url),
      ...makeLimitExtras(lineshaft, config),
    },
  };
};

function retention({ keepHistory }: DriverConfig): { succeededMs: number } | undefined {
  return keepHistory ? undefined : { succeededMs: 0 };
}

function queueSettings(config: DriverConfig): Omit<QueueDeclaration, 'name'> {
  const executor = config.extra.executor as QueueDeclaration['executor'];
  return { retention: retention(config) ?? {}, ...(executor === undefined ? {} : { executor }) };
}

function queuesOf({ extra }: DriverConfig): string[] {
  const numbered = (prefix: string, count: number): string[] =>
    Array.from({ length: count }, (_, index) => `${prefix}-${index}`);
  if (extra.mixed !== undefined) return [QUEUE, ...numbered('mixed', MIXED_QUEUES)];
  if (extra.lanes !== undefined) return [QUEUE, ...numbered('lane', LANE_QUEUES)];
  return [QUEUE];
}

function openProducer(lineshaft: Lineshaft): Producer {
  return {
    add: async (payload) => {
      await lineshaft.enqueue('noop', payload, { queue: QUEUE });
    },
    addAll: async (jobs) => {
      await lineshaft.enqueueMany(jobs.map((payload) => ({ kind: 'noop', payload, queue: QUEUE })));
    },
    close: async () => {},
  };
}

/** What workers run besides jobs: everything there is, nothing, or what everybody has. */
function servicesOf({ extra }: DriverConfig): Pick<LineshaftOptions, 'plugins' | 'without'> {
  if (extra.services === 'none') return { without: ['*'] };
  if (extra.services !== 'all') return {};
  return { plugins: [pruner({ rule: age().gt('30d') }), reprioritiser({ rule: age().gt('10m') })] };
}

/** A schedule that does not come due, retry rules and a circuit breaker: what a program that uses them all has. */
async function declareServices(lineshaft: Lineshaft): Promise<void> {
  await lineshaft.schedule({ name: 'yearly', cron: '0 0 1 1 *', kind: 'noop', options: { queue: QUEUE } });
  await lineshaft.declare({ name: QUEUE, retryRules: [{ error: 'TimeoutError', maxAttempts: 10 }] });
  await lineshaft.setCircuit('noop', {});
}

function openWorker(lineshaft: Lineshaft, config: DriverConfig, onJob: OnJob): Worker {
  const worker = lineshaft.worker({
    queues: queuesOf(config),
    // The harness ends agents in its own way.
    signals: false,
    letDatabaseSleep: config.extra.sleep !== undefined,
    handlers: { noop: handlerFor(config.extra.executor, onJob) },
    ...(config.extra.lanes === undefined ? {} : { tags: CAPABILITIES }),
  });
  return { start: () => worker.start(), stop: () => worker.stop() };
}

/** In a thread or a process there is nobody to count: the store tells when all is done. */
function handlerFor(executor: string | undefined, onJob: OnJob) {
  if (executor === 'command') return { command: 'true' };
  if (executor !== undefined) return { module: fileURLToPath(new URL('./noop.js', import.meta.url)) };
  return (payload: unknown, job: { readonly attempt: number }): void => {
    const { failsOnce } = payload as { failsOnce?: boolean };
    if (failsOnce === true && job.attempt === 1) throw new Error('fails once');
    onJob(payload as Payload);
  };
}
