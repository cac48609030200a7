import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { judgeJob, judgeLanes, judgeSchedules } from './why.ts';
import type { HolderFacts, JobFacts, LaneFacts, SceneFacts, WorkerFacts } from './why-facts.ts';
import { judgeNothing } from './why-nothing.ts';

const nowMs = Date.parse('2030-01-31T08:00:00Z');
const queue = {
  ...{ name: 'mail', project: 'default', slug: '1-mail', tags: ['*'] },
  ...{ paused: false, resumeAtMs: undefined, concurrency: 10 },
};
const lane: LaneFacts = {
  ...{ queue, kind: 'send', requirements: [], pin: 'none', build: '', needs: {}, wants: {} },
  ...{ waiting: 3, dueMs: nowMs - 1_000, fullLimits: [] },
};
const worker: WorkerFacts = {
  ...{ workerId: 'w1', build: '2.0.0', tags: ['*'], kinds: ['send', 'resize'], queues: ['1-mail'] },
  ...{ offers: {}, slots: 20, holds: [] },
};
const job: JobFacts = {
  ...{ id: 'ID', state: 'ready', dueMs: nowMs - 1_000, attempt: 0, maxAttempts: 5, rescued: 0 },
  ...{ error: undefined, reason: undefined, detail: {}, sinceMs: undefined, keptUntilMs: undefined },
  ...{ holder: undefined, place: { ahead: 0, perSecond: undefined } },
};
const scene: SceneFacts = { nowMs, workers: [worker], circuits: [] };

function holding(jobs: number, more: Partial<WorkerFacts> = {}, needs = {}): WorkerFacts {
  return { ...worker, ...more, holds: [{ slug: '1-mail', kind: 'send', jobs, needs }] };
}

