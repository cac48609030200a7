/**
 * The HTTP server of Lineshaft: the Conductor dialect, access control, health and metrics.
 *
 * @example
 * import { Lineshaft } from '@lineshaft/core';
 * import { createServer } from '@lineshaft/server';
 *
 * const lineshaft = new Lineshaft({ databaseUrl: 'postgresql://localhost/app' });
 * const server = createServer({ lineshaft, workflows: lineshaft.workflows });
 * const { url } = await server.listen();
 *
 * @module
 */

export type { OpenApiDocument } from './http/openapi.ts';
export type { KnownRoute } from './http/route-table.ts';
export type { ServerOptions } from './options.ts';
export { createServer, type Server } from './server.ts';
