/**
 * The services that every worker runs unless it is told otherwise: each is safe to run everywhere, or acts only while its
 * worker leads. A new one is added here.
 */

import type { Plugin } from '../plugin.ts';
import { keeper } from './keeper.ts';
import { leader } from './leader.ts';
import { limiter } from './limiter.ts';
import { promoter } from './promoter.ts';
import { pruner } from './pruner.ts';
import { rescuer } from './rescuer.ts';
import { scheduler } from './scheduler.ts';
import { searchIndexer } from './search-indexer.ts';
import { workflows } from './workflows.ts';

/** Those that the caller neither replaces nor switches off (`orderPlugins`) start in this order, and stop in reverse. */
export const builtInPlugins: readonly Plugin[] = [
  leader(),
  promoter(),
  rescuer(),
  keeper(),
  pruner(),
  scheduler(),
  limiter(),
  workflows(),
  searchIndexer(),
];
