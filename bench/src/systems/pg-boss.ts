/**
 * pg-boss in batches of 1,000 by four local workers that fetch on at once after a full batch; with its
 * LISTEN/NOTIFY (setup `notify`) and without (setup `poll`). Where latency counts: one job at a time.
 */
import pg from 'pg';
import { PgBoss } from 'pg-boss';
import type { Payload } from '../payload.ts';
import {
  type DriverConfig,
  inChunks,
  type MakeDriver,
  type OnJob,
  type Producer,
  type Worker,
} from './port.ts';
import { versionOf } from './version.ts';

const QUEUE = 'bench';
const BULK_SIZE = 1_000;
const BULK_CALLS = 4;
const POOL_SIZE = 25;
/** The shortest that it allows. */
const POLLING_SECONDS = 0.5;

export const makeDriver: MakeDriver = async (config) => {
  const monitor = new pg.Pool({ connectionString: config.url, max: 1 });
  monitor.on('error', () => {});
  return {
    settings: {
      version: versionOf('pg-boss'),
      max: POOL_SIZE,
      notify: config.setup === 'notify',
      work: workSettings(config),
      bulk: { perCall: BULK_SIZE, calls: BULK_CALLS },
    },
    prepare: async () => {
      const boss = await startBoss(config);
      await boss.createQueue(QUEUE, { notify: config.setup === 'notify' });
      await boss.stop({ graceful: false });
    },
    openProducer: () => openProducer(config),
    openWorker: (onJob) => openWorker(config, onJob),
    isEmpty: async () => {
      const sql = `select not exists (
        select from pgboss.job where name = '${QUEUE}' and state < 'completed') as empty`;
      return (await monitor.query<{ empty: boolean }>(sql)).rows[0]?.empty ?? false;
    },
    close: () => monitor.end(),
  };
};

function workSettings({ purpose }: DriverConfig) {
  const polling = { pollingIntervalSeconds: POLLING_SECONDS, notifyPollingIntervalSeconds: POLLING_SECONDS };
  if (purpose === 'latency') return { batchSize: 1, localConcurrency: 1, ...polling };
  const batchSize = purpose === 'steady' ? 100 : 1_000;
  return { batchSize, localConcurrency: 4, burstWhenBatchFull: true, ...polling };
}

async function startBoss(config: DriverConfig): Promise<PgBoss> {
  const boss = new PgBoss({
    connectionString: config.url,
    max: POOL_SIZE,
    useListenNotify: config.setup === 'notify',
  });
  boss.on('error', () => {});
  await boss.start();
  return boss;
}

async function openProducer(config: DriverConfig): Promise<Producer> {
  const boss = await startBoss(config);
  return {
    add: async (job) => {
      await boss.send(QUEUE, job);
    },
    addAll: (jobs) =>
      inChunks(jobs, BULK_SIZE, BULK_CALLS, (chunk) =>
        boss.insert(
          QUEUE,
          chunk.map((data) => ({ data })),
        ),
      ),
    close: () => boss.stop({ graceful: false }),
  };
}

async function openWorker(config: DriverConfig, onJob: OnJob): Promise<Worker> {
  const boss = await startBoss(config);
  return {
    start: async () => {
      await boss.work<Payload>(QUEUE, workSettings(config), async (jobs) => {
        for (const job of jobs) onJob(job.data);
      });
    },
    stop: () => boss.stop({ graceful: true, timeout: 10_000 }),
  };
}
