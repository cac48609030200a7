import type { Lab } from '../lab.ts';
import { openServerStand } from '../site/stands.ts';
import { runWorkflows } from '../workflows/run.ts';

export const workflows: Lab = {
  name: 'workflows',
  about:
    'runs of workflows, kill -9 of servers, workers of both kinds, callers and PostgreSQL, at the borders of steps',
  open: openServerStand,
  plan: () => [],
  run: runWorkflows,
};
