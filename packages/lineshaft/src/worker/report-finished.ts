/** A line for each job that ended well, for `dev`; many at once become one line. */

import type { Log, Worker } from '@lineshaft/core';

const linesPerSecond = 20;

/** Logs what a worker finished. Failures are logged by the worker itself. */
export function reportFinished(worker: Worker, log: Log): void {
  let windowEndsAt = 0;
  let left = linesPerSecond;
  let dropped = 0;
  const tellDropped = (): void => {
    if (dropped > 0) log.info(`… and ${dropped.toLocaleString('en')} more jobs ended`);
    dropped = 0;
  };
  worker.on('finished', ({ jobs }) => {
    const now = performance.now();
    if (now >= windowEndsAt) {
      tellDropped();
      windowEndsAt = now + 1_000;
      left = linesPerSecond;
    }
    for (const { id, kind, ending } of jobs) {
      if (ending !== 'succeeded' && ending !== 'cancelled') continue;
      if (left > 0) log.info(`${kind} ${ending}`, { job: id });
      else if (dropped === 0) setTimeout(tellDropped, 1_000).unref();
      if (left > 0) left -= 1;
      else dropped += 1;
    }
  });
}
