/** BullMQ on its PostgreSQL backend; finished jobs are removed. */
import { Worker as BullWorker, createPostgresBackend, Queue } from 'bullmq';
import pg from 'pg';
import type { Payload } from '../payload.ts';
import { inChunks, type MakeDriver, type OnJob, type Producer, type Worker } from './port.ts';
import { versionOf } from './version.ts';

const QUEUE = 'bench';
const CONCURRENCY = 200;
const POOL_SIZE = 25;
const BULK_SIZE = 1_000;
const BULK_CALLS = 4;
const JOB_OPTIONS = { removeOnComplete: true };

export const makeDriver: MakeDriver = async ({ url }) => {
  const monitor = new pg.Pool({ connectionString: url, max: 1 });
  monitor.on('error', () => {});
  return {
    settings: {
      version: versionOf('bullmq'),
      concurrency: CONCURRENCY,
      pool: POOL_SIZE,
      job: JOB_OPTIONS,
      bulk: { perCall: BULK_SIZE, calls: BULK_CALLS },
    },
    prepare: async () => {
      const queue = await openQueue(url, true);
      await queue.close();
    },
    openProducer: () => openProducer(url),
    openWorker: (onJob) => openWorker(url, onJob),
    isEmpty: async () => {
      const sql = `select not exists (
        select from bullmq.job where queue = '${QUEUE}' and state not in ('completed', 'failed')) as empty`;
      return (await monitor.query<{ empty: boolean }>(sql)).rows[0]?.empty ?? false;
    },
    close: () => monitor.end(),
  };
};

async function openQueue(url: string, migrate: boolean) {
  const connection = { connectionString: url, max: POOL_SIZE, migrate };
  const queue = new Queue(QUEUE, { connection }, createPostgresBackend);
  queue.on('error', () => {});
  await queue.waitUntilReady();
  return queue;
}

async function openProducer(url: string): Promise<Producer> {
  const queue = await openQueue(url, false);
  return {
    add: async (job) => {
      await queue.add('noop', job, JOB_OPTIONS);
    },
    addAll: (jobs) =>
      inChunks(jobs, BULK_SIZE, BULK_CALLS, (chunk) =>
        queue.addBulk(chunk.map((data) => ({ name: 'noop', data, opts: JOB_OPTIONS }))),
      ),
    close: () => queue.close(),
  };
}

async function openWorker(url: string, onJob: OnJob): Promise<Worker> {
  const handler = async (job: { data: Payload }): Promise<void> => onJob(job.data);
  const connection = { connectionString: url, max: POOL_SIZE };
  const options = { connection, concurrency: CONCURRENCY, autorun: false };
  const worker = new BullWorker(QUEUE, handler, options, createPostgresBackend);
  worker.on('error', () => {});
  await worker.waitUntilReady();
  return {
    start: async () => {
      void worker.run();
    },
    stop: () => worker.close(),
  };
}
