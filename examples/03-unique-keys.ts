/** Unique keys: ten changes of a document in a row, and it is indexed once, with the last of them. */

import { Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();

const document = `document-${Date.now()}`;
const ids = new Set<string>();
for (let change = 1; change <= 10; change += 1) {
  const { id, result } = await lineshaft.enqueue(
    'index-document',
    { document, change },
    // Each change postpones the job and replaces its payload; `keep` would leave the first as it is.
    { delayMs: 300, unique: { key: `index:${document}`, onConflict: 'debounce' } },
  );
  ids.add(id);
  if (change <= 2) console.log(`change ${change}: ${result}`);
}
console.log(`jobs: ${ids.size}`);

lineshaft.handle('index-document', ({ change }: { change: number }) => `indexed change ${change}`);
await lineshaft.worker().start();
const [job] = await lineshaft.waitFor([...ids]);
console.log(job?.output);

// The key is free again: it is held while the job waits or runs.
const later = await lineshaft.enqueue(
  'index-document',
  { document, change: 11 },
  { unique: { key: `index:${document}` } },
);
console.log(`change 11: ${later.result}`);
await lineshaft.waitFor([later.id]);

await lineshaft.close();
await database.release();

/* Prints:
change 1: new
change 2: replaced
jobs: 1
indexed change 10
change 11: new
*/
