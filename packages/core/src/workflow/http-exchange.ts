/** One HTTP request with its answer, within limits of time and length. Follows redirects as browsers do. */

import { type IncomingMessage, request as requestHttp } from 'node:http';
import { request as requestHttps } from 'node:https';

export interface HttpRequest {
  readonly url: URL;
  readonly method: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body: string | undefined;
  /** Until the connection stands. */
  readonly connectMs: number;
  /** Of silence, before the answer and in it. */
  readonly readMs: number;
  /** A longer answer is cut off and fails. */
  readonly maxBytes: number;
  readonly signal: AbortSignal | undefined;
}

export interface HttpAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, readonly string[]>>;
  readonly body: string;
}

const redirects = new Set([301, 302, 303, 307, 308]);
const mostRedirects = 10;

/** @throws Error with a message for people: time-outs, refused connections, answers that are too long */
export async function exchange(request: HttpRequest): Promise<HttpAnswer> {
  let current = request;
  for (let followed = 0; ; followed += 1) {
    const answer = await exchangeOnce(current);
    const location = headerOf(answer, 'location');
    if (!redirects.has(answer.status) || location === undefined || followed >= mostRedirects) return answer;
    current = redirected(current, answer.status, location);
  }
}

function headerOf(answer: HttpAnswer, name: string): string | undefined {
  return Object.entries(answer.headers).find(([each]) => each.toLowerCase() === name)?.[1][0];
}

function redirected(request: HttpRequest, status: number, location: string): HttpRequest {
  const url = new URL(location, request.url);
  const asGet = status === 303 || (status < 303 && request.method === 'POST');
  // Credentials are meant for whom they were given to.
  const headers =
    url.origin === request.url.origin
      ? request.headers
      : Object.fromEntries(
          Object.entries(request.headers).filter(([name]) => !/^(authorization|cookie)$/i.test(name)),
        );
  return asGet ? { ...request, url, headers, method: 'GET', body: undefined } : { ...request, url, headers };
}

function exchangeOnce(request: HttpRequest): Promise<HttpAnswer> {
  return new Promise((resolve, reject) => {
    const { url, method, headers, body, signal } = request;
    if (url.protocol !== 'http:' && url.protocol !== 'https:') {
      reject(new Error(`'${url.protocol}' is no protocol of HTTP`));
      return;
    }
    const send = url.protocol === 'https:' ? requestHttps : requestHttp;
    const call = send(url, {
      method,
      headers: {
        ...headers,
        ...(body === undefined ? {} : { 'content-length': String(Buffer.byteLength(body)) }),
      },
      ...(signal === undefined ? {} : { signal }),
    });
    const connecting = setTimeout(
      () => call.destroy(new Error(`Connect timed out after ${request.connectMs} ms`)),
      request.connectMs,
    );
    const connected = () => clearTimeout(connecting);
    call.on('socket', (socket) => {
      if (socket.connecting) socket.once(url.protocol === 'https:' ? 'secureConnect' : 'connect', connected);
      else connected();
    });
    call.setTimeout(request.readMs, () =>
      call.destroy(new Error(`Read timed out after ${request.readMs} ms`)),
    );
    call.on('error', (error) => {
      connected();
      reject(error);
    });
    call.on('response', (answer) => {
      readBody(answer, request.maxBytes).then((text) => {
        resolve({ status: answer.statusCode ?? 0, headers: multiMap(answer), body: text });
      }, reject);
    });
    call.end(body);
  });
}

async function readBody(answer: IncomingMessage, maxBytes: number): Promise<string> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > maxBytes) {
      answer.destroy();
      throw new Error(`The response is longer than ${maxBytes} bytes`);
    }
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Names as they were sent, each with all of its values. */
function multiMap(answer: IncomingMessage): Record<string, string[]> {
  const map = new Map<string, { readonly name: string; readonly values: string[] }>();
  for (let at = 0; at + 1 < answer.rawHeaders.length; at += 2) {
    const name = answer.rawHeaders[at] ?? '';
    const known = map.get(name.toLowerCase());
    const value = answer.rawHeaders[at + 1] ?? '';
    if (known === undefined) map.set(name.toLowerCase(), { name, values: [value] });
    else known.values.push(value);
  }
  return Object.fromEntries([...map.values()].map(({ name, values }) => [name, values]));
}
