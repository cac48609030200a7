/** The Conductor dialect: what SDKs of Conductor speak, in both spellings. */

import type { Dialect } from '../../http/dialect.ts';
import { errorResponse } from './error-response.ts';
import { shortPolls } from './routes/short-polls.ts';
import { conductorRoutes } from './routes.ts';

export const conductor: Dialect = {
  name: 'conductor',
  prefixes: ['/api', '/health'],
  routes: conductorRoutes,
  shortRoutes: ({ workflows }) => shortPolls(workflows),
  answer: errorResponse,
};
