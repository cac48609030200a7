import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { compareForSure, type Pair } from './run.ts';
import type { Scenario } from './scenarios/index.ts';

const running: Server[] = [];

afterEach(async () => {
  await Promise.all(running.splice(0).map((server) => new Promise((resolve) => server.close(resolve))));
});

/** Answers each path with what the table says; paths that it does not have with `same`. */
async function serverOf(table: Readonly<Record<string, unknown>>): Promise<string> {
  const server = createServer(({ url = '' }, response) => {
    response.setHeader('content-type', 'application/json').end(JSON.stringify(table[url] ?? 'same'));
  });
  running.push(server);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

/** Pairs in which our server says other things than theirs: a table for each time. */
function pairs(...tables: readonly Readonly<Record<string, unknown>>[]) {
  let started = 0;
  const fresh = async (): Promise<Pair> => {
    const ours = await serverOf(tables[started] ?? {});
    started += 1;
    return { theirs: await serverOf({}), ours };
  };
  return { fresh, started: () => started };
}

const scenario = (name: string): Scenario => ({
  name,
  run: async (talk) => {
    await talk.get(`/${name}`);
  },
});
const both = [scenario('a'), scenario('b')];
const known = { scenario: 'b', call: 'GET /b', at: 'body', reason: 'meant' };

test('conversations that say what is known are held once', async () => {
  const { fresh, started } = pairs({ '/b': 'other' });
  expect(await compareForSure(both, [known], fresh)).toEqual({ unknown: [], unmet: [] });
  expect(started()).toBe(1);
});

test('what does not show again with fresh servers was a race, and one that is missing too', async () => {
  const { fresh, started } = pairs({ '/a': 'raced' }, { '/b': 'other' });
  expect(await compareForSure(both, [known], fresh)).toEqual({ unknown: [], unmet: [] });
  expect(started()).toBe(2);
});

test('what shows three times is new, and what never shows is missing', async () => {
  const always = { '/a': 'other' };
  const { fresh, started } = pairs(always, always, always);
  const { unknown, unmet } = await compareForSure(both, [known], fresh);
  expect(unknown).toEqual([{ scenario: 'a', call: 'GET /a', at: 'body', theirs: 'same', ours: 'other' }]);
  expect(unmet).toEqual([known]);
  expect(started()).toBe(3);
});

test('a conversation that ends early is new, also where both do', async () => {
  const broken: Scenario = { name: 'a', run: () => Promise.reject(new Error('nobody answers')) };
  const { unknown } = await compareForSure([broken], [], pairs().fresh);
  expect(unknown).toMatchObject([{ scenario: 'a', at: 'error', theirs: 'nobody answers' }]);
});