describe('why jobs that could run now do not', () => {
  test.each<[string, Partial<LaneFacts>, readonly WorkerFacts[], string, string | undefined]>([
    [
      'queue-paused',
      { queue: { ...queue, paused: true } },
      [worker],
      'queue mail is paused',
      'lineshaft queue resume mail',
    ],
    [
      'queue-paused',
      { queue: { ...queue, project: 'shop', paused: true, resumeAtMs: nowMs + 300_000 } },
      [worker],
      'queue mail (project shop) is paused until 2030-01-31 08:05:00 UTC (in 5 min)',
      'lineshaft queue resume mail --project shop',
    ],
    [
      'queue-unserved',
      { queue: { ...queue, tags: ['has=smtp'] } },
      [{ ...worker, queues: [] }],
      'no live worker serves queue mail (its tags: has=smtp; live workers: 1)',
      'lineshaft worker -Q mail --tag has=smtp',
    ],
    [
      'kind-unknown',
      { kind: 'sned' },
      [worker],
      "no live worker of queue mail knows the kind sned; did you mean 'send'?",
      'lineshaft worker -Q mail',
    ],
    [
      'kind-unknown',
      { kind: 'invoice' },
      [worker],
      'no live worker of queue mail knows the kind invoice; they know resize, send',
      'lineshaft worker -Q mail',
    ],
    [
      'requirements-unmet',
      { requirements: ['capability=gpu', '*'] },
      [worker],
      'no live worker of queue mail that knows send has the tags capability=gpu, *',
      'lineshaft worker -Q mail --tag capability=gpu',
    ],
    [
      'build-unserved',
      { pin: 'min', build: '3.0.0' },
      [worker],
      'the job is pinned to build 3.0.0 or a later one, and no live worker of queue mail runs it (they run 2.0.0)',
      'lineshaft worker -Q mail --build 3.0.0',
    ],
    [
      'needs-unmet',
      { needs: { gpu: 2 } },
      [{ ...worker, offers: { gpu: 1 } }],
      'no live worker of queue mail offers gpu=2 (w1: gpu=1)',
      'lineshaft worker -Q mail --offer gpu=2',
    ],
    [
      'needs-in-use',
      { needs: { gpu: 2 } },
      [holding(1, { offers: { gpu: 3 } }, { gpu: 2 })],
      'it needs gpu=2, and that is in use: w1 has gpu=1 left (send 1)',
      'lineshaft worker -Q mail --offer gpu=2',
    ],
    [
      'left-to-others',
      { wants: { prefers: ['disk=ssd'], preferMs: 5_000 } },
      [worker, holding(10, { workerId: 'w2', tags: ['disk=ssd'] })],
      'it prefers workers with disk=ssd (w2); the others leave it to them until 2030-01-31 08:00:04 UTC (in 4 s)',
      undefined,
    ],
    [
      'concurrency-full',
      {},
      [holding(10)],
      'queue mail has a concurrency of 10 for each worker, and it is taken: w1 10 (send 10)',
      'lineshaft queue declare mail --concurrency 20',
    ],
    [
      'slots-full',
      {},
      [{ ...worker, slots: 4, holds: [{ slug: '1-other', kind: 'resize', jobs: 4, needs: {} }] }],
      'the slots of the workers that may run it are taken: w1 4 of 4 (resize 4)',
      'lineshaft worker -Q mail',
    ],
    ['next', {}, [worker], 'nothing hinders jobs of kind send: w1 has room', undefined],
  ])('%s', (code, of, workers, message, command) => {
    const reasons = judgeLanes([{ ...lane, ...of }], { nowMs, workers, circuits: [] });
    expect(reasons.find((reason) => reason.code === code)).toMatchObject({ code, message, command, jobs: 3 });
    expect(JSON.parse(JSON.stringify(reasons))).toEqual(reasons);
  });

  test.each([
    [
      { state: 'open', untilMs: nowMs + 30_000, reason: '12 of 20 attempts failed' },
      'the circuit of kind send is open (12 of 20 attempts failed); jobs are tried at 2030-01-31 08:00:30 UTC (in 30 s)',
    ],
    [{ state: 'open', byHand: true }, 'the circuit of kind send is open until somebody closes it'],
    [
      { state: 'half-open', probing: 3 },
      'the circuit of kind send is half-open: 3 jobs are being tried, the others wait',
    ],
  ] as const)('circuit-open: %j', (of, message) => {
    const circuit = { kind: 'send', untilMs: undefined, reason: undefined, byHand: false, probing: 0, ...of };
    const other = { ...circuit, kind: 'resize' };
    expect(judgeLanes([lane], { ...scene, circuits: [other] }).map(({ code }) => code)).toEqual(['next']);
    expect(judgeLanes([lane], { ...scene, circuits: [circuit] })).toMatchObject([
      { code: 'circuit-open', message, command: 'lineshaft circuit close send', jobs: 3 },
    ]);
    const later = { ...job, state: 'scheduled', dueMs: nowMs + 1_000 } as const;
    const codes = judgeJob(later, lane, { ...scene, circuits: [circuit] }).map(({ code }) => code);
    expect(codes).toEqual(['not-due', 'circuit-open']);
  });

  test.each([
    [
      'limit-full',
      { concurrency: 2, used: 2, holders: ['A', 'B'] },
      'limit api, key acme, allows 2 at once and 2 are in use: held by A, B',
      'lineshaft job show A',
    ],
    [
      'limit-full',
      { concurrency: 5, used: 3, need: 4, project: 'shop', key: '' },
      'limit api (project shop), allows 5 at once and 3 are in use, it takes 4',
      undefined,
    ],
    [
      'rate-reached',
      { perSecond: 10, openMs: nowMs + 2_000 },
      'limit api, key acme, allows 10 a second, and has room for it at 2030-01-31 08:00:02 UTC (in 2 s)',
      undefined,
    ],
    [
      'throttled',
      { closedMs: nowMs + 60_000, concurrency: 1, used: 1 },
      'limit api, key acme, is closed until 2030-01-31 08:01:00 UTC (in 60 s): a job said that it was throttled',
      undefined,
    ],
    [
      'key-held',
      { fifo: true, holder: 'A', concurrency: 1, used: 0 },
      'limit api, key acme, lets jobs run one after the other, and the earlier job A has the key until it is final',
      'lineshaft why A',
    ],
  ] as const)('%s: %j', (code, of, message, command) => {
    const limit = {
      ...{ name: 'api', project: 'default', key: 'acme', used: 0, concurrency: undefined, need: 1 },
      ...{
        perSecond: undefined,
        openMs: undefined,
        closedMs: undefined,
        fifo: false,
        holder: undefined,
        holders: [],
      },
    };
    const limited = { ...lane, fullLimits: [{ ...limit, ...of }] };
    expect(judgeLanes([limited], scene)).toMatchObject([{ code, message, command, jobs: 3 }]);
    expect(judgeJob(job, limited, scene)).toMatchObject([{ code, message, command }]);
  });

  test('schedule-paused', () => {
    const schedule = {
      name: 'nightly',
      project: 'shop',
      kind: 'send',
      sinceMs: nowMs - 60_000,
      reason: 'holidays',
    };
    expect(judgeSchedules([schedule], scene)).toMatchObject([
      {
        code: 'schedule-paused',
        message:
          'schedule nightly, which makes jobs of kind send, is paused since 2030-01-31 07:59:00 UTC (60 s ago): holidays',
        command: 'lineshaft schedule resume nightly --project shop',
        jobs: 0,
      },
    ]);
  });

  test('a worker that is free is enough, whatever keeps the others', () => {
    const workers = [holding(10), { ...worker, workerId: 'w2' }];
    expect(judgeLanes([lane], { nowMs, workers, circuits: [] }).map(({ code }) => code)).toEqual(['next']);
  });

  test('a wish is over when its time is, or when nobody is there who could grant it', () => {
    const wish = { ...lane, wants: { prefers: ['disk=ssd'], preferMs: 500 } };
    const granting = holding(10, { workerId: 'w2', tags: ['disk=ssd'] });
    expect(judgeLanes([wish], { nowMs, workers: [worker, granting], circuits: [] })[0]?.code).toBe('next');
    const patient = { ...lane, wants: { prefers: ['disk=ssd'], preferMs: 60_000 } };
    expect(judgeLanes([patient], scene)[0]?.code).toBe('next');
  });

  test('lanes with the same reason go together, what nobody mends by waiting comes first', () => {
    const unknown = { ...lane, kind: 'sned' };
    const reasons = judgeLanes([lane, unknown, { ...unknown, waiting: 4 }], scene);
    expect(reasons.map(({ code, jobs }) => [code, jobs])).toEqual([
      ['kind-unknown', 7],
      ['next', 3],
    ]);
  });

  test('two reasons are both told: mending one would not help', () => {
    const both = { ...lane, kind: 'sned', queue: { ...queue, paused: true } };
    expect(judgeLanes([both], scene).map(({ code }) => code)).toEqual(['queue-paused', 'kind-unknown']);
  });
});

