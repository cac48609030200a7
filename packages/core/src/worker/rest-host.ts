/** What lets a worker rest, and what it must do before it goes on; for `services/rest.ts`. */

import type { RestHost } from '../services/rest.ts';
import type { Session } from '../store/session.ts';
import type { LaneDirectory } from './lanes.ts';
import type { WorkerParts } from './worker-parts.ts';

export function restHostOf(
  worker: Pick<WorkerParts, 'clock' | 'log' | 'statements' | 'notifications'> & {
    /** That of claims and heartbeats. */
    readonly session: Session;
    /** That of results, of which there are none now: the lease is renewed beside the claim. */
    readonly renewals: Session;
    busy(): boolean;
    readonly directory: LaneDirectory;
    row(): string;
    register(): Promise<void>;
  },
): RestHost {
  const { session, renewals, statements } = worker;
  return {
    clock: worker.clock,
    quiet: () => worker.notifications.connected && !worker.busy(),
    async nextMs() {
      const [[wait = null] = []] = await session.query(statements.nextWake);
      if (wait !== null && Number(wait) <= 0) return 0;
      return (await jobsWait()) ? 0 : Number(wait ?? Number.POSITIVE_INFINITY);
    },
    async renew() {
      // Given up as early as a claim would be: the loops wait for it.
      const known = await renewals.query(statements.renewWorker, [worker.row()], session.timeoutMs);
      // Its lease has run out and somebody has swept it away: it held nothing.
      if (known.length === 0) await worker.register();
    },
    onRest: () => worker.log.debug('lets the database sleep'),
  };

  /** Whether jobs wait in lanes that this worker would ask now. */
  async function jobsWait(): Promise<boolean> {
    const { directory } = worker;
    const rows = await session.query(statements.lanesWithJobs, [0, lanesMost]);
    return rows.some(([id]) => {
      const lane = directory.lane(Number(id));
      if (lane === undefined) return true;
      const queue = directory.queue(lane.queueId);
      return queue !== undefined && queue.state !== 'paused' && directory.mayServe(lane);
    });
  }
}

const lanesMost = 2_000;
