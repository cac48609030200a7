/** The access log: one line for each request, without payloads, query strings and secrets. */

import type { Log } from '@lineshaft/core';
import type { FastifyInstance, FastifyRequest } from 'fastify';

/**
 * Lines at `info`, of errors of ours at `warn`; what routes that are called all the time (`config.frequent`) answer
 * well at `debug`.
 */
export function addAccessLog(app: FastifyInstance, log: Log): void {
  app.addHook('onResponse', (request, reply, done) => {
    const { statusCode } = reply;
    const quiet = statusCode < 400 && request.routeOptions.config?.frequent === true;
    const level = statusCode >= 500 ? 'warn' : quiet ? 'debug' : 'info';
    log[level](`${request.method} ${pathOf(request)} ${statusCode}`, {
      ms: Math.round(reply.elapsedTime * 10) / 10,
      requestId: request.id,
      ...(request.caller?.keyId === undefined ? {} : { key: request.caller.keyId }),
    });
    done();
  });
}

/** Queries may hold search words and secrets; paths do not. */
function pathOf(request: FastifyRequest): string {
  const [path = ''] = request.url.split('?', 1);
  return path.length > 300 ? `${path.slice(0, 300)}…` : path;
}
