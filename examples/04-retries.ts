/** A job that fails is tried again, with a growing pause; the last failure makes it a dead letter. */

import { Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();

let serviceIsUp = false;
lineshaft.handle('call-service', (_payload: unknown, job) => {
  if (!serviceIsUp) throw new Error(`no answer in attempt ${job.attempt}`);
  return 'done';
});
const worker = lineshaft.worker();
worker.on('failed', ({ attempt, retryInMs }) =>
  console.log(
    `attempt ${attempt} failed, ${retryInMs === undefined ? 'no more' : `next in ${retryInMs} ms`}`,
  ),
);
await worker.start();

const { id } = await lineshaft.enqueue(
  'call-service',
  {},
  {
    maxAttempts: 3,
    backoff: { type: 'exponential', delayMs: 100, jitter: 0 },
  },
);
const [failed] = await lineshaft.waitFor([id]);
console.log(`${failed?.state}: ${failed?.error?.message}`);
const { errors } = await lineshaft.showJob(id);
console.log(`kept: ${errors.length} errors with their stacks`);

// A dead letter is kept until its retention ends, and may be given new attempts.
serviceIsUp = true;
await lineshaft.retry([id]);
const [again] = await lineshaft.waitFor([id]);
console.log(`${again?.state}: ${again?.output}`);

await lineshaft.close();
await database.release();

/* Prints:
attempt 1 failed, next in 100 ms
attempt 2 failed, next in 200 ms
attempt 3 failed, no more
failed: no answer in attempt 3
kept: 3 errors with their stacks
succeeded: done
*/
