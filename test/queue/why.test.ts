import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { defineKinds, type Reason, type Why } from '../../packages/core/src/index.ts';
import { freshName, type Gate, gate, openSite, type Site, until, versions } from '../worker/site.ts';

describe.each(versions)('why something waits, on PostgreSQL %i', (version) => {
  let site: Site;
  let gates: Gate[] = [];
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterEach(async () => {
    for (const one of gates) one.open();
    gates = [];
    await site.rest();
  });
  afterAll(() => site.close());

  /** A handler that runs until the test is over. */
  function held(): () => Promise<void> {
    const one = gate();
    gates.push(one);
    return () => one.opened;
  }

  async function enqueue(queue: string, options: object = {}, kind = 'one'): Promise<string> {
    const { id } = await site.lineshaft.enqueue(kind, null, { queue, ...options });
    return id;
  }

  async function whyOf(id: string): Promise<Reason> {
    const { reasons, subject, name } = await site.lineshaft.why({ job: id });
    expect([subject, name]).toEqual(['job', id]);
    const [first] = reasons;
    if (first === undefined) throw new Error('no reason');
    return first;
  }

  async function codesOf(asked: Promise<Why>): Promise<string[]> {
    return (await asked).reasons.map(({ code }) => code);
  }

  async function running(id: string): Promise<void> {
    await until('it runs', async () => (await site.lineshaft.showJob(id)).state === 'running');
  }

  test('not-due', async () => {
    const queue = await site.queue();
    const id = await enqueue(queue, { delayMs: 3_600_000 });
    expect(await whyOf(id)).toMatchObject({
      code: 'not-due',
      message: expect.stringMatching(/^it is not due before .* UTC \(in 60 min\)$/),
      command: `lineshaft job retry ${id}`,
    });
    expect(await codesOf(site.lineshaft.why({ job: id }))).toEqual(['not-due', 'queue-unserved']);
    const { reasons } = await site.lineshaft.why({ queue });
    expect(reasons).toMatchObject([{ code: 'nothing-waits', details: { later: 1 } }]);
  });

  test('queue-paused', async () => {
    const queue = await site.queue();
    const id = await enqueue(queue);
    await site.work(queue, { handlers: { other: () => 1 } });
    await site.lineshaft.pauseQueue(queue, { until: new Date(Date.now() + 600_000) });
    expect(await whyOf(id)).toMatchObject({
      code: 'queue-paused',
      message: expect.stringMatching(`^queue ${queue} is paused until .*in 10 min`),
      command: `lineshaft queue resume ${queue}`,
    });
    expect(await codesOf(site.lineshaft.why({ job: id }))).toEqual(['queue-paused', 'kind-unknown']);
  });

  test('queue-unserved, kind-unknown, requirements-unmet, build-unserved, needs-unmet', async () => {
    const queue = await site.queue();
    const kind = freshName('kind');
    const builds = defineKinds<Record<string, unknown>>({ [kind]: { pin: 'exact' } });
    const pinned = site.other({ kinds: builds, build: '7.0.0' });
    const slip = await enqueue(queue, {}, `${kind}x`);
    expect((await whyOf(slip)).code).toBe('queue-unserved');
    await site.work(queue, { handlers: { [kind]: () => 1 }, offers: { gpu: 1 }, workerId: `w-${queue}` });
    expect(await whyOf(slip)).toMatchObject({
      code: 'kind-unknown',
      message: expect.stringContaining(`did you mean '${kind}'?`),
    });
    const tagged = await enqueue(queue, { requirements: ['capability=fpga'] }, kind);
    expect(await whyOf(tagged)).toMatchObject({
      code: 'requirements-unmet',
      command: `lineshaft worker -Q ${queue} --tag capability=fpga`,
    });
    const { id } = await pinned.enqueue(kind, null, { queue });
    expect(await whyOf(id)).toMatchObject({
      code: 'build-unserved',
      details: { build: '7.0.0', builds: ['0.0.0'] },
    });
    const needy = await enqueue(queue, { needs: { gpu: 2 } }, kind);
    expect(await whyOf(needy)).toMatchObject({
      code: 'needs-unmet',
      message: `no live worker of queue ${queue} offers gpu=2 (w-${queue}: gpu=1)`,
    });
    const all = await site.lineshaft.why({ queue });
    expect(new Set(all.reasons.map(({ code }) => code))).toEqual(
      new Set(['kind-unknown', 'requirements-unmet', 'build-unserved', 'needs-unmet']),
    );
    expect(await codesOf(site.lineshaft.why({ kind: `${kind}x` }))).toEqual(['kind-unknown']);
  });

  test('concurrency-full, with who runs what and the place in the order', async () => {
    const queue = await site.queue({ concurrency: 2 });
    await site.work(queue, { handlers: { one: held() }, workerId: `w-${queue}` });
    const first = [await enqueue(queue), await enqueue(queue)];
    for (const id of first) await running(id);
    await enqueue(queue);
    const id = await enqueue(queue);
    expect(await whyOf(id)).toMatchObject({
      code: 'concurrency-full',
      message: expect.stringContaining(`w-${queue} 2 (one 2); 1 job of its kind goes before it`),
      command: `lineshaft queue declare ${queue} --concurrency 4`,
      details: { ahead: 1, concurrency: 2 },
    });
    expect(await site.lineshaft.why({ queue })).toMatchObject({
      subject: 'queue',
      reasons: [{ code: 'concurrency-full', jobs: 2 }],
    });
    expect(await whyOf(first[0] ?? '')).toMatchObject({
      code: 'running',
      message: expect.stringMatching(`^it runs on worker w-${queue} since .*\\(attempt 1 of 5\\)$`),
    });
  });

  test('slots-full', async () => {
    const queue = await site.queue();
    await site.work(queue, { handlers: { one: held() }, slots: 1, workerId: `w-${queue}` });
    await running(await enqueue(queue));
    expect(await whyOf(await enqueue(queue))).toMatchObject({
      code: 'slots-full',
      message: expect.stringContaining(`w-${queue} 1 of 1 (one 1)`),
    });
  });

  test('needs-in-use', async () => {
    const queue = await site.queue();
    await site.work(queue, { handlers: { one: held() }, offers: { licence: 3 }, workerId: `w-${queue}` });
    await running(await enqueue(queue, { needs: { licence: 2 } }));
    expect(await whyOf(await enqueue(queue, { needs: { licence: 2 } }))).toMatchObject({
      code: 'needs-in-use',
      message: `it needs licence=2, and that is in use: w-${queue} has licence=1 left (one 1)`,
    });
  });

  test('left-to-others', async () => {
    const queue = await site.queue();
    await site.work(queue, { handlers: { one: () => 1 }, workerId: `plain-${queue}` });
    await site.work(queue, {
      handlers: { one: held() },
      slots: 1,
      tags: ['disk=ssd'],
      workerId: `ssd-${queue}`,
    });
    const wish = { prefers: ['disk=ssd'], preferMs: 3_600_000 };
    await running(await enqueue(queue, wish));
    const id = await enqueue(queue, wish);
    const { reasons } = await site.lineshaft.why({ job: id });
    expect(reasons.map(({ code }) => code)).toEqual(['slots-full', 'left-to-others']);
    expect(reasons[1]?.message).toMatch(
      `it prefers workers with disk=ssd (ssd-${queue}); the others leave it`,
    );
  });

  test('retrying, failed, upgrade-failed, and how it finished', async () => {
    const queue = await site.queue();
    const kind = freshName('kind');
    const upgrade = (): never => {
      throw new Error('no address');
    };
    const newer = site.other({
      kinds: defineKinds<Record<string, unknown>>({ [kind]: { version: 2, upgrade } }),
    });
    const fail = (): never => {
      throw new TypeError('no route');
    };
    const worker = newer.worker({
      ...{ queues: [queue], signals: false, handlers: { [kind]: () => 1, fail, good: () => 1 } },
    });
    await worker.start();
    const retrying = await enqueue(
      queue,
      { backoff: { type: 'fixed', delayMs: 3_600_000, jitter: 0 } },
      'fail',
    );
    const failed = await enqueue(queue, { maxAttempts: 1 }, 'fail');
    const old = await enqueue(queue, {}, kind);
    const good = await enqueue(queue, {}, 'good');
    const cancelled = await enqueue(queue, { delayMs: 60_000 }, 'good');
    await site.lineshaft.cancel([cancelled], 'not wanted');
    for (const [id, state] of [
      [retrying, 'retrying'],
      [failed, 'failed'],
      [old, 'blocked'],
      [good, 'succeeded'],
    ] as const)
      await until(`${id} is ${state}`, async () => (await site.lineshaft.showJob(id)).state === state);
    expect(await whyOf(retrying)).toMatchObject({
      code: 'retrying',
      message: expect.stringMatching(
        /^attempt 1 of 5 failed with TypeError: no route; it is tried again at .*in 60 min/,
      ),
    });
    expect(await whyOf(failed)).toMatchObject({
      code: 'failed',
      message: expect.stringMatching(
        /all its attempts failed \(1 of 1\) with TypeError: no route; it is kept until/,
      ),
    });
    expect(await whyOf(old)).toMatchObject({
      code: 'upgrade-failed',
      message: expect.stringMatching(
        /build 0\.0\.0 could not upgrade its payload of version 1 \(.*no address\)/,
      ),
      command: `lineshaft job retry ${old}`,
    });
    expect(await whyOf(good)).toMatchObject({
      code: 'finished',
      message: expect.stringMatching(/^it succeeded /),
    });
    expect(await whyOf(cancelled)).toMatchObject({
      code: 'finished',
      message: expect.stringMatching(/^it was cancelled .*: not wanted$/),
    });
    await worker.stop();
  });

  test('worker-lost and claimed, from what the worker last said', async () => {
    const queue = await site.queue();
    const id = await enqueue(queue);
    const [row] = await site.rows<{ worker: string }>(
      `insert into lineshaft.worker (worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until, running)
       values ($1, $1, '0.0.0', '{*}', '{one}', '{}', 10, 60000, now() + interval '1 hour', 1) returning id as worker`,
      [`dead-${queue}`],
    );
    await site.rows(
      `with t as (delete from lineshaft.ready where job_id = $2 returning job_id)
       insert into lineshaft.lease (worker, job_ids, fences) select $1, array[job_id, gen_random_uuid()], '{0,0}' from t`,
      [row?.worker, id],
    );
    expect(await whyOf(id)).toMatchObject({
      code: 'claimed',
      message: expect.stringContaining('it holds 2 jobs and ran 1 at its last heartbeat'),
    });
    await site.rows(`update lineshaft.worker set lease_until = now() - interval '5 seconds' where id = $1`, [
      row?.worker,
    ]);
    expect(await whyOf(id)).toMatchObject({
      code: 'worker-lost',
      message: expect.stringContaining('ran out'),
    });
    await site.rows('delete from lineshaft.lease where worker = $1', [row?.worker]);
    await site.rows('delete from lineshaft.worker where id = $1', [row?.worker]);
    expect(await whyOf(id)).toMatchObject({ code: 'running', details: {} });
    await site.rows('delete from lineshaft.job where id = $1', [id]);
  });

  test('next: nothing hinders it', async () => {
    const queue = await site.queue();
    const { slug } = (await site.lineshaft.showQueue(queue)).queue;
    // The row of a worker, without the worker: a real one would have it at once.
    const [row] = await site.rows<{ worker: string }>(
      `insert into lineshaft.worker (worker_id, name, build, tags, kinds, queues, slots, lease_ms, lease_until)
       values ($1, $1, '0.0.0', '{*}', '{one}', array[$2], 10, 60000, now() + interval '1 hour') returning id as worker`,
      [`w-${queue}`, slug],
    );
    await enqueue(queue);
    const id = await enqueue(queue);
    expect(await whyOf(id)).toMatchObject({
      code: 'next',
      message: `nothing hinders it: w-${queue} has room; 1 job of its kind goes before it`,
      details: { ahead: 1 },
    });
    await site.rows('delete from lineshaft.worker where id = $1', [row?.worker]);
  });

  test('circuit-open, and schedule-paused', async () => {
    const queue = await site.queue();
    const kind = freshName('kind');
    await site.lineshaft.openCircuit(kind, { reason: 'the bank is down' });
    await site.work(queue, { handlers: { [kind]: () => 1 } });
    const id = await enqueue(queue, {}, kind);
    expect(await whyOf(id)).toMatchObject({
      code: 'circuit-open',
      message: `the circuit of kind ${kind} is open (the bank is down) until somebody closes it`,
      command: `lineshaft circuit close ${kind}`,
    });
    await site.lineshaft.schedule({ name: `s-${kind}`, kind, cron: '0 3 * * *', options: { queue } });
    await site.lineshaft.pauseSchedule(`s-${kind}`, { reason: 'holidays' });
    expect(await codesOf(site.lineshaft.why({ kind }))).toEqual(['circuit-open', 'schedule-paused']);
    await site.lineshaft.closeCircuit(kind);
    await site.lineshaft.waitFor([id], { timeoutMs: 15_000 });
    expect(await site.lineshaft.why({ queue })).toMatchObject({
      reasons: [
        { code: 'schedule-paused', message: expect.stringMatching(/: holidays$/) },
        { code: 'nothing-waits' },
      ],
    });
  });

  test('limit-full and key-held, with the jobs that hold them; rate-reached, with the time', async () => {
    const queue = await site.queue();
    const name = freshName('limit');
    await site.lineshaft.declareLimit({ name, concurrency: 1, queues: [queue] });
    await site.work(queue, { handlers: { one: held() } });
    const holder = await enqueue(queue);
    await running(holder);
    const id = await enqueue(queue);
    expect(await whyOf(id)).toMatchObject({
      code: 'limit-full',
      message: `limit ${name}, allows 1 at once and 1 are in use: held by ${holder}`,
      command: `lineshaft job show ${holder}`,
    });
    expect(await codesOf(site.lineshaft.why({ queue }))).toEqual(['limit-full']);
    const order = await site.queue();
    await site.lineshaft.declareLimit({ name: `${name}-order`, fifo: true, queues: [order] });
    await site.work(order, { handlers: { one: held() } });
    const first = await enqueue(order);
    await running(first);
    expect(await whyOf(await enqueue(order))).toMatchObject({
      code: 'key-held',
      command: `lineshaft why ${first}`,
    });
    const slow = await site.queue();
    await site.lineshaft.declareLimit({
      name: `${name}-rate`,
      rate: { amount: 1, perMs: 3_600_000 },
      queues: [slow],
    });
    await site.work(slow, { handlers: { one: () => 1 } });
    await site.lineshaft.waitFor([await enqueue(slow)], { timeoutMs: 15_000 });
    expect(await whyOf(await enqueue(slow))).toMatchObject({
      code: 'rate-reached',
      message: expect.stringMatching(/ has room for it at .* UTC \(in \d+ min\)$/),
    });
  });

  test('what does not exist is told, with what was perhaps meant', async () => {
    const queue = await site.queue();
    const kind = freshName('newsletter');
    await enqueue(queue, { delayMs: 60_000 }, kind);
    await expect(site.lineshaft.why({ job: '019b0000-0000-7000-8000-000000000000' })).rejects.toMatchObject({
      code: 'JOB_NOT_FOUND',
    });
    await expect(site.lineshaft.why({ queue: `${queue}0` })).rejects.toMatchObject({
      code: 'QUEUE_NOT_FOUND',
    });
    await expect(site.lineshaft.why({ kind: kind.replace('news', 'nwes') })).rejects.toMatchObject({
      code: 'KIND_NOT_FOUND',
      message: expect.stringContaining('did you mean'),
    });
    expect(await codesOf(site.lineshaft.why({ kind }))).toEqual(['nothing-waits']);
    for (const wrong of [{}, { job: 'x' }, { kind: 'a b' }, { queue, kind }, { jbo: 'x' }, null])
      await expect(site.lineshaft.why(wrong as never)).rejects.toMatchObject({ category: 'invalid' });
  });

  test('with a hundred thousand jobs it looks at few of them', async () => {
    const queue = await site.queue();
    await site.rows(
      `with j as (
         insert into lineshaft.job (id, seq, due, created_at, lane, priority, payload)
         select gen_random_uuid(), nextval('lineshaft.job_seq'), now(), now(),
           lineshaft.lane_of((select id from lineshaft.queue where name = $1), 'many', '{}', 'none', ''), 0, '1'
         from generate_series(1, 100000)
         returning id, seq, due, lane, priority
       )
       insert into lineshaft.ready (due, seq, lane, priority, job_id) select due, seq, lane, priority, id from j`,
      [queue],
    );
    await site.rows('analyze lineshaft.ready');
    const id = await enqueue(queue, {}, 'many');
    expect(await site.lineshaft.why({ job: id })).toMatchObject({ reasons: [{ code: 'queue-unserved' }] });
    expect(await site.lineshaft.why({ queue })).toMatchObject({ reasons: [{ jobs: 1_001 }] });
    await site.work(queue, { handlers: { many: held() } });
    const seen = await until('it is full', async () => {
      const reason = await whyOf(id);
      return reason.code === 'concurrency-full' ? reason : undefined;
    });
    expect(seen).toMatchObject({
      message: expect.stringContaining('more than 10000 jobs of its kind go before it'),
    });
    const plan = await site.rows<{ 'QUERY PLAN': string }>(
      `explain select r.due from lineshaft.ready r where r.lane = 1 order by r.priority desc, r.due, r.seq limit 10001`,
    );
    expect(JSON.stringify(plan)).toContain('ready_order');
    await site.lineshaft.deleteQueue(queue, { purge: true }).catch(() => undefined);
  });
});
