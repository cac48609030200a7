/**
 * What programs may use of the package `lineshaft`: the embedded PostgreSQL, and handlers from a folder.
 *
 * @example
 * import { Lineshaft } from '@lineshaft/core';
 * import { loadTasks, openEmbedded } from 'lineshaft';
 *
 * const server = await openEmbedded({ directory: process.cwd() });
 * const { handlers, kinds } = await loadTasks('tasks');
 * const lineshaft = new Lineshaft({ databaseUrl: server.url, kinds });
 * await lineshaft.migrate();
 * await lineshaft.worker({ handlers }).start();
 *
 * @module
 */

export { buildOf } from './build.ts';
export { type EmbeddedOptions, type EmbeddedServer, openEmbedded } from './embedded/embedded.ts';
export {
  listTaskFiles,
  loadTask,
  loadTasks,
  type TaskFile,
  type TaskProblem,
  type Tasks,
} from './tasks-folder.ts';
