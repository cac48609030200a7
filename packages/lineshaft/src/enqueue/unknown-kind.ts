/**
 * Tells of a kind that nobody knows: probably a slip of the pen, perhaps a worker that is not deployed yet.
 */

import { didYouMean, isLineshaftError } from '@lineshaft/core';
import type { Data } from '../data.ts';
import type { Screen } from '../output/screen.ts';
import { listTaskFiles } from '../tasks-folder.ts';

interface Where {
  readonly queue: string;
  readonly project: string | undefined;
  /** The folder of tasks, which may hold the kind or one like it. */
  readonly directory: string;
  readonly data: Data;
  readonly screen: Screen;
}

/**
 * Warns where no live worker knows a kind, the queue never had a job of it, and the folder of tasks has it
 * not.
 */
export async function warnOfUnknownKind(kind: string, where: Where): Promise<void> {
  const { queue, project, directory, data, screen } = where;
  const known = new Set(listTaskFiles(directory).files.map((file) => file.kind));
  for (const worker of await data.workers())
    if (!worker.expired) for (const name of worker.kinds) known.add(name);
  if (known.has(kind)) return;
  try {
    const { lanes } = await data.showQueue(queue, project === undefined ? {} : { project });
    for (const lane of lanes) known.add(lane.kind);
  } catch (error) {
    // The enqueue itself refuses a queue that does not exist.
    if (!isLineshaftError(error, 'QUEUE_NOT_FOUND')) throw error;
    return;
  }
  if (known.has(kind)) return;
  const meant = didYouMean(kind, known);
  screen.warn(
    `no live worker knows the kind '${kind}', and it was never used here${meant === '' ? '.' : meant} ` +
      'The job waits until a worker has its handler.',
  );
}
