/** A worker that does the steps of runs straight from the database, and writes down what it begins and ends. */

import type { JobContext } from '@lineshaft/core';
import { randomOf } from '../random.ts';
import { openRunLedger } from '../workflows/ledger.ts';
import { doStep, type StepInput } from './do-step.ts';
import { endWithTheLab, type RunProcessSettings, readSettings } from './settings.ts';
import { workUntilTold } from './work.ts';

const settings = readSettings<RunProcessSettings>();
endWithTheLab();
const write = openRunLedger(settings.folder, settings.name);
const random = randomOf(settings.seed, settings.name);
const { databaseUrl, name, leaseMs, task } = settings;
await workUntilTold({
  databaseUrl,
  name,
  queue: 'workflow',
  leaseMs,
  handlers: { [task]: handle },
  listen: (worker) => worker.on('late', ({ ids }) => write({ e: 'late', steps: ids })),
});

async function handle(input: StepInput, job: JobContext): Promise<unknown> {
  write({ e: 'start', step: job.id });
  const end = await doStep(job.id, input, { random, write });
  if (end === 'hung') await new Promise((resolve) => job.signal.addEventListener('abort', resolve));
  if (end === 'returned') return { n: input.n };
  throw Object.assign(new Error('fails as it should'), { retryable: end !== 'refused' });
}
