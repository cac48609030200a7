/**
 * The HTTP side of the server, whatever the dialect: limits, bodies, request ids, the access log, and answers to what
 * is wrong with a request, in the shape of the dialect that its path belongs to. Knows no route.
 */

import type { Socket } from 'node:net';
import { hostname } from 'node:os';
import type { Log } from '@lineshaft/core';
import Fastify, {
  type FastifyContextConfig,
  type FastifyInstance,
  type FastifyReply,
  type FastifyRequest,
} from 'fastify';
import { addAccessLog } from './access-log.ts';
import { addBodyParser } from './body.ts';
import { localCaller } from './caller.ts';
import { type Dialect, dialectOf, plainAnswer } from './dialect.ts';
import { type Failure, failure, failureOf } from './failure.ts';
import { Lifetimes } from './lifetime.ts';
import { requestId, requestIdHeader } from './request-id.ts';
import { RouteTable } from './route-table.ts';
import { ShortWay } from './short-way.ts';

declare module 'fastify' {
  interface FastifyContextConfig {
    /** How the body is given to the route: parsed, or as the text that was sent. Default `json`. */
    body?: 'json' | 'text';
    /** Called all the time, by workers and those who start and watch runs: logged at `debug`. */
    frequent?: boolean;
  }
}

export interface AppOptions {
  readonly log: Log;
  readonly dialects: readonly Dialect[];
  readonly bodyMaxBytes: number;
  readonly requestTimeoutMs: number;
}

export interface App {
  readonly fastify: FastifyInstance;
  readonly lifetimes: Lifetimes;
  readonly routes: RouteTable;
  readonly shortWay: ShortWay;
}

/** Idle connections are kept longer than balancers keep theirs, so that these close first: 60 s is usual. */
const keepAliveTimeoutMs = 75_000;
/** A connection on which nothing moves: longer than the longest poll (60 s). */
const stalledTimeoutMs = 120_000;

export function createApp(options: AppOptions): App {
  const { log, dialects } = options;
  const lifetimes = new Lifetimes();
  const routes = new RouteTable();
  const answer = (reply: FastifyReply, request: FastifyRequest, failed: Failure): FastifyReply =>
    answerFailure(reply, request, failed, dialects);
  const fastify = Fastify({
    logger: false,
    bodyLimit: options.bodyMaxBytes,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: keepAliveTimeoutMs,
    connectionTimeout: stalledTimeoutMs,
    // Requests on connections that are open when the stop begins are answered as well.
    return503OnClosing: false,
    forceCloseConnections: 'idle',
    genReqId: requestId,
    http: {
      connectionsCheckingInterval: Math.min(options.requestTimeoutMs / 4, 5_000),
      // Node looks at bodies that do not come only where headers have no more time than the whole.
      headersTimeout: options.requestTimeoutMs,
    },
    routerOptions: { maxParamLength: 2_000 },
    frameworkErrors: (error, request, reply) => {
      reply.header(requestIdHeader, request.id);
      answer(reply as FastifyReply, request as FastifyRequest, failureOf(error));
    },
    clientErrorHandler: (error, socket) => answerRaw(error, socket, dialects),
  });
  // What a caller gets is exactly what the route made: schemas of answers are documentation.
  fastify.setSerializerCompiler(() => (value) => JSON.stringify(value));
  fastify.decorateReply('lifetime', function (this: FastifyReply) {
    return lifetimes.of(this);
  });
  // Replaced by who is known to call, where keys are demanded.
  fastify.decorateRequest('caller');
  // Hooks that have nothing to wait for are no promises: each costs every request.
  fastify.addHook('onRequest', (request, reply, done) => {
    request.caller = localCaller;
    reply.header(requestIdHeader, request.id);
    if (request.url.includes('%00')) done(nulInUrl);
    else done();
  });
  // Tells a client whose connection is to be closed not to send the next request on it.
  fastify.addHook('onSend', (_request, reply, payload, done) => {
    if (lifetimes.stopped) reply.header('connection', 'close');
    done(null, payload);
  });
  fastify.addHook('onRoute', (route) => routes.add(route));
  addAccessLog(fastify, log);
  addBodyParser(fastify);
  fastify.setErrorHandler((error, request, reply) => {
    const failed = failureOf(error);
    if (failed.status === 500) {
      const { method, routeOptions, id } = request;
      logFailure(log, { method, url: routeOptions.url ?? request.url, id }, error);
    }
    answer(reply, request, failed);
  });
  fastify.setNotFoundHandler((request, reply) => {
    const methods = routes.methodsOf(request.url);
    if (methods.length > 0) reply.header('allow', methods.join(', '));
    answer(reply, request, notFound(request, methods));
  });
  const shortWay = new ShortWay({
    lifetimes,
    log,
    answerOf: (error, { request: { method = '', url = '' }, id }) => {
      const failed = failureOf(error);
      if (failed.status === 500) logFailure(log, { method, url, id }, error);
      return shaped(failed, url, dialects);
    },
  });
  shortWay.standBefore(fastify.server);
  return { fastify, lifetimes, routes, shortWay };
}

