/** `/healthz`: this process lives. `/readyz`: it can serve, or what is missing. Never behind access control. */

import { isLineshaftError, type Lineshaft } from '@lineshaft/core';
import type { FastifyInstance } from 'fastify';

export interface HealthOptions {
  readonly lineshaft: Pick<Lineshaft, 'demandSchema' | 'workers'>;
  /** Whether a stop has begun: then balancers shall send nothing more. */
  readonly stopping: () => boolean;
}

/** What one part of readiness says: `ok`, or what is missing and how to mend it. */
interface Readiness {
  readonly database: string;
  readonly schema: string;
  readonly services: string;
  readonly server: string;
}

const unknown = 'not known while what comes before it is missing';

export function addHealth(app: FastifyInstance, options: HealthOptions): void {
  app.get(
    '/healthz',
    { config: { frequent: true, open: true, action: 'watch' }, schema: healthSchema },
    async () => ({ status: 'ok' }),
  );
  app.get(
    '/readyz',
    { config: { frequent: true, open: true, action: 'watch' }, schema: readySchema },
    async (_request, reply) => {
      const checks = await look(options);
      const ready = Object.values(checks).every((check) => check === 'ok');
      return reply.code(ready ? 200 : 503).send({ ready, checks });
    },
  );
}

async function look({ lineshaft, stopping }: HealthOptions): Promise<Readiness> {
  const server = stopping() ? 'this server stops' : 'ok';
  try {
    await lineshaft.demandSchema();
  } catch (error) {
    if (!isLineshaftError(error)) throw error;
    const { code, message } = error;
    const schema = code === 'SCHEMA_MISSING' || code === 'SCHEMA_NEWER';
    return {
      server,
      database: schema ? 'ok' : message,
      schema: schema ? message : unknown,
      services: unknown,
    };
  }
  const workers = await lineshaft.workers();
  const services = workers.some(({ expired }) => !expired)
    ? 'ok'
    : 'no worker is alive: start lineshaft worker';
  return { server, database: 'ok', schema: 'ok', services };
}

const healthSchema = {
  summary: 'Whether this process lives',
  tags: ['health'],
  response: { 200: { description: 'It does', type: 'object' } },
};

const readySchema = {
  summary: 'Whether this process can serve, or what is missing',
  tags: ['health'],
  response: {
    200: { description: 'It can', type: 'object' },
    503: { description: 'Something is missing; `checks` says what', type: 'object' },
  },
};
