/** A plugin of one's own: configured, told of what happens, around handlers, with a loop that runs on the leader only. */

import { definePlugin, Lineshaft, silentLog } from '@lineshaft/core';
import { z } from 'zod';
import { openDatabase } from './database.ts';

const counted = Promise.withResolvers<void>();
const written = Promise.withResolvers<void>();

const observer = definePlugin({
  name: 'observer',
  dependsOn: ['leader'],
  config: z.object({ greeting: z.string(), everyMs: z.number().int().min(10).default(1_000) }),
  hooks: {
    workerStart: (_worker, { config }) => console.log(`${config.greeting}, worker`),
    enqueue: (request) => ({ ...request, labels: { ...request.labels, source: 'example' } }),
    finished: ([job]) => written.resolve(console.log(`${job?.kind} ${job?.state}`)),
  },
  middleware: async ({ kind }, next) => {
    console.log(`before ${kind}`);
    console.log(`after ${kind}: ${(await next()).outcome}`);
  },
  service: ({ loop, leadership, query, config }) =>
    loop({
      async round() {
        if (leadership.term === undefined) return 100;
        const [row] = await query<{ queues: number }>('select count(*)::int as queues from lineshaft.queue');
        if (row !== undefined && row.queues > 0) counted.resolve();
        return config.everyMs;
      },
    }),
});

const database = await openDatabase();
const lineshaft = new Lineshaft({
  databaseUrl: database.url,
  log: silentLog,
  plugins: [observer({ greeting: 'welcome' })],
});
await lineshaft.migrate();
lineshaft.handle('report', (_payload, job) => job.labels);
const worker = lineshaft.worker();
await worker.start();
const { id } = await lineshaft.enqueue('report');
const [job] = await lineshaft.waitFor([id]);
await Promise.all([counted.promise, written.promise]);
const failures = worker.metrics().hooks.filter((hook) => hook.off).length;
console.log(`output ${JSON.stringify(job?.output)}, hooks that failed: ${failures}`);
await lineshaft.close();
await database.release();

/* Prints:
welcome, worker
before report
after report: succeeded
report succeeded
output {"source":"example"}, hooks that failed: 0
*/
