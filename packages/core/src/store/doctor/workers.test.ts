import type pg from 'pg';
import { afterEach, beforeEach, describe, expect, inject, test } from 'vitest';
import { look, wrong } from '../../testing/doctor.ts';
import { type Installation, install } from '../../testing/installation.ts';

describe.each(['postgres15', 'postgres18'] as const)('workers and waiting jobs on %s', (server) => {
  let installation: Installation;
  let client: pg.Client;
  beforeEach(async () => {
    installation = await install(inject(server));
    client = installation.client;
  });
  afterEach(() => installation.close());

  async function addWorker(name: string, columns: Record<string, unknown> = {}): Promise<void> {
    const row = {
      worker_id: name,
      name,
      build: '1.0.0',
      tags: ['*'],
      kinds: ['mail'],
      queues: ['1-default'],
      slots: 10,
      lease_ms: 15_000,
      lease_until: new Date(Date.now() + 3_600_000),
      ...columns,
    };
    const names = Object.keys(row);
    const places = names.map((_, n) => `$${n + 1}`);
    await client.query(
      `insert into lineshaft.worker (${names.join(', ')}) values (${places.join(', ')})`,
      Object.values(row),
    );
  }

  async function addJobs(lane: string, jobs = 1): Promise<void> {
    await client.query(
      `insert into lineshaft.lane (queue_id, kind, requirements, pin, build) values (${lane})`,
    );
    await client.query(
      `insert into lineshaft.ready (due, seq, lane, priority, job_id)
       select now(), n, (select max(id) from lineshaft.lane), 0, gen_random_uuid()
       from generate_series(1, $1) n`,
      [jobs],
    );
  }

  test('a queue with jobs that no live worker serves', async () => {
    await addJobs(`1, 'mail', '{}', 'none', ''`, 3);
    await addWorker('elsewhere', { queues: ['1-other'] });
    await addWorker('stopping', { stopping: true });
    await addWorker('dead', { lease_until: new Date(Date.now() - 1_000) });
    expect(wrong(await look(client))).toMatchObject([
      {
        code: 'queue-unserved',
        title: 'no live worker serves queue default while jobs wait in it',
        detail: '3 jobs wait. Its tags: *; live workers: 1.',
      },
    ]);
  });

  test('a kind with jobs that no live worker knows', async () => {
    await addJobs(`1, 'mial', '{}', 'none', ''`, 1_000);
    await addJobs(`1, 'mail', '{}', 'none', ''`);
    await addWorker('w');
    expect(wrong(await look(client))).toMatchObject([
      {
        code: 'kind-unknown',
        title: 'no live worker of queue default knows the kind mial',
        detail: 'More than 100 jobs wait. They wait without losing attempts.',
      },
    ]);
    await addWorker('any', { kinds: ['mial'] });
    expect(wrong(await look(client))).toEqual([]);
  });

  test('requirements that no live worker meets', async () => {
    await addJobs(`1, 'mail', '{capability=gpu}', 'none', ''`);
    await addWorker('w');
    expect(wrong(await look(client))).toMatchObject([
      {
        code: 'requirements-unmet',
        title: 'no live worker of queue default for kind mail has the tags capability=gpu',
        detail: '1 job waits. The jobs require them.',
      },
    ]);
    await addWorker('gpu', { tags: ['*', 'capability=gpu'] });
    expect(wrong(await look(client))).toEqual([]);
  });

  test('jobs that are pinned to a build which nobody runs', async () => {
    await addJobs(`1, 'mail', '{}', 'exact', '1.1.0'`);
    await addJobs(`1, 'mail', '{}', 'min', '0.9.0'`);
    await addWorker('w');
    expect(wrong(await look(client))).toMatchObject([
      {
        code: 'build-unserved',
        title: 'jobs of kind mail in queue default are pinned to build 1.1.0, which nobody runs',
        detail: "1 job waits. Pinned as 'exact'; builds that run: 1.0.0.",
      },
    ]);
  });

  test('a paused queue with jobs', async () => {
    await addJobs(`1, 'mail', '{}', 'none', ''`, 2);
    await client.query(`update lineshaft.queue set state = 'paused'`);
    expect(wrong(await look(client))).toMatchObject([
      {
        code: 'queue-paused',
        title: 'queue default is paused while jobs wait in it',
        detail: '2 jobs wait. It is paused until it is resumed.',
      },
    ]);
  });

  test('a lost worker that nobody rescued', async () => {
    await addWorker('lost', { lease_ms: 1, lease_until: new Date(Date.now() - 60_000) });
    await client.query(
      `insert into lineshaft.lease (worker, job_ids, fences) select id, '{}', '{}' from lineshaft.worker`,
    );
    expect(wrong(await look(client))).toMatchObject([
      {
        code: 'worker-lost',
        severity: 'error',
        title: 'worker lost is lost and nobody has rescued its jobs',
        detail: expect.stringContaining('it holds 1 batches'),
      },
    ]);
  });
});