describe('why one job does not run', () => {
  const holder: HolderFacts = {
    ...{ workerId: 'w1', sinceMs: nowMs - 60_000, leaseUntilMs: nowMs + 9_000, running: 2, held: 2 },
  };
  test.each<[string, Partial<JobFacts>, string, string | undefined]>([
    [
      'not-due',
      { state: 'scheduled', dueMs: nowMs + 3_600_000 },
      'it is not due before 2030-01-31 09:00:00 UTC (in 60 min)',
      'lineshaft job retry ID',
    ],
    [
      'retrying',
      {
        state: 'retrying',
        attempt: 2,
        dueMs: nowMs + 8_000,
        error: { name: 'Error', message: 'no route\nto host' },
      },
      'attempt 2 of 5 failed with Error: no route to host; it is tried again at 2030-01-31 08:00:08 UTC (in 8 s)',
      'lineshaft job retry ID',
    ],
    [
      'upgrade-failed',
      {
        state: 'blocked',
        reason: 'upgrade-failed',
        sinceMs: nowMs - 120_000,
        detail: { build: '2.0.0', from: 1, error: { message: 'no address' } },
      },
      'build 2.0.0 could not upgrade its payload of version 1 (no address); ' +
        'it waits for a build that can since 2030-01-31 07:58:00 UTC (2 min ago)',
      'lineshaft job retry ID',
    ],
    [
      'blocked',
      { state: 'blocked', reason: 'other jobs' },
      'it is blocked: other jobs',
      'lineshaft job retry ID',
    ],
    [
      'running',
      { state: 'running', attempt: 1, holder },
      'it runs on worker w1 since 2030-01-31 07:59:00 UTC (60 s ago) (attempt 2 of 5)',
      'lineshaft job cancel ID',
    ],
    [
      'claimed',
      { state: 'running', holder: { ...holder, sinceMs: nowMs - 400, held: 25, running: 10 } },
      'worker w1 claimed it 400 ms ago and may still hold it in memory: ' +
        'it holds 25 jobs and ran 10 at its last heartbeat',
      undefined,
    ],
    [
      'worker-lost',
      { state: 'running', holder: { ...holder, leaseUntilMs: nowMs - 3_000 } },
      'worker w1, which claimed it 2030-01-31 07:59:00 UTC (60 s ago), is lost: its lease ran out 3 s ago; ' +
        'the job goes back when another worker rescues it',
      'lineshaft worker',
    ],
    [
      'running',
      { state: 'running' },
      'a worker claimed it at this moment, or is writing how it ended',
      'lineshaft job show ID',
    ],
    [
      'failed',
      {
        state: 'failed',
        reason: 'attempts',
        attempt: 5,
        sinceMs: nowMs - 5_000,
        error: { name: 'E', message: 'x' },
      },
      'it failed for good 2030-01-31 07:59:55 UTC (5 s ago): all its attempts failed (5 of 5) with E: x',
      'lineshaft job retry ID',
    ],
    [
      'finished',
      { state: 'succeeded', sinceMs: nowMs - 5_000 },
      'it succeeded 2030-01-31 07:59:55 UTC (5 s ago)',
      'lineshaft job show ID',
    ],
    [
      'finished',
      { state: 'cancelled', reason: 'not wanted', sinceMs: nowMs },
      'it was cancelled 2030-01-31 08:00:00 UTC (now): not wanted',
      'lineshaft job show ID',
    ],
  ])('%s', (code, of, message, command) => {
    expect(judgeJob({ ...job, ...of }, lane, scene)).toMatchObject([{ code, message, command, jobs: 1 }]);
  });

  test.each([
    [0, undefined, 'nothing hinders it: w1 has room'],
    [1, undefined, 'nothing hinders it: w1 has room; 1 job of its kind goes before it'],
    [
      120,
      4,
      'nothing hinders it: w1 has room; 120 jobs of its kind go before it, at the 4.0 a second of the last minute that is 30 s',
    ],
    [
      10_001,
      500,
      'nothing hinders it: w1 has room; more than 10000 jobs of its kind go before it, at the 500 a second of the last minute that is 20 s',
    ],
  ])('next, with %d jobs before it', (ahead, perSecond, message) => {
    const [reason] = judgeJob({ ...job, place: { ahead, perSecond } }, lane, scene);
    expect(reason).toMatchObject({ code: 'next', message, details: { ahead, perSecond: perSecond ?? null } });
  });

  test('a job that is not due also hears of what would hinder it then', () => {
    const later = { ...job, state: 'scheduled', dueMs: nowMs + 1_000 } as const;
    expect(judgeJob(later, { ...lane, kind: 'sned' }, scene).map(({ code }) => code)).toEqual([
      'not-due',
      'kind-unknown',
    ]);
  });

  test('of a long error only the beginning is told', () => {
    const error = { name: 'Error', message: 'x'.repeat(5_000) };
    const [reason] = judgeJob({ ...job, state: 'retrying', attempt: 1, error }, lane, scene);
    expect(reason?.message.length).toBeLessThan(400);
  });
});

