import type { Lab } from '../lab.ts';
import { openServerStand } from '../site/stands.ts';
import { runWorkflows } from '../workflows/run.ts';

export const workflows: Lab = {
  name: 'workflows',
  about: 'runs of workflows, kill -9 of who starts them and of who does their steps',
  open: openServerStand,
  plan: () => [],
  run: runWorkflows,
};
