/** Steps that are handed on to the worker that did the ones before them, in the write in which they become ready. */

import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StepDefinition, TaskDefinition } from '../../packages/core/src/domain/workflow/definition.ts';
import type { RunStatus } from '../../packages/core/src/domain/workflow/run.ts';
import { eventOf, freshName, gate, openSite, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('steps that are handed on, on PostgreSQL %i', (version) => {
  let site: Site;

  beforeAll(async () => {
    site = await openSite(version);
  });

  afterEach(() => site.rest());

  afterAll(() => site?.close());

  /** A workflow of steps in a row, of kinds of its own: `name-0`, `name-1`, … */
  async function register(length: number, task: Partial<TaskDefinition> = {}): Promise<string> {
    const name = freshName('row');
    const tasks = Array.from({ length }, (_, n): StepDefinition => {
      const kind = `${name}-${n}`;
      return {
        name: kind,
        taskReferenceName: `s${n}`,
        type: 'SIMPLE',
        taskDefinition: { name: kind, retryCount: 0, ...task },
      };
    });
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    return name;
  }

  async function ended(runId: string): Promise<RunStatus> {
    const view = await site.lineshaft.workflows.waitForRun(runId, ({ run }) => run.endedAt !== undefined, {
      timeoutMs: 15_000,
    });
    return view.run.status;
  }

  const start = (name: string, priority = 0): Promise<string> =>
    site.lineshaft.workflows.start({ name, priority });

  /** The first step of a kind makes its lane, which a worker comes to know by a claim: from then on it can be handed such steps. */
  async function once(name: string): Promise<void> {
    expect(await ended(await start(name))).toBe('COMPLETED');
  }

  /** What was told to this process before has come to its worker: messages keep their order. */
  async function isToldOfAll(): Promise<void> {
    const { apiKeys } = site.lineshaft;
    const told = gate();
    let isSent = false;
    // It is called at once, too, where there is a connection.
    const watch = apiKeys.watch(() => {
      if (isSent) told.open();
    });
    isSent = true;
    const { keyId } = await apiKeys.create({ name: 'a message' });
    await told.opened;
    watch.end();
    await apiKeys.revoke(keyId);
  }

  it('are not claimed', async () => {
    const name = await register(6);
    const ran: number[] = [];
    const handlers = Object.fromEntries(
      Array.from({ length: 6 }, (_, n) => [`${name}-${n}`, () => void ran.push(n)]),
    );
    const worker = await site.work('workflow', { handlers });
    await once(name);
    const claims = worker.metrics().claims;
    ran.length = 0;
    expect(await ended(await start(name))).toBe('COMPLETED');
    expect(ran).toEqual([0, 1, 2, 3, 4, 5]);
    // That of the first step, and looks that find nothing: not one for each.
    expect(worker.metrics().claims - claims).toBeLessThan(6);
    await until(
      'no lease is left',
      async () => (await site.rows('select from lineshaft.lease where worker > 0')).length === 0,
    );
  });

  it('are leased to the worker, and shown as in progress there', async () => {
    const name = await register(2);
    let [started, hold] = [gate(), gate()];
    const worker = await site.work('workflow', {
      handlers: {
        [`${name}-0`]: () => {},
        [`${name}-1`]: () => {
          started.open();
          return hold.opened;
        },
      },
    });
    // The second time the lanes of both kinds are known.
    for (const _time of [1, 2]) {
      [started, hold] = [gate(), gate()];
      const runId = await start(name);
      await started.opened;
      const { steps } = await site.lineshaft.workflows.show(runId);
      const second = steps.find(({ ref }) => ref === 's1');
      expect(second).toMatchObject({ status: 'IN_PROGRESS', workerId: worker.id });
      const leases = await site.rows(
        'select from lineshaft.lease l join lineshaft.worker w on w.id = l.worker where $1::uuid = any (l.job_ids)',
        [second?.id],
      );
      expect(leases).toHaveLength(1);
      hold.open();
      expect(await ended(runId)).toBe('COMPLETED');
    }
  });

  it('wait for those of a higher priority', async () => {
    const name = await register(3);
    const urgent = await register(1);
    const order: string[] = [];
    const [started, hold] = [gate(), gate()];
    let holding = false;
    const handlers = Object.fromEntries(
      [0, 1, 2].map((n) => [
        `${name}-${n}`,
        async () => {
          order.push(`plain-${n}`);
          if (n > 0 || !holding) return;
          started.open();
          await hold.opened;
        },
      ]),
    );
    await site.work('workflow', {
      handlers: { ...handlers, [`${urgent}-0`]: () => void order.push('urgent') },
      slots: 1,
    });
    await once(name);
    await once(urgent);
    order.length = 0;
    holding = true;
    const runId = await start(name);
    await started.opened;
    const first = await start(urgent, 5);
    await until('it waits', async () => {
      const rows = await site.rows<{ n: number }>(
        'select count(*)::int as n from lineshaft.ready where priority = 5',
      );
      return rows[0]?.n === 1;
    });
    await isToldOfAll();
    hold.open();
    expect(await Promise.all([ended(runId), ended(first)])).toEqual(['COMPLETED', 'COMPLETED']);
    expect(order).toEqual(['plain-0', 'urgent', 'plain-1', 'plain-2']);
  });

  it('do not go on while their queue is paused', async () => {
    const name = await register(2);
    const [started, hold] = [gate(), gate()];
    const ran: number[] = [];
    let holding = false;
    const worker = await site.work('workflow', {
      handlers: {
        [`${name}-0`]: async () => {
          if (!holding) return;
          started.open();
          await hold.opened;
        },
        [`${name}-1`]: () => void ran.push(1),
      },
    });
    await once(name);
    ran.length = 0;
    holding = true;
    const runId = await start(name);
    await started.opened;
    const told = eventOf(worker, 'settings');
    await site.lineshaft.pauseQueue('workflow');
    await told;
    hold.open();
    await until('the next step is there', async () => {
      const { steps } = await site.lineshaft.workflows.show(runId);
      return steps.length === 2;
    });
    await until('it waits', () => worker.metrics().unwritten === 0);
    expect([ran, worker.metrics().held]).toEqual([[], 0]);
    await site.lineshaft.resumeQueue('workflow');
    expect(await ended(runId)).toBe('COMPLETED');
  });

  it('wait as others do where the database knows better', async () => {
    const name = await register(1);
    const kind = `${name}-0`;
    const worker = await site.work('workflow', { handlers: { [freshName('other')]: () => {} } });
    const runs = [await start(name)];
    const [{ row, lane } = { row: '', lane: 0 }] = await site.rows<{ row: string; lane: number }>(
      'select w.id as row, l.id as lane from lineshaft.worker w, lineshaft.lane l where w.worker_id = $1 and l.kind = $2',
      [worker.id, kind],
    );
    /** Whether a job goes to the worker, or waits. */
    const hand = async (to: string, before: readonly number[] = []): Promise<'given' | 'waits'> => {
      const id = randomUUID();
      const templates = JSON.stringify([{ kind, queue: 'workflow' }]);
      const [given] = await site.rows<{ lease: string | null }>(
        'select lease from lineshaft.hand_steps($1, $2, null, array[$3::uuid], $4, $5, $6)',
        [to, templates, id, '[{}]', [lane], before],
      );
      const lease = given?.lease ?? null;
      const waiting = await site.rows('select from lineshaft.ready where job_id = $1', [id]);
      const leased = await site.rows(
        'select from lineshaft.lease where id = $1 and job_ids = array[$2::uuid]',
        [lease, id],
      );
      expect([waiting.length, leased.length]).toEqual(lease === null ? [1, 0] : [0, 1]);
      return lease === null ? 'waits' : 'given';
    };
    // One of the same priority waits longer: that alone is no reason.
    expect(await hand(row, [lane])).toBe('given');
    runs.push(await start(name, 5));
    expect([await hand(row, [lane]), await hand(row)]).toEqual(['waits', 'given']);
    await site.lineshaft.pauseQueue('workflow');
    expect(await hand(row)).toBe('waits');
    await site.lineshaft.resumeQueue('workflow');
    expect(await hand(row)).toBe('given');
    // A worker that was taken for dead.
    await expect(hand('987654321')).rejects.toThrow(/foreign key/);
    await site.lineshaft.declareLimit({ name: freshName('limit'), kinds: [kind], concurrency: 1 });
    expect(await hand(row)).toBe('waits');
    for (const runId of runs) await site.lineshaft.workflows.terminate(runId, { reason: 'done' });
  });

  it('go to others when their worker stops in the middle of runs, each once', async () => {
    const name = await register(8);
    const ran = new Map<string, number>();
    const count = (_: unknown, { id }: { id: string }): void => void ran.set(id, (ran.get(id) ?? 0) + 1);
    const handlers = Object.fromEntries(Array.from({ length: 8 }, (_, n) => [`${name}-${n}`, count]));
    const first = await site.work('workflow', { handlers });
    await once(name);
    ran.clear();
    const runs = await Promise.all(Array.from({ length: 100 }, () => start(name)));
    await until('some are done', () => ran.size > 150);
    await first.stop();
    const before = ran.size;
    await site.work('workflow', { handlers });
    expect(new Set(await Promise.all(runs.map(ended)))).toEqual(new Set(['COMPLETED']));
    expect([ran.size, [...ran.values()].every((times) => times === 1)]).toEqual([800, true]);
    expect(before).toBeLessThanOrEqual(800);
  });

  it('leave slots to jobs of other queues', async () => {
    const kind = freshName('long');
    const name = freshName('row');
    const tasks = Array.from(
      { length: 200 },
      (_, n): StepDefinition => ({ name: kind, taskReferenceName: `s${n}`, type: 'SIMPLE' }),
    );
    await site.lineshaft.workflows.putWorkflow({ name, version: 1, tasks }, { overwrite: false });
    const queue = await site.queue();
    let steps = 0;
    const many = gate();
    const other = Promise.withResolvers<number>();
    await site.work(['workflow', queue], {
      handlers: {
        [kind]: () => {
          steps += 1;
          if (steps === 500) many.open();
        },
        other: async () => {
          other.resolve(steps);
          // Longer than a claim: so that it is never claimed ahead of a free slot.
          await new Promise((resolve) => setTimeout(resolve, 20));
        },
      },
      slots: 4,
    });
    const runs = await Promise.all(Array.from({ length: 30 }, () => start(name)));
    await many.opened;
    await site.lineshaft.enqueue('other', null, { queue });
    expect(await other.promise).toBeLessThan(6_000);
    expect(new Set(await Promise.all(runs.map(ended)))).toEqual(new Set(['COMPLETED']));
  });

  it('keep the time limits of their tasks', async () => {
    const name = await register(2, {
      timeoutSeconds: 1,
      timeoutPolicy: 'TIME_OUT_WF',
      responseTimeoutSeconds: 1,
    });
    let hanging = false;
    await site.work('workflow', {
      handlers: {
        [`${name}-0`]: () => {},
        [`${name}-1`]: (_: unknown, { signal }: { signal: AbortSignal }) =>
          new Promise<void>((resolve) => {
            if (hanging) signal.addEventListener('abort', () => resolve(), { once: true });
            else resolve();
          }),
      },
    });
    await once(name);
    hanging = true;
    expect(await ended(await start(name))).toBe('TIMED_OUT');
  });

  it('stay within the limits of their tasks, of which the worker knows nothing', async () => {
    const name = await register(3);
    let running = 0;
    let most = 0;
    const work = async (): Promise<void> => {
      running += 1;
      most = Math.max(most, running);
      await new Promise((resolve) => setImmediate(resolve));
      running -= 1;
    };
    await site.work('workflow', {
      handlers: { [`${name}-0`]: () => {}, [`${name}-1`]: work, [`${name}-2`]: () => {} },
    });
    await once(name);
    await site.lineshaft.workflows.putTask({ name: `${name}-1`, concurrentExecLimit: 1 });
    const runs = await Promise.all(Array.from({ length: 20 }, () => start(name)));
    expect(new Set(await Promise.all(runs.map(ended)))).toEqual(new Set(['COMPLETED']));
    expect(most).toBe(1);
  });
});
