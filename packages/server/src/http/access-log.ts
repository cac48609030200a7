/** The access log: one line for each request, without payloads, query strings and secrets. */

import type { Log } from '@lineshaft/core';
import type { FastifyInstance } from 'fastify';
import type { Caller } from './caller.ts';

/** A request that was answered. */
export interface Answered {
  readonly method: string;
  readonly url: string;
  readonly status: number;
  readonly ms: number;
  /** Of the request. */
  readonly id: string;
  /** undefined: it was refused before that was known. */
  readonly caller: Caller | undefined;
  /** Of a route that is called all the time. */
  readonly frequent: boolean;
}

export function addAccessLog(app: FastifyInstance, log: Log): void {
  app.addHook('onResponse', (request, reply, done) => {
    const { method, url, id, caller } = request;
    logAnswer(log, {
      method,
      url,
      status: reply.statusCode,
      ms: reply.elapsedTime,
      id,
      caller,
      frequent: request.routeOptions.config?.frequent === true,
    });
    done();
  });
}

/**
 * Lines at `info`, of errors of ours at `warn`; what routes that are called all the time (`config.frequent`) answer
 * well at `debug`.
 */
export function logAnswer(log: Log, answered: Answered): void {
  const { method, url, status, ms, id, caller, frequent } = answered;
  const level = status >= 500 ? 'warn' : status < 400 && frequent ? 'debug' : 'info';
  log[level](`${method} ${pathOf(url)} ${status}`, {
    ms: Math.round(ms * 10) / 10,
    requestId: id,
    ...(caller?.keyId === undefined ? {} : { key: caller.keyId }),
  });
}

/** Queries may hold search words and secrets; paths do not. */
function pathOf(url: string): string {
  const [path = ''] = url.split('?', 1);
  return path.length > 300 ? `${path.slice(0, 300)}…` : path;
}
