/** A kind whose attempts mostly fail is left alone for a while; then a few jobs are tried. */

import { Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();
await lineshaft.declare({ name: 'default', maxAttempts: 1_000, backoff: { type: 'fixed', delayMs: 10 } });

let bankIsUp = false;
let calls = 0;
const charge = (): void => {
  calls += 1;
  if (!bankIsUp) throw new Error('the bank does not answer');
};
lineshaft.handle('charge', charge, { circuit: { minAttempts: 10, pauseMs: 1_000, probes: 2 } });
const worker = lineshaft.worker();
const opened = new Promise<string | undefined>((resolve) => worker.once('circuit', ({ to }) => resolve(to)));
await worker.start();

const jobs = await lineshaft.enqueueMany(Array.from({ length: 50 }, () => ({ kind: 'charge' })));
console.log(`the circuit is ${await opened}`);
await new Promise((resolve) => setTimeout(resolve, 200));
const before = calls;
await new Promise((resolve) => setTimeout(resolve, 300));
console.log(`while it is open the bank is called ${calls - before} times`);

bankIsUp = true;
await lineshaft.waitFor(jobs.map(({ id }) => id));
console.log('all were charged, and none has used up its attempts');

// Somebody knows better than the counts: nothing runs until it is closed.
await lineshaft.openCircuit('charge', { reason: 'the bank counts its money' });
const { state, byHand, reason } = await lineshaft.circuit('charge');
console.log(`${state}, by hand: ${byHand}, because ${reason}`);
await lineshaft.closeCircuit('charge');
await lineshaft.close();
await database.release();

/* Prints:
the circuit is open
while it is open the bank is called 0 times
all were charged, and none has used up its attempts
open, by hand: true, because the bank counts its money
*/
