/** A plugin that reports errors: each kind of error once, with how often it came, to wherever you send such things. */

import { definePlugin, Lineshaft, silentLog } from '@lineshaft/core';
import { z } from 'zod';
import { openDatabase } from './database.ts';

type Report = (report: {
  kind: string;
  error: string;
  times: number;
  final: boolean;
}) => void | Promise<void>;

const errorReporter = definePlugin({
  name: 'error-reporter',
  config: z.object({
    /** Called for the first error of each sort, and again for the 10th, 100th … */
    send: z.custom<Report>((value) => typeof value === 'function', 'must be a function'),
    /** Kinds whose errors nobody wants to hear of. */
    ignore: z.array(z.string()).default([]),
  }),
  hooks: {
    attemptEnd({ kind, outcome, error, retryInMs }, { config }) {
      if (outcome !== 'failed' || error === undefined || config.ignore.includes(kind)) return undefined;
      const sort = `${kind}: ${error.name}: ${error.message}`;
      const times = (seen.get(sort) ?? 0) + 1;
      if (seen.size < 10_000) seen.set(sort, times);
      if (!/^10*$/.test(String(times))) return undefined;
      return config.send({ kind, error: error.message, times, final: retryInMs === undefined });
    },
  },
});
const seen = new Map<string, number>();

const database = await openDatabase();
const lineshaft = new Lineshaft({
  databaseUrl: database.url,
  log: silentLog,
  plugins: [errorReporter({ send: (report) => console.log(JSON.stringify(report)), ignore: ['flaky'] })],
});
await lineshaft.migrate();
lineshaft.handle('import', () => Promise.reject(new Error('the file is empty')));
lineshaft.handle('flaky', () => Promise.reject(new Error('not again')));
await lineshaft.worker().start();
const jobs = await lineshaft.enqueueMany([
  { kind: 'flaky', maxAttempts: 1 },
  ...Array.from({ length: 12 }, () => ({ kind: 'import', maxAttempts: 1 })),
]);
const ended = await lineshaft.waitFor(jobs.map(({ id }) => id));
console.log(`${ended.filter((job) => job.state === 'failed').length} failed`);
await lineshaft.close();
await database.release();

/* Prints:
{"kind":"import","error":"the file is empty","times":1,"final":true}
{"kind":"import","error":"the file is empty","times":10,"final":true}
13 failed
*/
