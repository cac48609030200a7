/** How a server ends: what waits is answered, what runs is finished, nothing is cut; and how others go on beside it. */

import { Agent, request as httpRequest } from 'node:http';
import type { PollRequest, Workflows } from '@lineshaft/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { until } from '../worker/site.ts';
import { dial, everything, type HttpSite, openHttpSite } from './http-site.ts';

let http: HttpSite;
/** Polls that wait, and requests that are held. */
const polls = new Set<PollRequest>();
let hold: PromiseWithResolvers<void> | undefined;

/** Workflows in which every poll waits until its signal, and a list takes as long as the test wants. */
const waiting = {
  poll(request: PollRequest) {
    polls.add(request);
    return new Promise((resolve) => {
      const end = (): void => {
        polls.delete(request);
        resolve([]);
      };
      if (request.signal?.aborted) end();
      else request.signal?.addEventListener('abort', end, { once: true });
    });
  },
  async listTasks() {
    await hold?.promise;
    return [];
  },
} as unknown as Workflows;

beforeAll(async () => {
  http = await openHttpSite({ workflows: waiting });
});

afterAll(async () => {
  await http.close();
});

const longPoll = (url: string): Promise<Response> => fetch(`${url}/api/tasks/poll/batch/x?timeout=60000`);

it('long polls are answered at once with nothing, and a request that runs is finished', async () => {
  const { server, url, port } = await http.other();
  hold = Promise.withResolvers();
  const open = [longPoll(url), longPoll(url), longPoll(url)];
  const slow = fetch(`${url}/api/metadata/taskdefs`);
  const idle = await dial(port);
  idle.write('GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n');
  const idleSaid = everything(idle);
  await until('all have arrived', async () => {
    const text = await (await fetch(`${url}/metrics`)).text();
    return polls.size === 3 && /lineshaft_http_requests_in_flight 5/.test(text);
  });
  const stopped = server.stop();
  for (const answer of await Promise.all(open)) {
    expect(answer.status).toBe(200);
    expect(await answer.json()).toEqual([]);
  }
  expect(polls.size).toBe(0);
  // An idle connection is closed, a new one refused; the request that runs is not hurt by either.
  expect(await idleSaid).toMatch(/^HTTP\/1\.1 200 OK/);
  await expect(fetch(`${url}/healthz`)).rejects.toThrow(TypeError);
  hold.resolve();
  const answer = await slow;
  expect(answer.status).toBe(200);
  expect(await answer.json()).toEqual([]);
  await stopped;
});

it('an answer that is given while it stops says that no more can be asked on its connection', async () => {
  const { server, url, port } = await http.other();
  hold = Promise.withResolvers();
  const socket = await dial(port);
  const said = everything(socket);
  socket.write('GET /api/metadata/taskdefs HTTP/1.1\r\nHost: x\r\n\r\n');
  await until('it has arrived', async () => /in_flight 2/.test(await (await fetch(`${url}/metrics`)).text()));
  const stopped = server.stop();
  hold.resolve();
  expect(await said).toMatch(/^HTTP\/1\.1 200 OK[\s\S]*connection: close[\s\S]*\[\]$/i);
  await stopped;
});

it('stopNow cuts what runs, and stop afterwards is over at once', async () => {
  const { server, url } = await http.other();
  hold = Promise.withResolvers();
  const slow = fetch(`${url}/api/metadata/taskdefs`);
  slow.catch(() => undefined);
  await until('it has arrived', async () => /in_flight 2/.test(await (await fetch(`${url}/metrics`)).text()));
  await server.stopNow();
  await expect(slow).rejects.toThrow(TypeError);
  await server.stop();
  hold.resolve();
});

it('a client that goes away ends its poll', async () => {
  const controller = new AbortController();
  const gone = fetch(`${http.url}/api/tasks/poll/batch/x?timeout=60000`, { signal: controller.signal });
  gone.catch(() => undefined);
  await until('it waits', () => polls.size === 1);
  controller.abort();
  await until('it waits no more', () => polls.size === 0);
});

it('connections are kept for many requests', async () => {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const sockets = new Set<unknown>();
  for (let n = 0; n < 20; n += 1) {
    await new Promise<void>((resolve, reject) => {
      const sent = httpRequest(`${http.url}/healthz`, { agent }, (answer) => {
        sockets.add(answer.socket);
        answer.resume().on('end', resolve);
      });
      sent.on('error', reject).end();
    });
  }
  expect(sockets.size).toBe(1);
  agent.destroy();
});

it('a server that stops leaves the others be', async () => {
  const { server, url } = await http.other();
  const mine = longPoll(url);
  const theirs = longPoll(http.url);
  await until('both wait', () => polls.size === 2);
  await server.stop();
  expect(await (await mine).json()).toEqual([]);
  expect(polls.size).toBe(1);
  await http.server.stop();
  expect(await (await theirs).json()).toEqual([]);
});

it('a server does not take the port of another', async () => {
  const { port } = await http.other();
  await expect(http.other({ port })).rejects.toMatchObject({
    code: 'ADDRESS_UNAVAILABLE',
    message: expect.stringContaining('--port'),
  });
  await expect(http.other({ host: '192.0.2.1' })).rejects.toMatchObject({ code: 'KEYS_MISSING' });
  await expect(http.other({ host: 'no-such-host.invalid' })).rejects.toMatchObject({
    code: 'ADDRESS_UNAVAILABLE',
  });
});
