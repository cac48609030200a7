/** What processes that are workers have in common: they start, however long the database is away, and end when told. */

import { Lineshaft, textLog, type Worker, type WorkerOptions } from '@lineshaft/core';
import { pause } from '../monotonic.ts';

export interface Work {
  readonly databaseUrl: string;
  readonly name: string;
  readonly queue: string;
  readonly leaseMs: number;
  readonly handlers: NonNullable<WorkerOptions['handlers']>;
  /** Hears what the worker tells. */
  readonly listen: (worker: Worker) => void;
}

/** Works until the lab has the process end. */
export async function workUntilTold(work: Work): Promise<void> {
  const lineshaft = new Lineshaft({
    databaseUrl: work.databaseUrl,
    log: textLog(
      'info',
      (line) => process.stderr.write(`${line}\n`),
      () => new Date(),
    ),
  });
  const worker = await start(lineshaft, work);
  process.send?.({ ready: true });
  await worker.stopped();
  await lineshaft.close();
  process.disconnect();
}

/** A worker that cannot start, because the database is away, is started again. */
async function start(
  lineshaft: Lineshaft,
  { name, queue, leaseMs, handlers, listen }: Work,
): Promise<Worker> {
  for (;;) {
    const settings = { workerId: name, queues: [queue], leaseMs, graceMs: 1_000, maxRescues: 100 };
    const made = lineshaft.worker({ ...settings, handlers });
    listen(made);
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
