/** The leader: elected, deposed, resigned; and one that was paused, which must do no harm when it wakes. */

import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { definePlugin, type Plugin, type ServiceContext } from '../../packages/core/src/index.ts';
import { eventOf, openSite, type Site, until, versions } from '../worker/site.ts';
import { endWorkerProcesses, startWorkerProcess } from './worker-processes.ts';

describe.each(versions)('the leader, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(async () => {
    await site.rest();
    await endWorkerProcesses();
    await site.rows('delete from lineshaft.leader');
  });
  afterAll(() => site.close());

  interface Led {
    readonly plugin: Plugin;
    readonly context: () => ServiceContext;
  }

  /** A plugin that hands out what its service is given. */
  function borrow(): Led {
    let given: ServiceContext | undefined;
    const plugin = definePlugin({
      name: 'borrower',
      dependsOn: ['leader'],
      service: (context) => {
        given = context;
        return context.loop({ round: async () => 60_000 });
      },
    })();
    return {
      plugin,
      context: () => {
        if (given === undefined) throw new TypeError('the worker has not started');
        return given;
      },
    };
  }

  /** Starts a worker that leads. */
  async function lead() {
    const { plugin, context } = borrow();
    const client = site.other({ plugins: [plugin] });
    const worker = client.worker({ signals: false, queues: ['none'], handlers: {} });
    const elected = eventOf(worker, 'elected');
    await worker.start();
    const { term } = (await elected) as { term: string };
    return { client, worker, term, context };
  }

  test('says that it was elected and that it resigns; the next one has a higher term', async () => {
    const first = await lead();
    expect(first.context().leadership.term).toBe(first.term);
    expect(first.worker.metrics().leads).toBe(true);
    const resigned = eventOf(first.worker, 'resigned');
    const second = lead();
    await first.worker.stop();
    expect(await resigned).toEqual({ term: first.term });
    expect(Number((await second).term)).toBeGreaterThan(Number(first.term));
    await (await second).worker.stop();
  });

  test('that is paused is replaced; when it wakes it learns that, and its writes change nothing', async () => {
    const sleeper = await startWorkerProcess(site.url, { queues: ['none'], workerId: 'sleeper' });
    const { facts } = await sleeper.heard('elected');
    const term = String(facts?.['term']);
    sleeper.kill('SIGSTOP');
    const next = await lead();
    expect(Number(next.term)).toBe(Number(term) + 1);
    const queue = await site.queue();
    await site.rows(`update lineshaft.queue set state = 'paused', resume_at = now() where name = $1`, [
      queue,
    ]);
    const { session, statements } = next.context().internals;
    for (const [statement, values] of [
      [statements.resumeDueQueues, [term]],
      [statements.sweepDead, [10, term]],
      [statements.sweepSmall, [term]],
      [statements.demandTerm, ['main', term]],
    ] as const) {
      await expect(session.query(statement, [...values])).rejects.toMatchObject({ code: 'LEADERSHIP_LOST' });
    }
    await until('the leader of today has resumed it', async () => {
      const [row] = await site.rows<{ state: string }>('select state from lineshaft.queue where name = $1', [
        queue,
      ]);
      return row?.state === 'active';
    });
    sleeper.kill('SIGCONT');
    expect(await sleeper.heard('deposed')).toMatchObject({ facts: { term } });
    expect(next.context().leadership.term).toBe(next.term);
    await next.worker.stop();
  });

  test('writes while it leads, and nothing once another does', async () => {
    const first = await lead();
    const { leadership } = first.context();
    await leadership.write((query) =>
      query(`insert into lineshaft.setting (name, value) values ('led', to_jsonb($1::text))`, [first.term]),
    );
    expect(await site.rows(`select value from lineshaft.setting where name = 'led'`)).toEqual([
      { value: first.term },
    ]);
    // Another one is elected, and this one does not know yet.
    await site.rows('update lineshaft.leader set term = term + 1, worker = 0');
    await expect(
      leadership.write((query) => query(`update lineshaft.setting set value = '"late"' where name = 'led'`)),
    ).rejects.toMatchObject({ code: 'LEADERSHIP_LOST' });
    expect(await site.rows(`select value from lineshaft.setting where name = 'led'`)).toEqual([
      { value: first.term },
    ]);
    await first.worker.stop();
  });

  test('that stops in the middle of a write is undone by the server, and another is elected', async () => {
    const first = await lead();
    const { leadership } = first.context();
    await site.rows(`insert into lineshaft.setting (name, value) values ('half', '1')`);
    let entered = false;
    const never = leadership.write(async (query) => {
      await query(`update lineshaft.setting set value = '2' where name = 'half'`);
      entered = true;
      await new Promise(() => {});
    });
    never.catch(() => {});
    await until('it has written half', () => entered);
    // What a paused process does: it does not renew.
    await site.rows('update lineshaft.leader set until = now()').catch(() => {});
    const elected = site.other();
    const worker = elected.worker({ signals: false, queues: ['none'], handlers: {} });
    const told = eventOf(worker, 'elected');
    await worker.start();
    await site.rows(`update lineshaft.leader set until = now() - interval '1 second', worker = 0`);
    await told;
    expect(await site.rows(`select value from lineshaft.setting where name = 'half'`)).toEqual([
      { value: 1 },
    ]);
    await worker.stop();
  });

  test('is shown in the list of workers', async () => {
    const { worker } = await lead();
    const [view] = (await site.lineshaft.workers()).filter((each) => each.leads);
    expect(view?.workerId).toBe(worker.id);
    await worker.stop();
  });
});
