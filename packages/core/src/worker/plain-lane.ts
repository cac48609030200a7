/** The lane whose jobs any worker may run that serves their kind: what is handed over without a claim comes by it. */

import type { Lane, LaneDirectory } from './lanes.ts';

/** undefined: this worker does not serve it, or its jobs need amounts. */
export function plainLane(directory: LaneDirectory, queueId: number, kind: string): Lane | undefined {
  return directory
    .lanesOf(queueId)
    .find((lane) => lane.kind === kind && isPlain(lane) && needsNothing(directory, lane));
}

function isPlain(lane: Lane): boolean {
  return lane.requirements.length === 0 && lane.pin === 'none' && Object.keys(lane.wants).length === 0;
}

function needsNothing(directory: LaneDirectory, lane: Lane): boolean {
  return Object.keys(directory.needsOf(lane)).length === 0;
}
