/** Work for the processor goes to threads: the event loop stays free, and limits hold even for an endless loop. */

import { defineKinds, Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const kinds = defineKinds<{ 'count-primes': { below: number }; 'loop-for-ever': undefined }>({
  'count-primes': { executor: 'thread' },
  'loop-for-ever': { executor: 'thread', limits: { timeoutMs: 300 }, maxAttempts: 1 },
});
const lineshaft = new Lineshaft({ databaseUrl: database.url, kinds, log: silentLog });
await lineshaft.migrate();

// Threads load a module; a function of this program they could not have.
const module = new URL('./handlers/primes.ts', import.meta.url);
lineshaft.handle('count-primes', { module });
lineshaft.handle('loop-for-ever', { module, export: 'loopForEver' });
await lineshaft.worker({ executorOptions: { size: 2 } }).start();

const jobs = await lineshaft.enqueueMany([
  { kind: 'count-primes', payload: { below: 100_000 } },
  { kind: 'count-primes', payload: { below: 1_000_000 } },
  { kind: 'loop-for-ever' },
]);
const [few, many, endless] = await lineshaft.waitFor(jobs.map(({ id }) => id));
console.log(few?.output, many?.output);
console.log(`${endless?.state}: ${endless?.error?.code}`);

await lineshaft.close();
await database.release();

/* Prints:
9592 78498
failed: TIME_LIMIT_EXCEEDED
*/
