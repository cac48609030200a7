/** The routes of the Conductor dialect. They translate: no rules, no SQL. */

import type { FastifyPluginAsync } from 'fastify';
import type { DialectOptions } from '../../http/dialect.ts';

export const conductorRoutes: FastifyPluginAsync<DialectOptions> = async (_app, _options) => {};
