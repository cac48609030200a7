/**
 * A worker process of the demo. It is told what to do by its environment, tells its parent what has finished,
 * and stops when the parent says so or is gone.
 */

import { Lineshaft, textLog } from '@lineshaft/core';
import type { PackageAudit } from './audit-package.ts';
import { makeReport } from './report.ts';

/** What a worker process tells its parent. */
export type WorkerNews = { readonly ready: true } | { readonly finished: number };

const tell = (news: WorkerNews): boolean => process.connected && process.send?.(news) === true;

const lineshaft = new Lineshaft({
  schema: process.env['DEMO_SCHEMA'] ?? 'lineshaft_demo',
  applicationName: 'lineshaft demo worker',
  log: textLog(
    'warn',
    (line) => process.stderr.write(`${line}\n`),
    () => new Date(),
  ),
});
lineshaft.handle('audit-package', { module: new URL('./audit-package.ts', import.meta.url) });
lineshaft.handle('summarise', async ({ ids }: { ids: string[] }) => {
  const audits = await lineshaft.waitFor(ids);
  return makeReport(audits.map(({ output }) => output as PackageAudit));
});

const worker = lineshaft.worker({
  workerId: process.env['DEMO_WORKER'] ?? 'demo',
  signals: false,
  leaseMs: 5_000,
});
worker.on('started', () => tell({ ready: true }));
worker.on('finished', ({ jobs }) => {
  const audits = jobs.filter(({ kind, ending }) => kind === 'audit-package' && ending === 'succeeded');
  if (audits.length > 0) tell({ finished: audits.length });
});

process.once('message', stop);
process.once('disconnect', stop);
process.on('SIGTERM', stop);
await worker.start();

function stop(): void {
  // The parent decides what becomes of jobs that still run: here nothing, so nobody waits for them.
  worker.stopNow().then(
    () => lineshaft.close().then(() => process.exit(0)),
    () => process.exit(1),
  );
}
