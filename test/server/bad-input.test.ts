/** What no route should ever see: each is answered with a 4xx in the shape of the dialect, and hurts nobody else. */

import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { dial, everything, type HttpSite, openHttpSite, raw } from './http-site.ts';

let http: HttpSite;

beforeAll(async () => {
  http = await openHttpSite({ bodyMaxBytes: 100_000 });
});

afterAll(async () => {
  await http.close();
});

async function post(path: string, body: string | Uint8Array, type = 'application/json') {
  const answer = await fetch(http.url + path, {
    method: 'POST',
    body: body as string,
    headers: { 'content-type': type },
  });
  return {
    status: answer.status,
    headers: answer.headers,
    body: (await answer.json()) as Record<string, unknown>,
  };
}

/** A server that was hurt would not answer this. */
async function demandAlive(): Promise<void> {
  expect((await fetch(`${http.url}/healthz`)).status).toBe(200);
}

describe('paths that do not exist', () => {
  it('are answered as Conductor does under /api', async () => {
    const answer = await fetch(`${http.url}/api/nowhere/x?secret=1`);
    expect(answer.status).toBe(404);
    expect(answer.headers.get('content-type')).toContain('application/json');
    expect(await answer.json()).toMatchObject({
      status: 404,
      code: 'ROUTE_NOT_FOUND',
      message: expect.stringContaining('GET /api/nowhere/x'),
      retryable: false,
      instance: expect.any(String),
    });
  });

  it('are answered in our own shape elsewhere, without the query', async () => {
    const answer = await fetch(`${http.url}/apinowhere?secret=1`);
    expect(answer.status).toBe(404);
    const text = await answer.text();
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'ROUTE_NOT_FOUND', details: {} } });
    expect(text).not.toContain('secret');
  });

  it('name the methods of a path that takes others', async () => {
    const answer = await fetch(`${http.url}/healthz`, { method: 'DELETE' });
    expect(answer.status).toBe(405);
    expect(answer.headers.get('allow')).toBe('GET');
    expect(await answer.json()).toMatchObject({ error: { code: 'METHOD_NOT_ALLOWED' } });
  });

  it.each(['/api/%', '/api/%zz', '/api/%ff%fe', '/api/a%00b', '/%c3%28'])(
    'may be no URL: %s',
    async (path) => {
      const answer = await raw(http.port, `GET ${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
      expect(answer).toMatch(/x-request-id: /i);
    },
  );
});

describe('bodies', () => {
  it.each([
    ['malformed', '{"name":', /not JSON/],
    ['words', 'hello', /not JSON/],
    ['too deep', `${'['.repeat(501)}${']'.repeat(501)}`, /nested deeper than 500/],
    ['never closed', '{"a":'.repeat(20_000), /nested deeper than 500/],
    ['with a NUL character', '{"a":{"b":["x\\u0000"]}}', /body\.a\.b\.0 has a NUL character/],
    ['with half of a character', '{"a":"\\ud800"}', /half of a surrogate pair/],
    ['that reach for prototypes', '{"a":{"__proto__":{"b":1}}}', /__proto__/],
    ['that hide that they do', '{"\\u005f_proto__":{"b":1}}', /__proto__/],
  ])('%s are refused, and not quoted', async (_what, body, message) => {
    const answer = await post('/api/nowhere', body);
    expect(answer.status).toBe(400);
    expect(answer.body).toMatchObject({
      status: 400,
      code: 'BODY_INVALID',
      message: expect.stringMatching(message),
    });
    await demandAlive();
  });

  it('that are no UTF-8 are refused', async () => {
    const answer = await post('/nowhere', new Uint8Array([0x22, 0xc3, 0x28, 0x22]));
    expect(answer).toMatchObject({
      status: 400,
      body: { error: { code: 'BODY_INVALID', message: /UTF-8/ } },
    });
  });

  it('over the limit are refused with 413, however they are announced', async () => {
    const answer = await post('/api/nowhere', `"${'x'.repeat(3_000_000)}"`);
    expect(answer).toMatchObject({ status: 413, body: { status: 413, code: 'BODY_TOO_LARGE' } });
    const chunked = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(50_000).fill(0x20));
      },
    });
    const streamed = fetch(`${http.url}/api/nowhere`, {
      method: 'POST',
      body: chunked,
      duplex: 'half',
    } as RequestInit);
    // The client never stops sending: it is answered, or the connection is closed.
    await streamed.then(
      (got) => expect(got.status).toBe(413),
      (error: unknown) => expect(error).toBeInstanceOf(TypeError),
    );
    await demandAlive();
  });

  it('of any Content-Type, or of none, are JSON', async () => {
    for (const type of ['text/plain', 'application/xml', 'x', 'application/json; charset=latin1']) {
      expect(await post('/api/nowhere', '{', type)).toMatchObject({ status: 400 });
    }
    const head = 'POST /api/nowhere HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 1\r\n\r\n{';
    expect(await raw(http.port, head)).toMatch(/^HTTP\/1\.1 400 [\s\S]*not JSON/);
  });
});

describe('connections', () => {
  it('that do not speak HTTP are told so', async () => {
    expect(await raw(http.port, 'hello\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 [\s\S]*REQUEST_INVALID/);
    expect(await raw(http.port, new Uint8Array([0x16, 3, 1, 2, 0, 1, 0]))).toMatch(/^HTTP\/1\.1 400 /);
  });

  it('with huge headers are told so', async () => {
    const answer = await raw(
      http.port,
      `GET /api/x HTTP/1.1\r\nHost: x\r\nX-A: ${'a'.repeat(20_000)}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 431 [\s\S]*HEADERS_TOO_LARGE/);
  });

  it('that send half a request are answered when the time is over', async () => {
    const { port } = await http.other({ requestTimeoutMs: 400 });
    const half = dial(port).then((socket) => {
      socket.write('POST /api/nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"a"');
      return everything(socket);
    });
    const header = raw(port, 'GET /api/nowhere HTTP/1.1\r\nHos');
    await demandAlive();
    expect(await half).toMatch(/^HTTP\/1\.1 408 /);
    expect(await header).toMatch(/^HTTP\/1\.1 408 /);
  });

  it('that are cut in the middle of a body hurt nobody', async () => {
    for (let n = 0; n < 20; n += 1) {
      const socket = await dial(http.port);
      socket.write('POST /api/nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{"a"');
      socket.destroy();
    }
    await demandAlive();
    expect(http.site.log.lines.filter((line) => /failed/.test(line))).toEqual([]);
  });
});

describe('ids of requests', () => {
  it('are taken over where they are sane, and made where they are not', async () => {
    const idOf = async (given?: string): Promise<string> => {
      const headers: Record<string, string> = given === undefined ? {} : { 'x-request-id': given };
      return (await fetch(`${http.url}/api/nowhere`, { headers })).headers.get('x-request-id') ?? '';
    };
    expect(await idOf('trace-1:a.b')).toBe('trace-1:a.b');
    expect(await idOf()).toMatch(/^[0-9a-f-]{36}$/);
    expect(await idOf('two words')).toMatch(/^[0-9a-f-]{36}$/);
    expect(await idOf('x'.repeat(200))).toMatch(/^[0-9a-f-]{36}$/);
  });
});
