/** A worker that does the steps of runs straight from the database, and writes down what it begins and ends. */

import { type JobContext, Lineshaft, textLog, type Worker } from '@lineshaft/core';
import { pause } from '../monotonic.ts';
import { randomOf } from '../random.ts';
import { openRunLedger } from '../workflows/ledger.ts';
import { doStep, type StepInput } from './do-step.ts';
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
      handlers: { [settings.task]: handle },
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

async function handle(input: StepInput, job: JobContext): Promise<unknown> {
  write({ e: 'start', step: job.id });
  const end = await doStep(job.id, input, { random, write });
  if (end === 'hung') await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
  if (end === 'returned') return { n: input.n };
  throw Object.assign(new Error('fails as it should'), { retryable: end !== 'refused' });
}
