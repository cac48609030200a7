/** Limits: two calls at once for each host, whatever waits, and one step of an order after the other. */

import { Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();

await lineshaft.declareLimit({ name: 'per-host', concurrency: 2, key: { payload: 'host' }, kinds: ['call'] });
await lineshaft.declareLimit({ name: 'per-order', fifo: true, key: { payload: 'order' }, kinds: ['step'] });

const running = new Map<string, number>();
let most = 0;
lineshaft.handle('call', async ({ host }: { host: string }) => {
  running.set(host, (running.get(host) ?? 0) + 1);
  most = Math.max(most, running.get(host) ?? 0);
  await new Promise((resolve) => setTimeout(resolve, 10));
  running.set(host, (running.get(host) ?? 0) - 1);
});
const steps: string[] = [];
lineshaft.handle('step', ({ name }: { name: string }) => void steps.push(name));
await lineshaft.worker().start();

const calls = Array.from({ length: 20 }, (_, n) => ({ kind: 'call', payload: { host: `host-${n % 3}` } }));
const names = ['reserve', 'charge', 'ship', 'thank'];
const order = names.map((name) => ({ kind: 'step', payload: { order: 7, name } }));
const jobs = await lineshaft.enqueueMany([...calls, ...order]);
await lineshaft.waitFor(jobs.map(({ id }) => id));
console.log(`at most ${most} at once for each host`);
console.log(steps.join(', '));
await lineshaft.close();
await database.release();

/* Prints:
at most 2 at once for each host
reserve, charge, ship, thank
*/
