/** A worker that does the steps of runs, and writes down what it begins and ends. */

import { type JobContext, Lineshaft, textLog, type Worker } from '@lineshaft/core';
import { pause } from '../monotonic.ts';
import { randomOf } from '../random.ts';
import { openRunLedger } from '../workflows/ledger.ts';
import { endWithTheLab, type RunProcessSettings, readSettings } from './settings.ts';

const settings = readSettings<RunProcessSettings>();
endWithTheLab();
const write = openRunLedger(settings.folder, settings.name);
const random = randomOf(settings.seed, settings.name);
const lineshaft = new Lineshaft({
  databaseUrl: settings.databaseUrl,
  log: textLog(
    'info',
    (line) => process.stderr.write(`${line}\n`),
    () => new Date(),
  ),
});
const failed = new Set<string>();
const worker = await startWorker();
process.send?.({ ready: true });
await worker.stopped();
await lineshaft.close();
process.disconnect();

/** A worker that cannot start, because the database is away, is started again. */
async function startWorker(): Promise<Worker> {
  for (;;) {
    const made = lineshaft.worker({
      workerId: settings.name,
      queues: ['workflow'],
      leaseMs: settings.leaseMs,
      graceMs: 1_000,
      maxRescues: 100,
      handlers: { 'lab.step': handle },
    });
    made.on('late', ({ ids }) => write({ e: 'late', steps: ids }));
    try {
      await made.start();
      return made;
    } catch (error) {
      process.stderr.write(`the worker did not start: ${String(error)}\n`);
      await made.stop().catch(() => {});
      await pause(200);
    }
  }
}

/** A step takes a moment or none. What fails once does so at the first attempt that this process sees of the run's number. */
async function handle(input: { n: number; failsOnce?: boolean }, job: JobContext): Promise<unknown> {
  write({ e: 'start', step: job.id });
  if (random.next() < 0.5) await pause(random.whole(0, 30));
  if (input.failsOnce === true && random.next() < 0.3 && !failed.has(job.id)) {
    failed.add(job.id);
    write({ e: 'threw', step: job.id });
    throw new Error('fails as it should');
  }
  write({ e: 'returned', step: job.id });
  return { n: input.n };
}
