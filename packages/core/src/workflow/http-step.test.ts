import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { doHttpStep } from './http-step.ts';

let server: Server;
let base = '';

beforeAll(async () => {
  server = createServer((request, response) => {
    const url = new URL(request.url ?? '/', 'http://localhost');
    switch (url.pathname) {
      case '/echo':
        readText(request).then(
          (body) => {
            response.setHeader('Set-Cookie', ['a=1', 'b=2']);
            response.setHeader('Content-Type', 'application/json');
            response.end(JSON.stringify({ method: request.method, headers: request.headers, body }));
          },
          () => undefined,
        );
        break;
      case '/text':
        response.end('no json');
        break;
      case '/empty':
        response.writeHead(204).end();
        break;
      case '/missing':
        response.writeHead(404).end('gone');
        break;
      case '/large':
        response.end('x'.repeat(100_000));
        break;
      case '/away':
        response.writeHead(302, { location: '/echo' }).end();
        break;
      case '/round':
        response.writeHead(302, { location: '/round' }).end();
        break;
      case '/cut':
        response.writeHead(200, { 'content-length': '100' });
        response.write('some', () => request.socket.destroy());
        break;
      default:
        // Never answers.
        break;
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});

afterAll(() => {
  server.closeAllConnections();
  server.close();
});

async function readText(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

const step = (path: string, more: object = {}, options: object = {}) =>
  doHttpStep({ http_request: { uri: base + path, method: 'GET', ...more } }, options);

describe('an HTTP step', () => {
  test('sends what it is told, and gives the answer with all headers', async () => {
    const outcome = await step('/echo', {
      method: 'post',
      headers: { 'X-One': '1', 'X-Many': ['2', '3'], 'X-Number': 4 },
      body: { a: [1, null] },
      accept: ['application/json', 'text/plain'],
    });
    expect(outcome).toMatchObject({
      status: 'COMPLETED',
      output: {
        response: {
          statusCode: 200,
          reasonPhrase: 'OK',
          headers: { 'Set-Cookie': ['a=1', 'b=2'], 'Content-Type': ['application/json'] },
          body: {
            method: 'POST',
            body: '{"a":[1,null]}',
            headers: {
              'x-one': '1',
              'x-many': '2, 3',
              'x-number': '4',
              accept: 'application/json, text/plain',
              'content-type': 'application/json',
            },
          },
        },
      },
    });
  });

  test('takes its fields from the top of the input too, and texts as they are', async () => {
    const outcome = await doHttpStep({
      uri: `${base}/echo`,
      method: 'PUT',
      body: 'plain',
      contentType: 'text/plain',
    });
    expect(outcome).toMatchObject({
      output: {
        response: { body: { method: 'PUT', body: 'plain', headers: { 'content-type': 'text/plain' } } },
      },
    });
  });

  test('sends the credentials of its address', async () => {
    const outcome = await doHttpStep({ uri: `${base.replace('//', '//ann:p%40ss@')}/echo`, method: 'GET' });
    const authorization = `Basic ${Buffer.from('ann:p@ss').toString('base64')}`;
    expect(outcome).toMatchObject({ output: { response: { body: { headers: { authorization } } } } });
  });

  test.each([
    ['/text', 'no json'],
    ['/empty', null],
    ['/away', expect.objectContaining({ method: 'GET' })],
  ])('reads the body of %s', async (path, body) => {
    expect(await step(path)).toMatchObject({ status: 'COMPLETED', output: { response: { body } } });
  });

  test('goes on until somebody completes it, with asyncComplete', async () => {
    expect(await step('/text', {}, { asyncComplete: true })).toMatchObject({ status: 'IN_PROGRESS' });
  });

  test.each<[string, object, object, RegExp]>([
    ['/missing', {}, {}, /404 Not Found on GET request for "http:[^"?]*\/missing": "gone"/],
    ['/round', {}, {}, /302 Found/],
    ['/silent', { readTimeOut: 50 }, {}, /Read timed out after 50 ms/],
    ['/large', {}, { maxBytes: 1_000 }, /longer than 1000 bytes/],
    ['/cut', {}, {}, /aborted|hang up|terminated/],
    ['/echo', { headers: { 'x y': '1' } }, {}, /Not a header: x y/],
    ['/echo', { headers: { x: 'a\r\nb: c' } }, {}, /Not a header: x/],
    ['/echo', { method: 'BREW' }, {}, /Invalid HTTP method: BREW/],
    ['/echo', { method: undefined }, {}, /No HTTP method specified/],
    ['/echo', { uri: 'nowhere' }, {}, /Not a URI/],
    ['/echo', { uri: undefined }, {}, /Missing HTTP URI/],
    ['/echo', { uri: 'file:///etc/passwd' }, {}, /no protocol of HTTP/],
    ['/echo', { uri: 'http://127.0.0.1:1/' }, {}, /Connection refused/],
  ])('%s %j %j fails', async (path, more, options, reason) => {
    const outcome = await step(path, more, options);
    expect(outcome.status).toBe('FAILED');
    expect(outcome.reason).toMatch(reason);
  });

  test('ends when it is cancelled', async () => {
    const signal = AbortSignal.abort();
    expect(await step('/silent', {}, { signal })).toMatchObject({ status: 'FAILED' });
  });
});
