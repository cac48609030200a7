/** A worker in a process of its own, whose handlers write down what they do before they do it and after. */
import type { JobContext } from '@lineshaft/core';
import { openLedger } from '../ledger/writer.ts';
import { monotonicMs, pause } from '../monotonic.ts';
import { workloads } from '../workloads/index.ts';
import { type LabPayload, refOf, type Workload } from '../workloads/workload.ts';
import { endWithTheLab, readSettings, type WorkerSettings } from './settings.ts';
import { plantUnfencedWrites } from './unfenced.ts';
import { workUntilTold } from './work.ts';

/** A worker that did not get to run for so long says so. */
const stallMs = 400;
const lookMs = 100;

const settings = readSettings<WorkerSettings>();
endWithTheLab();
if (settings.unfenced) plantUnfencedWrites();
const write = openLedger(settings.ledger, 'worker', settings.name);
watchForStalls();
const { databaseUrl, name, queue, leaseMs } = settings;
await workUntilTold({
  databaseUrl,
  name,
  queue,
  leaseMs,
  handlers: Object.fromEntries(workloads.map((each) => [`lab.${each.name}`, handlerOf(each)])),
  listen: (worker) => {
    worker.on('finished', ({ jobs }) =>
      write({ e: 'written', jobs: jobs.map(({ id, ending }) => [id, ending]) }),
    );
    worker.on('late', ({ ids }) => write({ e: 'late', ids }));
    worker.on('disowned', () => write({ e: 'disowned' }));
  },
});

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
