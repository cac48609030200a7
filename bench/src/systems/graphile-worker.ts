/**
 * graphile-worker with the settings of its page on performance: 24 concurrent jobs, a pool of 25, a local
 * queue, completions and failures batched without delay. Where latency counts, no local queue (its default).
 */
import { Logger, makeWorkerUtils, type Runner, run, type WorkerUtils } from 'graphile-worker';
import pg from 'pg';
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

const CONCURRENT_JOBS = 24;
const POOL_SIZE = 25;
const BULK_SIZE = 1_000;
const BULK_CALLS = 4;

const quiet = new Logger(() => () => {});

export const makeDriver: MakeDriver = async (config) => {
  const monitor = new pg.Pool({ connectionString: config.url, max: 1 });
  monitor.on('error', () => {});
  const worker = workerSettings(config);
  return {
    settings: {
      version: versionOf('graphile-worker'),
      worker,
      bulk: { perCall: BULK_SIZE, calls: BULK_CALLS },
    },
    prepare: async () => {
      const utils = await openUtils(config.url);
      await utils.migrate();
      await utils.release();
    },
    openProducer: () => openProducer(config.url),
    openWorker: async (onJob) => openWorker(config, onJob),
    isEmpty: async () => {
      const sql = 'select not exists (select from graphile_worker._private_jobs) as empty';
      return (await monitor.query<{ empty: boolean }>(sql)).rows[0]?.empty ?? false;
    },
    close: () => monitor.end(),
  };
};

function workerSettings({ purpose, setup }: DriverConfig) {
  const size = Number(setup.split('-').at(-1));
  return {
    concurrentJobs: CONCURRENT_JOBS,
    maxPoolSize: POOL_SIZE,
    ...(purpose === 'latency' ? {} : { localQueue: { size: Number.isNaN(size) ? 500 : size } }),
    ...(purpose === 'latency' ? {} : { completeJobBatchDelay: 0, failJobBatchDelay: 0 }),
  };
}

function openUtils(url: string): Promise<WorkerUtils> {
  return makeWorkerUtils({ connectionString: url, maxPoolSize: POOL_SIZE, logger: quiet });
}

async function openProducer(url: string): Promise<Producer> {
  const utils = await openUtils(url);
  return {
    add: async (job) => {
      await utils.addJob('noop', job);
    },
    addAll: (jobs) =>
      inChunks(jobs, BULK_SIZE, BULK_CALLS, (chunk) =>
        utils.addJobs(chunk.map((payload) => ({ identifier: 'noop', payload }))),
      ),
    close: async () => {
      await utils.release();
    },
  };
}

function openWorker(config: DriverConfig, onJob: OnJob): Worker {
  let runner: Runner | undefined;
  return {
    start: async () => {
      runner = await run({
        preset: { worker: { connectionString: config.url, logger: quiet, ...workerSettings(config) } },
        noHandleSignals: true,
        taskList: { noop: async (job) => onJob(job as Payload) },
      });
    },
    stop: async () => {
      await runner?.stop();
    },
  };
}
