/** Jobs for later: after a delay, at a time, and a job that puts itself off. */

import { Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();

const started = Date.now();
let looks = 0;
lineshaft.handle('remind', ({ of }: { of: string }) => `${of}, not early: ${Date.now() - started >= 500}`);
lineshaft.handle('await-file', (_payload: unknown, job) => {
  looks += 1;
  // A snooze counts no attempt: the file is just not there yet.
  if (looks < 3) job.snooze(100);
  return `found at look ${looks}, in attempt ${job.attempt}`;
});
await lineshaft.worker().start();

const delayed = await lineshaft.enqueue('remind', { of: 'tea' }, { delayMs: 500 });
const { state } = await lineshaft.showJob(delayed.id);
console.log(state);
const dated = await lineshaft.enqueue('remind', { of: 'cake' }, { runAt: new Date(started + 600) });
const polled = await lineshaft.enqueue('await-file', {});
for (const job of await lineshaft.waitFor([delayed.id, dated.id, polled.id])) console.log(job.output);

// What is scheduled can be had at once, or not at all.
const impatient = await lineshaft.enqueue('remind', { of: 'bread' }, { delayMs: 86_400_000 });
await lineshaft.retry([impatient.id]);
const [early] = await lineshaft.waitFor([impatient.id]);
console.log(early?.output);

await lineshaft.close();
await database.release();

/* Prints:
scheduled
tea, not early: true
cake, not early: true
found at look 3, in attempt 1
bread, not early: true
*/
