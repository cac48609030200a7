/** Rescue: how it finds what is to be rescued, whom it trusts, and what a killed worker leaves behind. */

import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { bindStatements } from '../../packages/core/src/store/statements.ts';
import { eventOf, openSite, openStranger, type Site, until, versions } from '../worker/site.ts';
import { endWorkerProcesses, startWorkerProcess } from './worker-processes.ts';

describe.each(versions)('rescue, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(async () => {
    await site.rest();
    await endWorkerProcesses();
  });
  afterAll(() => site.close());

  test('looks into indexes, however many workers and leases there are', async () => {
    const crowd = await openStranger(site.url);
    const rows = async (text: string): Promise<unknown[]> => (await crowd.query(text)).rows;
    await rows(
      `with many as (
        insert into lineshaft.worker (worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until)
        select 'w' || n, 'w', '', '{}', '{}', '{}', 1, 15000, now() + n * interval '1 hour'
        from generate_series(1, 3000) n returning id
      ),
      leases as (insert into lineshaft.lease (worker, job_ids, fences) select id, '{}', '{}' from many)
      insert into lineshaft.job_lease (job_id, worker, lease, fence, lease_ms, until)
      select gen_random_uuid(), id, 1, 0, 1000, now() + interval '1 hour' from many`,
    );
    await rows('analyze lineshaft.worker, lineshaft.lease, lineshaft.job_lease');
    const { nextExpiry, expiredWorkers } = bindStatements('lineshaft');
    for (const [index, bounded, text] of [
      ['worker_expiry', false, nextExpiry.text],
      ['job_lease_until', false, nextExpiry.text],
      ['worker_expiry', true, expiredWorkers.text.replace('$1', '5000')],
      ['lease_worker', true, 'select * from lineshaft.lease l where l.worker = 7 order by l.id for update'],
      ['job_lease_until', true, 'select * from lineshaft.job_lease l where l.until < now() order by l.until'],
    ] as const) {
      const plan = JSON.stringify(await rows(`explain (format json) ${text}`));
      expect(plan).toContain(`"Index Name":"${index}"`);
      if (bounded) expect(plan).toContain('"Index Cond"');
      expect(plan).not.toContain('Seq Scan');
    }
    await crowd.query('rollback');
    await crowd.end();
  });

  test('trusts nobody’s silence before it was connected for one lease, and then rescues within its own start', async () => {
    const queue = await site.queue();
    const { id } = await site.lineshaft.enqueue('job', null, { queue, delayMs: 3_600_000 });
    await site.rows(
      `with silent as (
        insert into lineshaft.worker
          (worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until)
        values ('silent', 'silent', '', '{}', '{}', '{}', 1, 2000, now() - interval '1 hour') returning id
      ),
      waiting as (delete from lineshaft.later where job_id = $1)
      insert into lineshaft.lease (worker, job_ids, fences) select id, array[$1::uuid], '{0}' from silent`,
      [id],
    );
    const startedMs = performance.now();
    const worker = await site.work(queue, { handlers: { job: () => 'rescued' } });
    const rescued = eventOf(worker, 'rescued');
    expect(await rescued).toEqual({ workerId: 'silent', returned: 1, buried: 0 });
    // Not a bound on speed: sooner would be wrong.
    expect(performance.now() - startedMs).toBeGreaterThanOrEqual(1_990);
    expect(await site.lineshaft.waitFor([id], { timeoutMs: 10_000 })).toMatchObject([{ output: 'rescued' }]);
  });

  test('the programs of a worker that is killed end with it', async () => {
    const queue = await site.queue();
    const file = join(tmpdir(), `lineshaft-${randomUUID()}`);
    const worker = await startWorkerProcess(site.url, { queues: [queue], leaseMs: 60_000 });
    await site.lineshaft.enqueue('program', file, { queue });
    await until('it runs', () => existsSync(file) && readFileSync(file, 'utf8').trim() !== '');
    const pid = Number(readFileSync(file, 'utf8'));
    expect(runs(pid)).toBe(true);
    worker.kill('SIGKILL');
    await worker.exited;
    await until('it has ended', () => !runs(pid));
  });
});

function runs(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
