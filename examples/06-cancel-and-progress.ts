/** A long job says how far it is, and is cancelled while it runs. */

import { setTimeout as pause } from 'node:timers/promises';
import { Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();

const halfWay = Promise.withResolvers<void>();
const asked = Promise.withResolvers<string>();
lineshaft.handle('copy-table', async ({ rows }: { rows: number }, job) => {
  for (let row = 1; row <= rows; row += 1) {
    job.progress(row, rows);
    if (row === rows / 2) {
      halfWay.resolve();
      // Whatever takes a signal ends at once; other code asks `job.signal.aborted` now and then.
      await pause(60_000, undefined, { signal: job.signal }).catch(() => {
        asked.resolve(job.signal.reason.code);
      });
      job.signal.throwIfAborted();
    }
  }
});
await lineshaft.worker({ leaseMs: 1_000 }).start();

const { id } = await lineshaft.enqueue('copy-table', { rows: 1_000 });
await halfWay.promise;
// The last value is written with the heartbeat, here three times a second.
let { progress, state } = await lineshaft.showJob(id);
for (; progress === undefined; { progress, state } = await lineshaft.showJob(id)) await pause(50);
console.log(`${state}: ${progress.current} of ${progress.total}`);

const [change] = await lineshaft.cancel([id], 'not needed any more');
console.log(`it was ${change?.result}; the handler was told ${await asked.promise}`);
const job = await lineshaft.showJob(id);
console.log(`${job.state}: ${job.reason}`);

await lineshaft.close();
await database.release();

/* Prints:
running: 500 of 1000
it was running; the handler was told ATTEMPT_CANCELLED
cancelled: not needed any more
*/
