/** Which worker does what: a queue picks workers by their tags, a job may demand tags of its worker. */

import { Lineshaft, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();
await lineshaft.declare({ name: 'renderings', tags: ['room=studio'] });

/** Workers of one program here; in earnest they are on different machines. */
function handlersOf(worker: string) {
  return { render: () => `rendered by ${worker}`, train: () => `trained by ${worker}` };
}
await lineshaft.worker({ handlers: handlersOf('plain') }).start();
await lineshaft.worker({ handlers: handlersOf('studio'), tags: ['room=studio'] }).start();
const big = lineshaft.worker({ handlers: handlersOf('big'), tags: ['capability=gpu', 'room=cellar'] });
await big.start();
console.log(
  big.tags.filter((tag) => !tag.startsWith('hostname') && /^(\*|capability|room)/.test(tag)).join(' '),
);

const jobs = await lineshaft.enqueueMany([
  { kind: 'render', queue: 'renderings' },
  { kind: 'train', requirements: ['capability=gpu'] },
]);
for (const job of await lineshaft.waitFor(jobs.map(({ id }) => id))) console.log(job.output);

// A job that no worker may run waits; the queue shows for what.
const { id } = await lineshaft.enqueue('train', {}, { requirements: ['capability=abacus'] });
const { lanes } = await lineshaft.showQueue('default');
const waiting = lanes.find(({ requirements }) => requirements.includes('capability=abacus'));
console.log(`${waiting?.ready} job of kind ${waiting?.kind} waits for ${waiting?.requirements}`);
await lineshaft.cancel([id]);

await lineshaft.close();
await database.release();

/* Prints:
* capability=gpu room=cellar
rendered by studio
trained by big
1 job of kind train waits for capability=abacus
*/
