/** Who gets in: each way to say who one is, against every route that there is. */

import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { createServer, type ServerOptions } from '../../packages/server/src/index.ts';
import { until } from '../worker/site.ts';
import { type HttpSite, openHttpSite } from './http-site.ts';

let http: HttpSite;

beforeAll(async () => {
  http = await openHttpSite();
});

afterAll(async () => {
  await http.close();
});

const keys = () => http.site.lineshaft.apiKeys;

async function get(path: string, headers: Record<string, string> = {}, url = http.url) {
  const answer = await fetch(url + path, { headers });
  return { status: answer.status, headers: answer.headers, body: await answer.text() };
}

async function token(keyId: string, keySecret: string, url = http.url) {
  const answer = await fetch(`${url}/api/token`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ keyId, keySecret }),
  });
  return { status: answer.status, body: (await answer.json()) as Record<string, string> };
}

/** Servers hear of changes by notification: a moment after. */
async function demands(wanted: boolean, url = http.url): Promise<void> {
  await until(`a key is ${wanted ? '' : 'not '}demanded`, async () => {
    const { status } = await get('/metrics', {}, url);
    return (status === 401) === wanted;
  });
}

beforeEach(async () => {
  for (const { keyId } of await keys().list()) await keys().revoke(keyId);
  await demands(false);
});

describe('without keys', () => {
  it('a server on loopback serves everybody, whatever they say of themselves', async () => {
    expect((await get('/metrics')).status).toBe(200);
    expect((await get('/metrics', { authorization: 'Bearer left-over' })).status).toBe(200);
  });

  it('pages of other sites may not use the browser of who works here', async () => {
    const answer = await get('/metrics', { 'sec-fetch-site': 'cross-site' });
    expect(answer).toMatchObject({ status: 403, body: expect.stringContaining('NOT_ALLOWED') });
    expect((await get('/metrics', { 'sec-fetch-site': 'same-origin' })).status).toBe(200);
  });

  it('a server beyond loopback does not start, and starts with one', async () => {
    const open = (): Promise<unknown> => http.other({ host: '0.0.0.0' });
    await expect(open()).rejects.toMatchObject({ code: 'KEYS_MISSING', message: /lineshaft token create/ });
    await keys().create({ name: 'first' });
    const { url } = await http.other({ host: '0.0.0.0' });
    expect((await get('/metrics', {}, url.replace('0.0.0.0', '127.0.0.1'))).status).toBe(401);
  });

  it('a server beyond loopback demands one also when the last is revoked', async () => {
    const { keyId } = await keys().create({ name: 'only' });
    const { url } = await http.other({ host: '0.0.0.0' });
    await keys().revoke(keyId);
    await demands(false);
    expect((await get('/metrics', {}, url.replace('0.0.0.0', '127.0.0.1'))).status).toBe(401);
  });
});

describe('with a key', () => {
  it('each way to show it opens every route, and nothing else does', async () => {
    const { url } = await http.other();
    const mine = await keys().create({ name: 'mine' });
    const gone = await keys().create({ name: 'gone' });
    const { body: given } = await token(mine.keyId, mine.keySecret);
    const { body: dead } = await token(gone.keyId, gone.keySecret);
    await keys().revoke(gone.keyId);
    await demands(true, url);
    const basic = (id: string, secret: string): string =>
      `Basic ${Buffer.from(`${id}:${secret}`).toString('base64')}`;
    const ways: [string, Record<string, string>, boolean][] = [
      ['a token', { 'x-authorization': given['token'] ?? '' }, true],
      ['a token as bearer', { authorization: `Bearer ${given['token']}` }, true],
      ['the secret', { authorization: `Bearer ${mine.keySecret}` }, true],
      ['the secret in the own header', { 'x-authorization': `Bearer ${mine.keySecret}` }, true],
      ['id and secret', { authorization: basic(mine.keyId, mine.keySecret) }, true],
      ['nothing', {}, false],
      ['a secret under another id', { authorization: basic(gone.keyId, mine.keySecret) }, false],
      ['a token of a key that was revoked', { 'x-authorization': dead['token'] ?? '' }, false],
      ['a key that was revoked', { authorization: `Bearer ${gone.keySecret}` }, false],
      ['another scheme', { authorization: `Digest ${mine.keySecret}` }, false],
      ['the id alone', { authorization: `Bearer ${mine.keyId}` }, false],
    ];
    const routes = http.server.routes().filter(({ config }) => config['open'] !== true);
    expect(routes.length).toBeGreaterThan(0);
    for (const [what, headers, opens] of ways) {
      for (const { method, url: path } of routes) {
        const answer = await fetch(url + path.replaceAll(/:\w+/g, 'x'), { method, headers });
        await answer.body?.cancel();
        // So many wrong ones in a row are soon not looked at any more.
        const shut = answer.status === 401 || (!opens && answer.status === 429);
        expect(`${method} ${path} with ${what}: ${shut ? 'shut' : 'open'}`).toBe(
          `${method} ${path} with ${what}: ${opens ? 'open' : 'shut'}`,
        );
      }
    }
  }, 120_000);

  it('a path that is no route tells nothing either', async () => {
    await keys().create({ name: 'x' });
    await demands(true);
    expect((await get('/api/nowhere')).status).toBe(401);
  });

  it('health and readiness need none', async () => {
    await keys().create({ name: 'x' });
    await demands(true);
    expect((await get('/healthz')).status).toBe(200);
    expect([200, 503]).toContain((await get('/readyz')).status);
  });

  it('the answer to none is in the shape of the dialect, with what SDKs look at', async () => {
    await keys().create({ name: 'x' });
    await demands(true);
    const answer = await get('/api/metadata/workflow', { 'x-authorization': 'lst_old' });
    expect(JSON.parse(answer.body)).toMatchObject({
      status: 401,
      code: 'UNAUTHENTICATED',
      error: 'EXPIRED_TOKEN',
      retryable: false,
    });
  });

  it('one that has expired opens nothing, and still is demanded', async () => {
    const { keySecret } = await keys().create({ name: 'short', expiresInMs: 1_000 });
    await demands(true);
    await until('it has expired', async () => {
      const { status } = await get('/metrics', { authorization: `Bearer ${keySecret}` });
      return status === 401;
    });
    expect(await keys().any()).toBe(true);
    await demands(true);
  });

  it('a token holds at every server, also one that starts later', async () => {
    const { keyId, keySecret } = await keys().create({ name: 'x' });
    const { body } = await token(keyId, keySecret);
    const { url } = await http.other();
    expect((await get('/metrics', { 'x-authorization': body['token'] ?? '' }, url)).status).toBe(200);
  });

  it('its last use is known to the minute', async () => {
    const { keyId, keySecret } = await keys().create({ name: 'x' });
    await demands(true);
    const used = async () => (await keys().list()).find((key) => key.keyId === keyId)?.lastUsedAt;
    expect(await used()).toBeUndefined();
    await get('/metrics', { authorization: `Bearer ${keySecret}` });
    expect(await used()).toBeInstanceOf(Date);
  });

  it('neither secrets nor tokens are in the database', async () => {
    const { keyId, keySecret } = await keys().create({ name: 'x' });
    const { body } = await token(keyId, keySecret);
    const rows = await http.site.rows<{ text: string }>(
      'select k::text || t::text as text from lineshaft.api_key k join lineshaft.api_token t using (key_id)',
    );
    expect(rows).toHaveLength(1);
    expect(rows[0]?.text).not.toContain(keySecret.slice(4));
    expect(rows[0]?.text).not.toContain(body['token']?.slice(4));
  });
});