const nulInUrl = Object.assign(new Error('the URL has a NUL character'), { statusCode: 400 });

function notFound({ method, url }: FastifyRequest, methods: readonly string[]): Failure {
  const [path = ''] = url.split('?', 1);
  const shown = path.length > 200 ? `${path.slice(0, 200)}…` : path;
  return methods.length === 0
    ? failure('ROUTE_NOT_FOUND', `there is no ${method} ${shown}; /api-docs lists what there is`)
    : failure('METHOD_NOT_ALLOWED', `${shown} takes ${methods.join(', ')}, not ${method}`);
}

function answerFailure(
  reply: FastifyReply,
  request: FastifyRequest,
  failed: Failure,
  dialects: readonly Dialect[],
): FastifyReply {
  const { status, body } = shaped(failed, request.url, dialects, request.routeOptions?.config);
  if (failed.retryAfterSeconds !== undefined) reply.header('retry-after', failed.retryAfterSeconds);
  // What is left of a body that was refused is read and thrown away: the client gets the answer, not a reset.
  if (reply.getHeader('connection') === 'close' && status === 413) reply.removeHeader('connection');
  return reply.code(status).type('application/json; charset=utf-8').send(JSON.stringify(body));
}

function shaped(
  failed: Failure,
  url: string,
  dialects: readonly Dialect[],
  config: FastifyContextConfig = {},
): { status: number; body: unknown } {
  const dialect = dialectOf(dialects, url);
  return dialect === undefined
    ? plainAnswer(failed)
    : dialect.answer(failed, { host: hostname(), url, config });
}

/** What never became a request, such as half of one: there is only the connection to answer on. */
function answerRaw(
  error: Error & { rawPacket?: unknown },
  socket: Socket,
  dialects: readonly Dialect[],
): void {
  if (!socket.writable || socket.destroyed) return;
  const url = /^[A-Z]+ (\S+)/.exec(requestLine(error.rawPacket))?.[1] ?? '/';
  const { status, body } = shaped(failureOf(error), url, dialects);
  const text = JSON.stringify(body);
  socket.end(
    `HTTP/1.1 ${status} ${status === 408 ? 'Request Timeout' : 'Bad Request'}\r\n` +
      'Content-Type: application/json; charset=utf-8\r\n' +
      `Content-Length: ${Buffer.byteLength(text)}\r\nConnection: close\r\n\r\n${text}`,
  );
}

function requestLine(packet: unknown): string {
  return Buffer.isBuffer(packet) ? packet.toString('latin1', 0, 2_000) : '';
}

function logFailure(
  log: Log,
  { method, url, id }: { readonly method: string; readonly url: string; readonly id: string },
  error: unknown,
): void {
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  log.error(`${method} ${url.split('?', 1)[0]} failed: ${stack}`, { requestId: id });
}
