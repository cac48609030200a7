/** An attempt on its way through a pool of lanes. */

import type { Lane } from './lane.ts';
import type { Attempt, AttemptListener } from './port.ts';

/** What is known of a kind: decides how many of its attempts may wait in a lane. */
export interface KindPace {
  /** Mean of what its last attempts took; infinite until one has ended. */
  expectedMs: number;
}

/** An attempt on its way through a pool. */
export class Entry {
  readonly attempt: Attempt;
  readonly listener: AttemptListener;
  readonly pace: KindPace;
  lane: Lane | undefined;
  /** What it counts in its lane; fixed when it is sent. */
  expectedMs = 0;
  /** Known to have started, and the listener knows. */
  started = false;
  /** It has its outcome; if it still runs, what it says is ignored. */
  ended = false;

  constructor(attempt: Attempt, listener: AttemptListener, pace: KindPace) {
    this.attempt = attempt;
    this.listener = listener;
    this.pace = pace;
  }
}
