/** Polls that are answered ahead of the framework: every rule holds as it does for those that it answers. */

import type { Log, PolledStep, PollRequest, Workflows } from '@lineshaft/core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { LineshaftError } from '../../packages/core/src/index.ts';
import { sampleRun, sampleStep } from '../dialects/conductor/dialect-site.ts';
import { until } from '../worker/site.ts';
import { dial, everything, type HttpSite, openHttpSite, raw } from './http-site.ts';

let http: HttpSite;
const asked: PollRequest[] = [];
const givenBack: string[] = [];
/** What polls of a kind answer. */
let answers: Record<string, (request: PollRequest) => PolledStep[] | Promise<PolledStep[]>> = {};

const workflows = {
  confirmPoll() {},
  poll(request: PollRequest) {
    asked.push(request);
    return Promise.resolve(answers[request.kind]?.(request) ?? []);
  },
  giveBack: async (ids: readonly string[]) => givenBack.push(...ids),
} as unknown as Workflows;

const lines: { level: string; message: string; fields: Record<string, unknown> }[] = [];
const at =
  (level: string) =>
  (message: string, fields: Record<string, unknown> = {}): void => {
    lines.push({ level, message, fields });
  };
const log: Log = { debug: at('debug'), info: at('info'), warn: at('warn'), error: at('error') };

beforeAll(async () => {
  http = await openHttpSite({ workflows, log });
});
beforeEach(() => {
  answers = {};
  asked.length = 0;
  lines.length = 0;
});
afterAll(() => http.close());

/** Whether the request went past the framework, which makes AbortSignals. */
const short = ({ signal }: PollRequest): boolean => !(signal instanceof AbortSignal);

async function get(path: string, headers: Record<string, string> = {}, url = http.url) {
  const answer = await fetch(url + path, { headers });
  const { date: _date, ...told } = Object.fromEntries(answer.headers);
  return { status: answer.status, headers: told, body: await answer.text() };
}

/** Asks until it went the short way: whether keys are demanded is asked of the database now and then. */
async function getShort(path: string, headers: Record<string, string> = {}, url = http.url) {
  return await until('it goes the short way', async () => {
    asked.length = 0;
    lines.length = 0;
    const answer = await get(path, headers, url);
    return asked.length === 1 && asked.every(short) && answer;
  });
}

const polled = (): PolledStep => ({ step: sampleStep(), run: sampleRun() });
const id = { 'x-request-id': 'mine' };

describe.each(['/api/tasks/poll/', '/api/task/poll/'])('%s', (root) => {
  it.each([
    ['batch/kind', { workerId: '', count: 1, timeoutMs: 100 }],
    ['batch/kind?', { workerId: '', count: 1, timeoutMs: 100 }],
    [
      'batch/kind?workerid=w-1.example:7&count=7&timeout=250',
      { workerId: 'w-1.example:7', count: 7, timeoutMs: 250 },
    ],
    ['batch/kind?count=5000&timeout=&workerid', { workerId: '', count: 1_000, timeoutMs: 100 }],
    ['batch/kind?domain=&other=1&count=2&count=3', { workerId: '', domain: '', count: 3, timeoutMs: 100 }],
    ['batch/kind?domain=a=b&&timeout=60000', { workerId: '', domain: 'a=b', count: 1, timeoutMs: 60_000 }],
    ['a.b:c@d~e-f_g?workerid=w&domain=eu', { workerId: 'w', domain: 'eu', count: 1, timeoutMs: 100 }],
  ])('answers %s as the framework does', async (path, wanted) => {
    const kind = path.replace('batch/', '').split('?')[0] ?? '';
    // What has to be decoded goes the long way.
    const long = path.includes('?') ? `${path}&%78=` : `${path}?%78=`;
    for (const given of [[], [polled()]]) {
      answers = { [kind]: () => given };
      const answered = [await getShort(root + path, id), await get(root + long, id)];
      expect(answered[0]).toEqual(answered[1]);
      expect(asked.map(short)).toEqual([true, false]);
      for (const request of asked)
        expect(request).toEqual({ kind, signal: expect.anything(), confirm: true, ...wanted });
    }
  });

  it.each([
    ['batch/kind?count=-1', 400],
    ['batch/kind?count=x', 400],
    ['batch/kind?timeout=60001', 400],
    ['batch/kind?timeout=1e2', 200],
    ['batch/kind?count=0', 200],
    ['batch/ki%00nd', 400],
    ['batch/ki%zznd', 400],
    [`batch/${'k'.repeat(2_001)}`, 400],
    ['batch/a/b', 404],
    ['batch/', 200],
    [`batch/${'k'.repeat(201)}`, 200],
    [`batch/kind?workerid=${'w'.repeat(501)}`, 200],
    ['batch/kind+x?workerid=a+b', 200],
  ])('leaves %s to the framework', async (path, status) => {
    const answer = await get(root + path);
    expect(answer.status).toBe(status);
    expect(asked.some(short)).toBe(false);
  });
});

