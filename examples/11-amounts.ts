/** How much of what: workers offer named amounts, jobs need some of them, and no worker takes more than fits. */

import { Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();

const licences = { now: 0, most: 0 };
async function convert(): Promise<string> {
  licences.now += 1;
  licences.most = Math.max(licences.most, licences.now);
  await new Promise((resolve) => setTimeout(resolve, 10));
  licences.now -= 1;
  return 'converted';
}

await lineshaft
  .worker({ handlers: { convert, train: () => 'trained on two' }, offers: { licence: 2 } })
  .start();
const big = lineshaft.worker({
  handlers: { train: () => 'trained on eight', index: () => 'indexed on ssd' },
  offers: { gpu: 8, memory: '64Gi' },
  tags: ['capability=ssd'],
});
await big.start();
await lineshaft.worker({ handlers: { index: () => 'indexed on disk' } }).start();

const requests = Array.from({ length: 12 }, () => ({ kind: 'convert', needs: { licence: 1 } }));
const conversions = await lineshaft.enqueueMany(requests);
await lineshaft.waitFor(conversions.map(({ id }) => id));
console.log(`licences used at once: ${licences.most}`);

// Only one worker offers as much as this needs. Amounts are written as Kubernetes writes them.
const { id } = await lineshaft.enqueue('train', {}, { needs: { gpu: 6, memory: '48Gi' } });
// Any worker may do this; one with the tag goes first while it lives.
const wish = await lineshaft.enqueue('index', {}, { prefers: ['capability=ssd'], preferMs: 60_000 });
for (const job of await lineshaft.waitFor([id, wish.id])) console.log(job.output);

// Nobody offers this: it waits, and the queue says for what.
const { id: waiting } = await lineshaft.enqueue('train', {}, { needs: { gpu: 16 } });
const { lanes } = await lineshaft.showQueue('default');
const lane = lanes.find(({ needs }) => needs['gpu'] === 16);
console.log(
  `${lane?.ready} job waits: workers that may run it ${lane?.workers}, for want of ${lane?.unservedBecause}`,
);
await lineshaft.cancel([waiting]);

await lineshaft.close();
await database.release();

/* Prints:
licences used at once: 2
trained on eight
indexed on ssd
1 job waits: workers that may run it 0, for want of amounts
*/
