/** What an HTTP step does: the request that its input describes, with Conductor's fields and answers. */

import { STATUS_CODES } from 'node:http';
import type { JsonObject } from '../domain/workflow/definition.ts';
import { isObject } from '../domain/workflow/violation.ts';
import { exchange, type HttpAnswer, type HttpRequest } from './http-exchange.ts';
import type { StepReport } from './port.ts';

/** How a built-in step ended, or that it goes on. */
export type StepOutcome = Pick<StepReport, 'status' | 'output' | 'reason'>;

export interface HttpStepOptions {
  /** Stays IN_PROGRESS after the answer, until somebody completes it. */
  readonly asyncComplete?: boolean;
  /** Longest answer, in bytes. Default 10 MiB. */
  readonly maxBytes?: number;
  readonly signal?: AbortSignal;
}

const methods = new Set(['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'TRACE']);
const messageMaxLength = 500;
const longestMs = 600_000;

/**
 * Makes the request of an HTTP step; never rejects.
 *
 * @param input `http_request`, or the same fields at the top: `uri`, `method`, `headers` (a text or a list of texts for
 * each), `body` (texts as they are, all else as JSON), `accept` (a text or a list, default `application/json`),
 * `contentType` (default `application/json`), `connectionTimeOut` and `readTimeOut` in ms (default 3,000).
 * @returns COMPLETED with `output.response` = `{statusCode, reasonPhrase, headers, body}` for an answer of 200 to 299;
 * FAILED with the reason, and a text as `output.response`, for all else.
 */
export async function doHttpStep(input: JsonObject, options: HttpStepOptions = {}): Promise<StepOutcome> {
  const fields = isObject(input['http_request']) ? input['http_request'] : input;
  const request = requestOf(fields, options);
  if (typeof request === 'string') return { status: 'FAILED', output: {}, reason: request };
  if (!methods.has(request.method)) return failed(`Invalid HTTP method: ${request.method.slice(0, 20)}`);
  try {
    const answer = await exchange(request);
    if (answer.status < 200 || answer.status > 299) return failed(describeAnswer(answer, request));
    return {
      status: options.asyncComplete === true ? 'IN_PROGRESS' : 'COMPLETED',
      output: {
        response: {
          statusCode: answer.status,
          reasonPhrase: STATUS_CODES[answer.status] ?? '',
          headers: answer.headers,
          body: bodyOf(answer.body),
        },
      },
    };
  } catch (error) {
    return failed(describeError(error as Error & { code?: string }, request));
  }
}

function failed(what: string): StepOutcome {
  const reason = `Failed to invoke HTTP task due to: ${what}`.slice(0, messageMaxLength);
  return { status: 'FAILED', output: { response: what.slice(0, messageMaxLength) }, reason };
}

/** The request, or why there is none. */
function requestOf(fields: JsonObject, options: HttpStepOptions): HttpRequest | string {
  const { uri, method, body } = fields;
  if (typeof uri !== 'string' || uri === '')
    return 'Missing HTTP URI.  See documentation for HttpTask for required input parameters';
  if (typeof method !== 'string' || method === '') return 'No HTTP method specified';
  if (!URL.canParse(uri)) return `Not a URI: ${uri.slice(0, 200)}`;
  const headers = headersOf(fields);
  if (typeof headers === 'string') return headers;
  const url = new URL(uri);
  if (url.username !== '' && headers['authorization'] === undefined) {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers['authorization'] = `Basic ${Buffer.from(credentials).toString('base64')}`;
  }
  return {
    url,
    method: method.toUpperCase(),
    headers,
    body:
      body === undefined || body === null
        ? undefined
        : typeof body === 'string'
          ? body
          : JSON.stringify(body),
    connectMs: millisecondsOf(fields['connectionTimeOut']),
    readMs: millisecondsOf(fields['readTimeOut']),
    maxBytes: options.maxBytes ?? 10_485_760,
    signal: options.signal,
  };
}

function headersOf(fields: JsonObject): Record<string, string | readonly string[]> | string {
  const { accept, contentType, body } = fields;
  const headers: Record<string, string | readonly string[]> = {
    accept: Array.isArray(accept) ? accept.map(String).join(', ') : textOf(accept, 'application/json'),
    ...(body === undefined || body === null
      ? {}
      : { 'content-type': textOf(contentType, 'application/json') }),
  };
  const given = isObject(fields['headers']) ? fields['headers'] : {};
  for (const [name, value] of Object.entries(given)) {
    const values = (Array.isArray(value) ? value : [value]).map((item) =>
      textOf(item, JSON.stringify(item ?? '')),
    );
    const wrong =
      !/^[!#$%&'*+.^_`|~0-9A-Za-z-]+$/.test(name) ||
      values.some((item) => /[^\t\x20-\x7e\x80-\xff]/.test(item));
    if (wrong) return `Not a header: ${name.slice(0, 60)}`;
    // What the program itself must say of the connection.
    if (/^(content-length|transfer-encoding|connection|host)$/i.test(name)) continue;
    headers[name.toLowerCase()] = values.length === 1 ? (values[0] ?? '') : values;
  }
  return headers;
}

function textOf(value: unknown, otherwise: string): string {
  return typeof value === 'string' && value !== '' ? value : otherwise;
}

function millisecondsOf(value: unknown): number {
  const number = Number(value ?? 3_000);
  return Number.isFinite(number) && number > 0 ? Math.min(Math.ceil(number), longestMs) : 3_000;
}

/** JSON where it is some, else the text; nothing is null. */
function bodyOf(text: string): unknown {
  if (text === '') return null;
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return text;
  }
}

/** In the words of Conductor, and without the query, which may hold a secret. */
function describeAnswer({ status, body }: HttpAnswer, request: HttpRequest): string {
  const told = body === '' ? '[no body]' : `"${body.slice(0, messageMaxLength)}"`;
  return `${status} ${STATUS_CODES[status] ?? ''} on ${describe(request)}: ${told}`;
}

function describeError(error: Error & { code?: string }, request: HttpRequest): string {
  const message = error.message === '' ? (error.code ?? error.name) : error.message;
  const told =
    error.code === 'ECONNREFUSED' ? `Connect to ${request.url.origin} failed: Connection refused` : message;
  return `I/O error on ${describe(request)}: ${told}`;
}

function describe({ url, method }: HttpRequest): string {
  return `${method} request for "${url.origin}${url.pathname}"`;
}
