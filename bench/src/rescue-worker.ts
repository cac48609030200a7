/**
 * A worker that `ops.rescue` may kill: `node rescue-worker.ts '{"url", "queue", "leaseMs"}'`. It tells by messages when
 * it works and which job has begun, and its jobs run until it is told to let them end.
 */
import { type JobContext, Lineshaft, silentLog } from '@lineshaft/core';
import { monotonicMs } from './payload.ts';

const { url, queue, leaseMs } = JSON.parse(process.argv[2] ?? '{}') as {
  url: string;
  queue: string;
  leaseMs: number | null;
};
const release = Promise.withResolvers<void>();
process.on('message', () => release.resolve());
process.on('disconnect', () => process.exit(0));

const lineshaft = new Lineshaft({ databaseUrl: url, log: silentLog });
const begun = (job: JobContext): void => {
  process.send?.({ id: job.id, atMs: monotonicMs() });
};
const worker = lineshaft.worker({
  queues: [queue],
  ...(leaseMs === null ? {} : { leaseMs }),
  handlers: {
    long: async (_payload: unknown, job: JobContext) => {
      begun(job);
      await release.promise;
    },
    quick: (_payload: unknown, job: JobContext) => begun(job),
  },
});
await worker.start();
process.send?.({ started: true });
