import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CircuitOptions, Worker, WorkerEvents } from '../../packages/core/src/index.ts';
import { eventOf, freshName, gate, openSite, type Site, until, versions } from './site.ts';

type Change = WorkerEvents['circuit'][0];

const hour = 3_600_000;
const again = { type: 'fixed', delayMs: 20, jitter: 0 } as const;
const quick: CircuitOptions = {
  failureRate: 0.5,
  minAttempts: 5,
  windowMs: 60_000,
  pauseMs: 150,
  pauseFactor: 2,
  pauseLimitMs: 600,
  probes: 2,
};

describe.each(versions)('circuit breakers, on PostgreSQL %i', (version) => {
  let site: Site;
  beforeAll(async () => {
    site = await openSite(version);
  });
  afterAll(() => site.close());

  /** A worker of its own client, with a kind of its own whose service can be up or down. */
  async function service(options: { circuit?: CircuitOptions; kind?: string; queue?: string } = {}) {
    const kind = options.kind ?? freshName('kind');
    const queue = options.queue ?? (await site.queue({ backoff: again, maxAttempts: 1_000, concurrency: 4 }));
    const state = { up: false, calls: 0 };
    const client = site.other();
    client.handle(
      kind,
      () => {
        state.calls += 1;
        if (!state.up) throw new Error('the service is down');
      },
      options.circuit === undefined ? {} : { circuit: options.circuit },
    );
    const worker = client.worker({ queues: [queue], signals: false });
    const changes: Change[] = [];
    worker.on('circuit', (change) => changes.push(change));
    await worker.start();
    return { kind, queue, state, worker, changes };
  }

  async function viewOf(kind: string) {
    return (await site.lineshaft.circuits()).find((circuit) => circuit.kind === kind);
  }

  function put(kind: string, queue: string, count: number) {
    return site.lineshaft.enqueueMany(Array.from({ length: count }, () => ({ kind, queue })));
  }

  function heard(worker: Worker, to: Change['to']): Promise<void> {
    return new Promise((resolve) => {
      const listen = (change: Change): void => {
        if (change.to !== to) return;
        worker.off('circuit', listen);
        resolve();
      };
      worker.on('circuit', listen);
    });
  }

  test('it opens when too many attempts fail, tries a few jobs after each pause, and closes when they succeed', async () => {
    const { kind, queue, state, worker, changes } = await service({ circuit: quick });
    const made = await put(kind, queue, 30);
    await heard(worker, 'open');
    const view = await viewOf(kind);
    expect(view).toMatchObject({ kind, byHand: false, automatic: true, settings: quick });
    await until('it opened again', () => changes.filter(({ to }) => to === 'open').length >= 3);
    state.up = true;
    await site.lineshaft.waitFor(
      made.map(({ id }) => id),
      { timeoutMs: 15_000 },
    );
    await until('it is closed', async () => (await viewOf(kind))?.state === 'closed');
    expect(await viewOf(kind)).toMatchObject({ openings: 0, until: undefined });
    expect(changes[0]).toMatchObject({
      kind,
      from: 'closed',
      to: 'open',
      reason: expect.stringMatching(/attempts failed/),
    });
    expect(changes.at(-1)).toMatchObject({ from: 'half-open', to: 'closed' });
    const moves = new Set(changes.map(({ from, to }) => `${from} ${to}`));
    for (const move of moves) {
      expect(['closed open', 'open half-open', 'half-open open', 'half-open closed']).toContain(move);
    }
    expect(site.log.count(new RegExp(`circuit of '${kind}' is open .*attempts failed`))).toBeGreaterThan(0);
    await worker.stop();
  });

  test('while it is open its jobs are not claimed and burn no attempt, and those of other kinds go on', async () => {
    const { kind, queue, state, worker } = await service({
      circuit: { ...quick, pauseMs: hour, pauseLimitMs: hour },
    });
    const opened = heard(worker, 'open');
    await put(kind, queue, 30);
    await opened;
    const other = site.other();
    const plain = freshName('kind');
    other.handle(plain, () => 'went on');
    const second = other.worker({ queues: [queue], signals: false });
    await second.start();
    await until(
      'nothing runs',
      async () => (await site.lineshaft.listJobs({ queue, state: 'running' })).length === 0,
    );
    const { calls } = state;
    const [job] = await put(plain, queue, 1);
    expect(await site.lineshaft.waitFor([job?.id ?? ''], { timeoutMs: 10_000 })).toMatchObject([
      { output: 'went on' },
    ]);
    // Retries have come due meanwhile: they wait too, and nobody asks for them.
    await until(
      'all wait',
      async () => (await site.lineshaft.listJobs({ queue, state: 'ready' })).length === 30,
    );
    expect(state.calls).toBe(calls);
    state.up = true;
    await site.lineshaft.closeCircuit(kind);
    await until(
      'all are done',
      async () => (await site.lineshaft.listJobs({ queue, state: 'succeeded' })).length === 31,
    );
    await Promise.all([worker.stop(), second.stop()]);
  });

  test('eight workers hand out exactly its probes', async () => {
    const kind = freshName('kind');
    const queue = await site.queue({ backoff: again, maxAttempts: 1_000 });
    const circuit = { ...quick, minAttempts: 20, probes: 3, pauseMs: 200, pauseFactor: 1 };
    const crew = await Promise.all(Array.from({ length: 8 }, () => service({ kind, queue, circuit })));
    const heardOpen = crew.map(({ worker }) => heard(worker, 'open'));
    const made = await put(kind, queue, 100);
    await Promise.all(heardOpen);
    // From here on only probes run, once what ran at the opening has ended: all of them fail, and open it again.
    await until('nothing runs but probes', async () => (await viewOf(kind))?.state === 'half-open');
    const calls = (): number => crew.reduce((sum, { state }) => sum + state.calls, 0);
    const roundOf = async (): Promise<number> => {
      const [row] = await site.rows<{ round: number }>(
        'select round from lineshaft.circuit where kind = $1',
        [kind],
      );
      return row?.round ?? 0;
    };
    const atPause = async (): Promise<{ round: number; calls: number }> =>
      await until('it pauses', async () => {
        const before = await roundOf();
        const view = await viewOf(kind);
        const running = await site.lineshaft.listJobs({ queue, state: 'running' });
        const counted = calls();
        if (view?.state !== 'open' || running.length > 0 || before !== (await roundOf())) return undefined;
        return { round: before, calls: counted };
      });
    const first = await atPause();
    await until('four more rounds', async () => (await roundOf()) >= first.round + 4);
    const last = await atPause();
    const rounds = last.round - first.round;
    expect(rounds).toBeGreaterThanOrEqual(4);
    expect(last.calls - first.calls).toBeLessThanOrEqual(3 * rounds);
    expect(last.calls - first.calls).toBeGreaterThanOrEqual(rounds);
    for (const { state } of crew) state.up = true;
    await site.lineshaft.waitFor(
      made.map(({ id }) => id),
      { timeoutMs: 20_000 },
    );
    await Promise.all(crew.map(({ worker }) => worker.stop()));
  }, 60_000);

  test('it is opened by hand until a time or until it is closed, also for a kind without settings', async () => {
    const { kind, queue, state, worker } = await service();
    state.up = true;
    const opened = heard(worker, 'open');
    expect(await site.lineshaft.openCircuit(kind, { reason: 'the bank is down' })).toMatchObject({
      state: 'open',
      byHand: true,
      until: undefined,
      reason: 'the bank is down',
      automatic: false,
    });
    await opened;
    const [job] = await put(kind, queue, 1);
    const late = await service({ kind, queue });
    late.state.up = true;
    expect((await site.lineshaft.showJob(job?.id ?? '')).state).toBe('ready');
    const closed = heard(worker, 'closed');
    expect(await site.lineshaft.closeCircuit(kind)).toMatchObject({ state: 'closed', byHand: false });
    await closed;
    await site.lineshaft.waitFor([job?.id ?? ''], { timeoutMs: 10_000 });

    const both = [heard(worker, 'open'), heard(late.worker, 'open')];
    await site.lineshaft.openCircuit(kind, { until: new Date(Date.now() + 1_500) });
    await Promise.all(both);
    const made = await put(kind, queue, 5);
    await site.lineshaft.waitFor(
      made.map(({ id }) => id),
      { timeoutMs: 15_000 },
    );
    await until('its probes closed it', async () => (await viewOf(kind))?.state === 'closed');
    await Promise.all([worker.stop(), late.worker.stop()]);
  });

  test('a probe that is put off or given back is handed to another job', async () => {
    const kind = freshName('kind');
    const queue = await site.queue({ concurrency: 1 });
    const client = site.other();
    const ran: unknown[] = [];
    client.handle(kind, (payload, job) => {
      ran.push(payload);
      if (payload === 'later') job.snooze(hour);
    });
    const worker = client.worker({ queues: [queue], signals: false });
    await worker.start();
    await site.lineshaft.setCircuit(kind, { probes: 1 });
    const opened = heard(worker, 'open');
    await site.lineshaft.openCircuit(kind, { until: new Date(Date.now() + 1_000) });
    // Before it has heard of it the worker would run all three.
    await opened;
    const closed = heard(worker, 'closed');
    await site.lineshaft.enqueueMany(['later', 'a', 'b'].map((payload) => ({ kind, queue, payload })));
    await closed;
    await until('the rest ran', () => ran.length === 3);
    expect(ran).toEqual(['later', 'a', 'b']);
    await worker.stop();
  });

  test('what is not retryable says nothing against the service', async () => {
    const kind = freshName('kind');
    const queue = await site.queue();
    const client = site.other();
    client.handle(
      kind,
      () => {
        throw Object.assign(new Error('bad payload'), { retryable: false });
      },
      { circuit: quick },
    );
    const worker = client.worker({ queues: [queue], signals: false });
    await worker.start();
    const made = await put(kind, queue, 20);
    await site.lineshaft.waitFor(
      made.map(({ id }) => id),
      { timeoutMs: 10_000 },
    );
    await worker.stop();
    expect(await viewOf(kind)).toMatchObject({ state: 'closed', attempts: 20, failures: 0 });
  });

  test('settings are data: they go before those of the code, and a reset brings those back', async () => {
    const { kind, worker } = await service({ circuit: quick });
    expect(await site.lineshaft.setCircuit(kind, { probes: 7 })).toMatchObject({
      settings: { ...quick, probes: 7 },
    });
    await site.lineshaft.openCircuit(kind);
    expect(await viewOf(kind)).toMatchObject({ state: 'open', settings: { ...quick, probes: 7 } });
    expect(await site.lineshaft.resetCircuit(kind)).toMatchObject({ state: 'closed', settings: quick });
    expect(await site.lineshaft.setCircuit(kind, { enabled: false })).toMatchObject({ automatic: false });
    await worker.stop();
  });

  test('a worker that was stopped in the middle of a probe does not keep it', async () => {
    const kind = freshName('kind');
    const queue = await site.queue();
    const started = gate();
    const first = site.other();
    first.handle(kind, () => {
      started.open();
      return new Promise(() => {});
    });
    const stuck = first.worker({ queues: [queue], signals: false, graceMs: 10 });
    await stuck.start();
    await site.lineshaft.setCircuit(kind, { probes: 1 });
    await site.lineshaft.openCircuit(kind, { until: new Date(Date.now() + 100) });
    await put(kind, queue, 1);
    await started.opened;
    await stuck.stopNow();
    const second = await service({ kind, queue });
    second.state.up = true;
    await until('the other worker tried it', () => second.state.calls === 1);
    await until('it is closed', async () => (await viewOf(kind))?.state === 'closed');
    await second.worker.stop();
  });

  test('wrong settings are refused with their field, in TypeScript and in SQL', async () => {
    const wrong: [object, RegExp][] = [
      [{ failureRate: 0 }, /circuit\.failureRate must be a number/],
      [{ minAttempts: 0 }, /circuit\.minAttempts must be a whole number from 1/],
      [{ pauseMs: 5_000, pauseLimitMs: 10 }, /circuit\.pauseLimitMs must be/],
      [{ probes: 'all' }, /circuit\.probes must be a whole number/],
      [{ treshold: 1 }, /circuit\.treshold/],
    ];
    const statement = 'insert into lineshaft.circuit (kind, settings) values ($1, $2)';
    for (const [options, message] of wrong) {
      await expect(site.lineshaft.setCircuit('x', options as CircuitOptions)).rejects.toThrow(message);
      await expect(site.rows(statement, ['x', JSON.stringify(options)])).rejects.toThrow(message);
      const client = site.other();
      expect(() => client.handle('x', () => 1, { circuit: options as CircuitOptions })).toThrow(
        new RegExp(message.source.replace('circuit', "handle\\('x'\\)\\.circuit")),
      );
    }
    await expect(site.lineshaft.openCircuit('not a kind')).rejects.toThrow(/kind must be/);
    await expect(site.lineshaft.openCircuit('x', { until: 'soon' })).rejects.toThrow(
      /until must be a valid Date/,
    );
    await site.lineshaft.setCircuit('send-email', {});
    await expect(site.lineshaft.closeCircuit('send-mail')).rejects.toMatchObject({
      code: 'CIRCUIT_NOT_FOUND',
      message: expect.stringContaining('send-email'),
    });
  });

  test('a worker hears of a change that it was not told of, with its heartbeat', async () => {
    const { kind, queue, state, worker } = await service({ circuit: quick });
    state.up = true;
    await until('it has seen the settings once', async () => {
      const text = 'select 1 from lineshaft.worker where worker_id = $1 and heartbeat_at > started_at';
      return (await site.rows(text, [worker.id])).length > 0;
    });
    await site.lineshaft.waitFor([(await put(kind, queue, 1))[0]?.id ?? '']);
    const opened = eventOf(worker, 'circuit');
    await site.rows(
      "update lineshaft.circuit set state = 'open', round = 1, version = version + 1, told = told + 1 where kind = $1",
      [kind],
    );
    expect(await opened).toMatchObject({ kind, to: 'open', until: undefined });
    const [job] = await put(kind, queue, 1);
    await site.lineshaft.closeCircuit(kind);
    await site.lineshaft.waitFor([job?.id ?? ''], { timeoutMs: 10_000 });
    await worker.stop();
  });
});