describe('wrong keys', () => {
  it('are refused by /api/token, and soon slowly', async () => {
    const { url } = await http.other();
    const { keyId, keySecret } = await keys().create({ name: 'x' });
    const wrong = (): Promise<{ status: number }> => token(keyId, `${keySecret}x`, url);
    const first = await wrong();
    expect(first).toMatchObject({ status: 401, body: { code: 'UNAUTHENTICATED' } });
    const statuses = [];
    for (let n = 0; n < 20; n += 1) statuses.push((await wrong()).status);
    expect(statuses).toContain(429);
    const answer = await fetch(`${url}/api/token`, {
      method: 'POST',
      body: JSON.stringify({ keyId, keySecret: 'y' }),
    });
    expect(answer.status).toBe(429);
    expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(0);
  });

  it('of others do not shut out who is known', async () => {
    const { url } = await http.other();
    const { keySecret } = await keys().create({ name: 'x' });
    await demands(true, url);
    const right = { authorization: `Bearer ${keySecret}` };
    expect((await get('/metrics', right, url)).status).toBe(200);
    const statuses = [];
    for (let n = 0; n < 20; n += 1) {
      statuses.push((await get('/metrics', { authorization: `Bearer wrong-${n}` }, url)).status);
    }
    expect(statuses).toContain(429);
    expect((await get('/metrics', right, url)).status).toBe(200);
  });

  it('that are no texts are refused with their place', async () => {
    for (const body of ['{}', '{"keyId":"x"}', '[]', 'null', '{"keyId":{},"keySecret":[]}', '']) {
      const answer = await fetch(`${http.url}/api/token`, {
        method: 'POST',
        body,
        headers: { 'content-type': 'application/json' },
      });
      expect(`${body} ${answer.status}`).toBe(`${body} 400`);
      expect(await answer.json()).toMatchObject({
        status: 400,
        validationErrors: [{ path: expect.stringContaining('body') }],
      });
    }
  });
});

describe('keys', () => {
  it('are checked when they are made and revoked', async () => {
    await expect(keys().create({ name: '' })).rejects.toMatchObject({ code: 'OPTION_INVALID' });
    await expect(keys().create({ name: 'x', expiresInMs: 10 })).rejects.toMatchObject({
      code: 'OPTION_INVALID',
    });
    const { keyId } = await keys().create({ name: 'x' });
    await expect(keys().revoke(`${keyId.slice(0, -1)}_`)).rejects.toMatchObject({
      code: 'KEY_NOT_FOUND',
      message: expect.stringContaining(keyId),
    });
  });
});

it('a server refuses options that it does not know or that are out of range', () => {
  const make = (more: object) => () =>
    createServer({ lineshaft: http.site.lineshaft, workflows: {} as ServerOptions['workflows'], ...more });
  expect(make({ prot: 1 })).toThrow(/no option 'prot'; did you mean 'port'/);
  expect(make({ port: 70_000 })).toThrow(/port must be a whole number from 0 to 65535/);
  expect(make({ host: '' })).toThrow(/host must be/);
});
