/**
 * What the jobs of a lane want besides what they require: amounts of their worker, and workers that they would rather
 * have. Part of the lane's content, so all of its jobs want the same. Pure.
 */

import type { Amounts } from './amounts.ts';
import type { LiveWorker } from './serving.ts';
import { requirementsMet } from './tags.ts';

export interface LaneWants {
  /** What one job needs while a worker holds it; absent: what the queue says. */
  readonly needs?: Amounts;
  /** Tags of the workers that its jobs prefer; never empty. */
  readonly prefers?: readonly string[];
  /** For how long a ready job is left to them; there with `prefers`. */
  readonly preferMs?: number;
}

/** How long a job is left to the workers that it prefers, where it does not say. */
export const defaultPreferMs = 5_000;
export const maxPreferMs = 3_600_000;

/**
 * How long a worker leaves a ready job alone, from when it was due: 0 if it has the tags that the job prefers, or
 * if no live worker that may run the job has them.
 *
 * @param others the live workers that may run it
 */
export function leaveForMs(
  wants: LaneWants,
  ownTags: readonly string[],
  others: readonly Pick<LiveWorker, 'tags'>[],
): number {
  const { prefers, preferMs = defaultPreferMs } = wants;
  if (prefers === undefined || requirementsMet(prefers, ownTags)) return 0;
  return others.some(({ tags }) => requirementsMet(prefers, tags)) ? preferMs : 0;
}

/** The column `wants` of a lane, parsed or as text. */
export function wantsFromColumn(column: unknown): LaneWants {
  if (column == null || column === '{}') return noWants;
  return (typeof column === 'string' ? JSON.parse(column) : column) as LaneWants;
}

export const noWants: LaneWants = Object.freeze({});
