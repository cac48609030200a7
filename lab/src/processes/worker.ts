/** A worker in a process of its own, whose handlers write down what they do before they do it and after. */
import { type JobContext, Lineshaft, textLog, type Worker } from '@lineshaft/core';
import { openLedger } from '../ledger/writer.ts';
import { monotonicMs, pause } from '../monotonic.ts';
import { workloads } from '../workloads/index.ts';
import { type LabPayload, refOf, type Workload } from '../workloads/workload.ts';
import { endWithTheLab, readSettings, type WorkerSettings } from './settings.ts';
import { plantUnfencedWrites } from './unfenced.ts';

/** A worker that did not get to run for so long says so. */
const stallMs = 400;
const lookMs = 100;

const settings = readSettings<WorkerSettings>();
endWithTheLab();
if (settings.unfenced) plantUnfencedWrites();
const write = openLedger(settings.ledger, 'worker', settings.name);
watchForStalls();
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
      queues: [settings.queue],
      leaseMs: settings.leaseMs,
      graceMs: 1_000,
      maxRescues: 100,
      handlers: Object.fromEntries(workloads.map((each) => [`lab.${each.name}`, handlerOf(each)])),
    });
    made.on('finished', ({ jobs }) =>
      write({ e: 'written', jobs: jobs.map(({ id, ending }) => [id, ending]) }),
    );
    made.on('late', ({ ids }) => write({ e: 'late', ids }));
    made.on('disowned', () => write({ e: 'disowned' }));
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

function handlerOf(workload: Workload) {
  return async (payload: LabPayload, job: JobContext): Promise<unknown> => {
    const { id, attempt } = job;
    const ref = refOf(payload, id);
    const key = payload.key ?? job.schedule?.tick.toISOString();
    write({ e: 'start', id, ref, workload: workload.name, attempt, ...(key === undefined ? {} : { key }) });
    if (payload.ms > 0) await pause(payload.ms);
    try {
      const output = await workload.finish(payload, job);
      write({ e: 'end', id, attempt, how: 'returned' });
      return output;
    } catch (error) {
      const how = error instanceof Error && /as it should$/.test(error.message) ? 'threw' : 'snoozed';
      write({ e: 'end', id, attempt, how });
      throw error;
    }
  };
}

function watchForStalls(): void {
  let lookedMs = monotonicMs();
  setInterval(() => {
    const nowMs = monotonicMs();
    if (nowMs - lookedMs > stallMs) write({ e: 'stall', ms: nowMs - lookedMs });
    lookedMs = nowMs;
  }, lookMs).unref();
}