test('the page of the documentation has a line for each code', () => {
  const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
  const [, union = ''] = /type ReasonCode =([^;]*);/.exec(read('./why-facts.ts')) ?? [];
  const codes = [...union.matchAll(/'([a-z-]+)'/g)].map(([, code = '']) => code);
  const rows = [...read('../../../../docs/operate/why.md').matchAll(/^\| `([a-z-]+)` \|/gm)].map(
    ([, code]) => code,
  );
  expect(codes.length).toBeGreaterThan(20);
  expect(new Set(rows)).toEqual(new Set(codes));
});

test('nothing-waits says what there is instead', () => {
  const none = { running: 0, blocked: 0, later: 0, nextMs: undefined };
  expect(judgeNothing(none, [queue], scene)).toMatchObject({
    code: 'nothing-waits',
    message: 'no job is ready that does not run',
    command: undefined,
    jobs: 0,
  });
  const some = { running: 2, blocked: 1, later: 7, nextMs: nowMs + 60_000 };
  expect(judgeNothing(some, [{ ...queue, paused: true }], scene)).toMatchObject({
    message:
      'no job is ready that does not run; 2 jobs are claimed or run, 1 job is blocked, ' +
      '7 jobs will be due, the next at 2030-01-31 08:01:00 UTC (in 60 s); queue mail is paused',
    command: 'lineshaft job list --state blocked',
  });
  expect(judgeNothing(none, [{ ...queue, paused: true }], scene).command).toBe('lineshaft queue resume mail');
});
