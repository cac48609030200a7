/** Limits of task definitions: how many steps run at once, and how many are handed out in a time, by whoever has them. */

import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Lineshaft, PolledStep } from '../../packages/core/src/index.ts';
import { expectNothingInUse } from '../limits/ledger.ts';
import { freshName, openSite, type Site, until, versions } from '../worker/site.ts';
import { waitingSteps } from './waiting-steps.ts';

describe.each(versions)('limits of tasks on PostgreSQL %s', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(() => site.rest());
  afterAll(() => site.close());

  const poll = (
    request: { kind: string; count?: number; timeoutMs?: number; workerId?: string },
    of: Lineshaft = site.lineshaft,
  ) => of.workflows.poll({ workerId: 'w', count: 1, timeoutMs: 0, ...request });
  const end = (polled: readonly PolledStep[]) =>
    site.rows('select lineshaft.withdraw_jobs($1)', [polled.map(({ step }) => step.id)]);

  it('holds a limit with eight pollers, and lets the next go as soon as there is room', async () => {
    const kind = freshName('kind');
    const made = await waitingSteps(site, kind, 60);
    // Those that wait already come under it too.
    await site.lineshaft.workflows.putTask({ name: kind, concurrentExecLimit: 3 });
    const servers = [site.lineshaft, site.other()];
    const done = new Set<string>();
    let now = 0;
    let most = 0;
    await Promise.all(
      Array.from({ length: 8 }, async (_, n) => {
        while (done.size < made.length) {
          const polled = await poll({ kind, count: 2, timeoutMs: 500, workerId: `w${n}` }, servers[n % 2]);
          now += polled.length;
          most = Math.max(most, now);
          await new Promise((resolve) => setTimeout(resolve, 3));
          for (const { step } of polled) {
            expect(done.has(step.id)).toBe(false);
            done.add(step.id);
            now -= 1;
            await site.rows('select lineshaft.withdraw_jobs($1)', [[step.id]]);
          }
        }
      }),
    );
    expect(most).toBe(3);
    expect(await site.rows('select from lineshaft.counter where used <> 0')).toEqual([]);
  });

  it('tell steps apart by their input, also those that wait when the limit is declared', async () => {
    const name = freshName('flow');
    const inputParameters = { customer: '${workflow.input.customer}' };
    const task = { name: freshName('busy'), taskReferenceName: 'busy', type: 'SIMPLE', inputParameters };
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks: [task] }, { overwrite: false });
    const start = (customer: string) => site.lineshaft.workflows.start({ name, input: { customer } });
    await start('early');
    await start('early');
    const limit = freshName('per-customer');
    await site.lineshaft.declareLimit({
      name: limit,
      kinds: [task.name],
      key: { payload: 'customer' },
      concurrency: 1,
    });
    for (const customer of ['a', 'a', 'b']) await start(customer);
    const running = new Set<string>();
    const twice: string[] = [];
    const seen: string[] = [];
    await site.work('workflow', {
      handlers: {
        [task.name]: async ({ customer }: { customer: string }) => {
          if (running.has(customer)) twice.push(customer);
          running.add(customer);
          await new Promise((resolve) => setTimeout(resolve, 20));
          running.delete(customer);
          seen.push(customer);
        },
      },
    });
    await until('all are done', () => seen.length === 5);
    expect(seen.toSorted()).toEqual(['a', 'a', 'b', 'early', 'early']);
    expect(twice).toEqual([]);
    const keys =
      'select c.key from lineshaft.counter c join lineshaft.limit l on l.id = c.limit_id where l.name = $1';
    const known = await site.rows<{ key: string }>(keys, [limit]);
    expect(known.map(({ key }) => key).toSorted()).toEqual(['a', 'b', 'early']);
    await site.lineshaft.deleteLimit(limit);
  });

  it('follow the definition: more, none, and none after it is deleted', async () => {
    const kind = freshName('a task ');
    const { workflows } = site.lineshaft;
    await workflows.putTask({ name: kind, concurrentExecLimit: 1 });
    await waitingSteps(site, kind, 10);
    expect(await poll({ kind, count: 10 })).toHaveLength(1);
    expect(await poll({ kind, count: 10 })).toHaveLength(0);
    await workflows.putTask({ name: kind, concurrentExecLimit: 3 });
    expect(await poll({ kind, count: 10, timeoutMs: 5_000 })).toHaveLength(2);
    await workflows.putTask({ name: kind, concurrentExecLimit: 3, description: 'the same limit' });
    expect(await poll({ kind, count: 10 })).toHaveLength(0);
    await workflows.putTask({ name: kind });
    expect(await poll({ kind, count: 2, timeoutMs: 5_000 })).toHaveLength(2);
    await workflows.putTask({ name: kind, concurrentExecLimit: 6 });
    await workflows.deleteTask(kind);
    expect(await poll({ kind, count: 10, timeoutMs: 5_000 })).toHaveLength(5);
    expect((await site.lineshaft.limits()).filter(({ kinds }) => kinds?.[0]?.startsWith('a@20task'))).toEqual(
      [],
    );
  });

  it('count what is handed out in a time, ended or not', async () => {
    const kind = freshName('kind');
    await site.lineshaft.workflows.putTask({
      name: kind,
      rateLimitPerFrequency: 2,
      rateLimitFrequencyInSeconds: 1,
    });
    await waitingSteps(site, kind, 4);
    // Somebody must look at the clock.
    await site.work('none', { handlers: {} });
    const first = await poll({ kind, count: 10 });
    expect(first).toHaveLength(2);
    await end(first);
    expect(await poll({ kind, count: 10 })).toHaveLength(0);
    const second = await poll({ kind, count: 10, timeoutMs: 10_000 });
    expect(second.length).toBeGreaterThan(0);
    const [one, other] = [first[0]?.step.startedAt ?? 0, second[0]?.step.startedAt ?? 0];
    expect(other - one).toBeGreaterThanOrEqual(1_000);
    await end(second);
  });

  it.each(['call', 'call äöü with a name that is longer than what a limit may be called by far'])(
    'hold for HTTP steps, by the name of their task: %s',
    async (prefix) => {
      let now = 0;
      let most = 0;
      const server = createServer((_request, response) => {
        now += 1;
        most = Math.max(most, now);
        setTimeout(() => {
          now -= 1;
          response.end('{}');
        }, 20);
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      const { port } = server.address() as AddressInfo;
      const name = freshName(prefix);
      const { workflows } = site.lineshaft;
      await workflows.putTask({ name, concurrentExecLimit: 2 });
      const inputParameters = { http_request: { uri: `http://127.0.0.1:${port}/`, method: 'GET' } };
      const tasks = [{ name, taskReferenceName: 'ref', type: 'HTTP', inputParameters }];
      const flow = freshName('flow');
      await workflows.putWorkflow({ name: flow, version: 1, tasks }, { overwrite: false });
      await site.work('workflow', { handlers: {}, slots: 10 });
      const runs = await Promise.all(Array.from({ length: 12 }, () => workflows.start({ name: flow })));
      for (const runId of runs) {
        const { run } = await workflows.waitForRun(runId, (view) => view.run.endedAt !== undefined, {
          timeoutMs: 20_000,
        });
        expect(run.status).toBe('COMPLETED');
      }
      expect(most).toBe(2);
      await expectNothingInUse(site);
      await new Promise((resolve) => server.close(resolve));
    },
  );

  it('hold for our own workers beside those that poll', async () => {
    const kind = freshName('kind');
    await site.lineshaft.workflows.putTask({ name: kind, concurrentExecLimit: 2 });
    let own = 0;
    let polled = 0;
    let most = 0;
    const during = async (count: (by: number) => void): Promise<void> => {
      count(1);
      most = Math.max(most, own + polled);
      await new Promise((resolve) => setTimeout(resolve, 4));
      count(-1);
    };
    await waitingSteps(site, kind, 40);
    await site.work('workflow', {
      slots: 5,
      handlers: { [kind]: () => during((by) => (own += by)) },
    });
    await until('all are done', async () => {
      const given = await poll({ kind, timeoutMs: 100 });
      if (given.length > 0) await during((by) => (polled += by));
      await end(given);
      const [row] = await site.rows<{ n: number }>(
        `select count(*)::int as n from lineshaft.job j join lineshaft.lane l on l.id = j.lane where l.kind = $1`,
        [kind],
      );
      return row?.n === 0;
    });
    expect(most).toBe(2);
    await expectNothingInUse(site);
  });
});
