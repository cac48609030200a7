/** The routes of the Conductor dialect. They translate: no rules, no SQL. */

import { readFileSync } from 'node:fs';
import type { FastifyPluginAsync } from 'fastify';
import type { DialectOptions } from '../../http/dialect.ts';
import { addAdminRoutes, type Product } from './routes/admin.ts';
import { addBulkRoutes } from './routes/bulk.ts';
import { addControlRoutes } from './routes/control.ts';
import { addEventQueueRoutes } from './routes/event-queues.ts';
import { addEventRoutes } from './routes/events.ts';
import { addMetadataRoutes } from './routes/metadata.ts';
import { addPayloadRoutes } from './routes/payloads.ts';
import { addPollRoutes } from './routes/polls.ts';
import { addProductRoutes } from './routes/product.ts';
import { addQueueRoutes } from './routes/queues.ts';
import { addSchedulerRoutes } from './routes/scheduler.ts';
import { addSignalRoutes } from './routes/signals.ts';
import { addTaskRoutes } from './routes/tasks.ts';
import { addWorkflowSearch } from './routes/workflow-search.ts';
import { addWorkflowRoutes } from './routes/workflows.ts';

const product: Product = { version: version() };

export const conductorRoutes: FastifyPluginAsync<DialectOptions> = async (app, { workflows }) => {
  // Schemas of requests are documentation: the routes read what they need, and payloads are not walked.
  app.setValidatorCompiler(() => () => true);
  addPollRoutes(app, workflows);
  addTaskRoutes(app, workflows);
  addSignalRoutes(app, workflows);
  addQueueRoutes(app, workflows);
  addWorkflowRoutes(app, workflows);
  addControlRoutes(app, workflows);
  addWorkflowSearch(app, workflows);
  addBulkRoutes(app, workflows);
  addMetadataRoutes(app, workflows);
  addEventRoutes(app, workflows);
  addEventQueueRoutes(app, workflows);
  addAdminRoutes(app, workflows, product);
  addSchedulerRoutes(app, workflows);
  addPayloadRoutes(app, workflows);
  addProductRoutes(app, product);
};

function version(): string {
  const text = readFileSync(new URL('../../../package.json', import.meta.url), 'utf8');
  return (JSON.parse(text) as Product).version;
}
