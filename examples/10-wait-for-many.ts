/** Ten thousand jobs in one call, and one wait for all of them. */

import { isLineshaftError, Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();

const numbers = Array.from({ length: 10_000 }, (_, index) => index + 1);
const jobs = await lineshaft.enqueueMany(numbers.map((number) => ({ kind: 'square', payload: { number } })));
const ids = jobs.map(({ id }) => id);

// Nobody does them yet.
try {
  await lineshaft.waitFor(ids, { timeoutMs: 200 });
} catch (error) {
  if (!isLineshaftError(error, 'WAIT_TIMEOUT')) throw error;
  console.log(`${error.details['count']} jobs have not finished`);
}

lineshaft.handle('square', ({ number }: { number: number }) => number * number);
await lineshaft.worker().start();
const finished = await lineshaft.waitFor(ids);
const sum = finished.reduce((total, { output }) => total + Number(output), 0);
console.log(`the sum of their squares is ${sum}`);

await lineshaft.close();
await database.release();

/* Prints:
10000 jobs have not finished
the sum of their squares is 333383335000
*/
