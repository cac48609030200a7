/** All labs, in the order in which `list` shows them. */
import type { Lab } from '../lab.ts';
import { clock } from './clock.ts';
import { diskFull } from './disk-full.ts';
import { halfOpen } from './half-open.ts';
import { killDatabase } from './kill-database.ts';
import { killWorkers } from './kill-workers.ts';
import { leader } from './leader.ts';
import { patroni } from './patroni.ts';
import { pause } from './pause.ts';
import { pgbouncer } from './pgbouncer.ts';
import { restartAll } from './restart-all.ts';
import { soak } from './soak.ts';
import { workflows } from './workflows.ts';

export const labs: readonly Lab[] = [
  killWorkers,
  killDatabase,
  restartAll,
  halfOpen,
  pause,
  clock,
  diskFull,
  leader,
  pgbouncer,
  patroni,
  soak,
  workflows,
];
