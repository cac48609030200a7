/**
 * Which live workers may run the jobs of a lane, and what keeps the others from it: the one judgement that the
 * doctor, `queue show` and `why` share. Pure.
 */

import { type Amounts, offersEnough } from './amounts.ts';
import { type BuildPin, pinAllows } from './build.ts';
import { requirementsMet } from './tags.ts';

/** A worker that holds its lease and goes on claiming. */
export interface LiveWorker {
  readonly workerId: string;
  readonly build: string;
  readonly tags: readonly string[];
  readonly kinds: readonly string[];
  /** Slugs of the queues that it serves. */
  readonly queues: readonly string[];
  readonly offers: Amounts;
}

/** What decides who may run the jobs of a lane. */
export interface LaneDemand {
  /** Slug of its queue. */
  readonly slug: string;
  readonly kind: string;
  readonly requirements: readonly string[];
  readonly pin: BuildPin;
  readonly build: string;
  /** What one job needs, that of its queue where it says nothing. */
  readonly needs: Amounts;
}

/** What all live workers lack, in the order in which it is looked at. */
export type Lack = 'queue' | 'kind' | 'requirements' | 'build' | 'amounts';

export interface Serving<Worker extends LiveWorker> {
  /** The workers that may run the jobs. */
  readonly able: readonly Worker[];
  /** The first thing that no worker has any more, among those that have what comes before; undefined if some are able. */
  readonly lack: Lack | undefined;
  /** The workers that have all that comes before what is lacking. */
  readonly nearest: readonly Worker[];
}

/**
 * Narrows the live workers down, step by step: those that serve the queue, of these those that know the kind, have
 * the tags, are of a build that the pin allows, and offer the amounts.
 */
export function judgeServing<Worker extends LiveWorker>(
  lane: LaneDemand,
  workers: readonly Worker[],
): Serving<Worker> {
  const steps: readonly (readonly [Lack, (worker: Worker) => boolean])[] = [
    ['queue', ({ queues }) => queues.includes(lane.slug)],
    ['kind', ({ kinds }) => kinds.includes(lane.kind)],
    ['requirements', ({ tags }) => requirementsMet(lane.requirements, tags)],
    ['build', ({ build }) => pinAllows(lane.pin, lane.build, build)],
    ['amounts', ({ offers }) => offersEnough(offers, lane.needs)],
  ];
  let nearest = workers;
  for (const [lack, has] of steps) {
    const left = nearest.filter((worker) => has(worker));
    if (left.length === 0) return { able: [], lack, nearest };
    nearest = left;
  }
  return { able: nearest, lack: undefined, nearest };
}