describe('each rule', () => {
  it('a request has an id: its own, or a new one', async () => {
    expect((await getShort('/api/tasks/poll/batch/x', id)).headers['x-request-id']).toBe('mine');
    const { headers } = await getShort('/api/tasks/poll/batch/x', { 'x-request-id': 'no id' });
    expect(headers['x-request-id']).toMatch(/^[0-9a-f-]{36}$/);
  });

  it('is logged at debug, without its query, with the key of its caller', async () => {
    await getShort('/api/tasks/poll/batch/x?workerid=secret', id);
    const told = await until('it is logged', () => lines.find(({ message }) => message.includes('/batch/x')));
    expect(told).toEqual({
      level: 'debug',
      message: 'GET /api/tasks/poll/batch/x 200',
      fields: { ms: expect.any(Number), requestId: 'mine' },
    });
  });

  it('is counted with those that the framework answers', async () => {
    const labels = 'method="GET",route="/api/tasks/poll/batch/:tasktype"';
    const samples = [
      `lineshaft_http_requests_total{${labels},status="200"} `,
      `lineshaft_http_request_duration_seconds_count{${labels}} `,
    ];
    const count = async (): Promise<number[]> => {
      const found = (await get('/metrics')).body.split('\n');
      return samples.map((sample) => {
        const line = found.find((each) => each.startsWith(sample));
        return Number(line?.slice(sample.length) ?? 0);
      });
    };
    await getShort('/api/tasks/poll/batch/x');
    // Those before are all counted by now: they are when their connections are free again.
    const before = await count();
    await getShort('/api/tasks/poll/batch/x');
    await get('/api/tasks/poll/batch/%78');
    expect(asked.map(short)).toEqual([true, false]);
    await until('both are counted', async () =>
      (await count()).every((n, place) => n >= (before[place] ?? 0) + 2),
    );
    expect((await get('/metrics')).body).toMatch(/lineshaft_http_requests_in_flight 1\b/);
  });

  it('what is thrown is answered in the shape of the dialect', async () => {
    answers = {
      bad: () => {
        throw new LineshaftError('OPTION_INVALID', { message: 'refused', details: {} });
      },
      worse: () => Promise.reject(new Error('nobody expected this')),
    };
    for (const kind of ['bad', 'worse']) {
      const ours = await getShort(`/api/tasks/poll/batch/${kind}`, id);
      expect(await get(`/api/tasks/poll/batch/${kind}?%78`, id)).toEqual(ours);
      expect(asked.map(short)).toEqual([true, false]);
    }
    const told = lines.filter(({ level }) => level === 'error');
    expect(told.map(({ fields }) => fields)).toEqual([{ requestId: 'mine' }, { requestId: 'mine' }]);
  });

  it('pages of other sites may not, and keys are demanded as soon as there is one', async () => {
    expect((await get('/api/tasks/poll/batch/x', { 'sec-fetch-site': 'cross-site' })).status).toBe(403);
    const { server, url } = await http.other();
    const { keyId, keySecret } = await http.site.lineshaft.apiKeys.create({ name: 'one' });
    await until(
      'a key is demanded',
      async () => (await get('/api/tasks/poll/batch/x', {}, url)).status === 401,
    );
    const mine = { authorization: `Bearer ${keySecret}` };
    expect((await getShort('/api/tasks/poll/batch/x', mine, url)).status).toBe(200);
    const told = await until('it is logged', () => lines.find(({ message }) => message.includes('/batch/x')));
    expect(told.fields).toMatchObject({ key: keyId });
    await http.site.lineshaft.apiKeys.revoke(keyId);
    await until('it has gone', async () => (await get('/api/tasks/poll/batch/x', {}, url)).status === 200);
    await server.stop();
  });

  it('what nobody received is given back', async () => {
    const waits = Promise.withResolvers<PolledStep[]>();
    answers = { gone: () => waits.promise };
    await getShort('/api/tasks/poll/batch/x');
    asked.length = 0;
    const controller = new AbortController();
    const gone = fetch(`${http.url}/api/tasks/poll/batch/gone?timeout=60000`, { signal: controller.signal });
    gone.catch(() => undefined);
    const request = await until('it waits', () => asked[0]);
    expect(short(request)).toBe(true);
    controller.abort();
    await until('it is known to have gone', () => request.signal?.aborted);
    const given = polled();
    waits.resolve([given]);
    await until('it is given back', () => givenBack.includes(given.step.id));
  });

  it('requests on one connection are answered in their order, also where the ways differ', async () => {
    const { port } = http;
    const line = (kind: string): string => `GET /api/tasks/poll/batch/${kind} HTTP/1.1\r\nHost: x\r\n`;
    answers = {
      slow: () => new Promise((resolve) => setImmediate(() => resolve([polled()]))),
    };
    await getShort('/api/tasks/poll/batch/x');
    const said = await raw(
      port,
      `${line('slow')}x-request-id: first\r\n\r\n${line('%78')}x-request-id: second\r\n\r\n`,
      `${line('x')}x-request-id: third\r\nConnection: close\r\n\r\n`,
    );
    expect([...said.matchAll(/x-request-id: (\w+)/g)].map(([, name]) => name)).toEqual([
      'first',
      'second',
      'third',
    ]);
  });

  it('a stop answers what waits, and says that the connection ends', async () => {
    const { server, port, url } = await http.other();
    answers = {
      waits: ({ signal }) =>
        new Promise((resolve) => {
          if (signal?.aborted) resolve([]);
          else signal?.addEventListener('abort', () => resolve([]), { once: true });
        }),
    };
    await getShort('/api/tasks/poll/batch/x', {}, url);
    asked.length = 0;
    const socket = await dial(port);
    const said = everything(socket);
    socket.write('GET /api/tasks/poll/batch/waits?timeout=60000 HTTP/1.1\r\nHost: x\r\n\r\n');
    const request = await until('it waits', () => asked[0]);
    expect(short(request)).toBe(true);
    await server.stop();
    expect(await said).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*connection: close\r\n[\s\S]*\[\]$/i);
  });
});
