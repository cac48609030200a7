/** BullMQ on Redis, over a unix socket; finished jobs are removed. How Redis syncs is up to its server. */
import { Worker as BullWorker, Queue } from 'bullmq';
import type { Payload } from '../payload.ts';
import { inChunks, type MakeDriver, type OnJob, type Producer, type Worker } from './port.ts';
import { versionOf } from './version.ts';

const QUEUE = 'bench';
const CONCURRENCY = 200;
const BULK_SIZE = 1_000;
const BULK_CALLS = 4;
const JOB_OPTIONS = { removeOnComplete: true };

export const makeDriver: MakeDriver = async ({ url }) => {
  const connection = { path: url, maxRetriesPerRequest: null };
  const monitor = new Queue(QUEUE, { connection });
  await monitor.waitUntilReady();
  return {
    settings: {
      version: versionOf('bullmq'),
      ioredis: versionOf('ioredis'),
      concurrency: CONCURRENCY,
      job: JOB_OPTIONS,
      bulk: { perCall: BULK_SIZE, calls: BULK_CALLS },
    },
    prepare: async () => {},
    openProducer: async () => openProducer(connection),
    openWorker: (onJob) => openWorker(connection, onJob),
    isEmpty: async () => {
      const counts = await monitor.getJobCounts('wait', 'active', 'delayed', 'prioritized');
      return Object.values(counts).every((count) => count === 0);
    },
    close: () => monitor.close(),
  };
};

interface Connection {
  readonly path: string;
  readonly maxRetriesPerRequest: null;
}

async function openProducer(connection: Connection): Promise<Producer> {
  const queue = new Queue(QUEUE, { connection });
  await queue.waitUntilReady();
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

async function openWorker(connection: Connection, onJob: OnJob): Promise<Worker> {
  const handler = async (job: { data: Payload }): Promise<void> => onJob(job.data);
  const worker = new BullWorker<Payload>(QUEUE, handler, {
    connection,
    concurrency: CONCURRENCY,
    autorun: false,
  });
  worker.on('error', () => {});
  await worker.waitUntilReady();
  return {
    start: async () => {
      void worker.run();
    },
    stop: () => worker.close(),
  };
}
