/** Schedules: rules that make jobs, declared at every start, looked at and run by hand. */

import { Lineshaft, previewRuns, silentLog } from '@lineshaft/core';
import { openDatabase } from './database.ts';

const database = await openDatabase();
const lineshaft = new Lineshaft({ databaseUrl: database.url, log: silentLog });
await lineshaft.migrate();

const ticks: Date[] = [];
lineshaft.handle('tick', (_payload: unknown, job) => {
  if (job.schedule !== undefined) ticks.push(job.schedule.tick);
});
lineshaft.handle('make-report', ({ of }: { of: string }, job) => `${of}, asked for: ${job.schedule?.asked}`);

// What a rule means can be looked at before it is used: the night in which 02:30 does not exist.
const nightly = { cron: '30 2 * * *', timeZone: 'Europe/Berlin' };
for (const run of previewRuns(nightly, new Date('2026-03-28T12:00:00Z'), 2)) console.log(run.toISOString());

const declaration = { name: 'report', ...nightly, kind: 'make-report', payload: { of: 'sales' } };
console.log((await lineshaft.schedule(declaration)).result);
// Declared again, as at each start of the program: its clock goes on.
console.log((await lineshaft.schedule(declaration)).result);

await lineshaft.schedule({ name: 'heartbeat', every: '1s', kind: 'tick', overlap: 'skip' });
await lineshaft.worker().start();
const [report] = await lineshaft.waitFor([await lineshaft.runSchedule('report')]);
console.log(report?.output);
while (ticks.length < 3) await new Promise((resolve) => setTimeout(resolve, 50));
console.log(ticks.slice(1, 3).map((tick, n) => tick.getTime() - (ticks[n]?.getTime() ?? 0)));

await lineshaft.pauseSchedule('heartbeat', { reason: 'enough of it' });
const { state, pauseReason } = await lineshaft.showSchedule('heartbeat');
console.log(state, 'because:', pauseReason);

await lineshaft.close();
await database.release();

/* Prints:
2026-03-29T01:00:00.000Z
2026-03-30T00:30:00.000Z
new
kept
sales, asked for: true
[ 1000, 1000 ]
paused because: enough of it
*/
