/** Forgetting finished jobs by rule, and letting those rise that wait. */

import { Lineshaft, pruner, reprioritiser, silentLog } from '@lineshaft/core';
import { age, finishedAge, kind, label, not, queue } from '@lineshaft/core/rules';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({
  databaseUrl: database.url,
  log: silentLog,
  plugins: [
    // What the leader among the workers does by itself, every ten minutes.
    pruner({ rules: [finishedAge().gt('2h').and(queue.eq('metrics')), 'age > 30d'], intervalMs: 600_000 }),
    reprioritiser({ rule: age().gt('10m').and(kind.like('report-%')), by: 1, max: 50 }),
  ],
});
await lineshaft.migrate();
// Of each outcome the newest hundred.
await lineshaft.declare({
  name: 'metrics',
  retention: { succeededMax: 100, failedMax: 100, cancelledMax: 100 },
});

lineshaft.handle('count', () => 'counted');
await lineshaft.worker().start();
const jobs = await lineshaft.enqueueMany(
  ['acme', 'globex', 'acme'].map((tenant) => ({ kind: 'count', queue: 'metrics', labels: { tenant } })),
);
const ids = jobs.map((job) => job.id);
await lineshaft.waitFor(ids);

// The same at once, by a rule of this moment. A count changes nothing.
const rule = queue.eq('metrics').and(not(label('tenant').eq('globex')));
for (const group of await lineshaft.countPrunable({ rule })) {
  console.log(`${group.jobs} ${group.outcome} jobs of ${group.queue} would go`);
}
console.log((await lineshaft.prune({ rule })).pruned);
console.log((await lineshaft.waitFor(ids)).map((job) => job.state));

await lineshaft.close();
await database.release();

/* Prints:
2 succeeded jobs of metrics would go
2
[ 'forgotten', 'succeeded', 'forgotten' ]
*/
