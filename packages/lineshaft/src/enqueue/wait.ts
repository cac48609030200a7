/** Waits for a job and prints how it ended. */

import type { EnqueueResult, FinishedJob } from '@lineshaft/core';
import type { Context } from '../commands/context.ts';
import type { Data } from '../data.ts';
import { describeTime } from '../durations.ts';
import { describeError, jsonText } from '../output/describe.ts';
import { exitCodes } from '../output/exit-codes.ts';
import { Progress } from '../output/progress.ts';

const lookEveryMs = 1_000;

/** Prints the output of the job when it has finished; exit code 1 where it did not succeed. */
export async function waitForJob(
  { id, result }: EnqueueResult,
  waitMs: number,
  data: Data,
  { screen, host }: Context,
): Promise<number> {
  const progress = new Progress(host, 'waiting');
  const looking = host.stderr.isTTY
    ? setInterval(() => look(id, data, progress, host.now()), lookEveryMs)
    : undefined;
  let job: FinishedJob | undefined;
  try {
    [job] = await data.waitFor([id], Number.isFinite(waitMs) ? { timeoutMs: waitMs } : {});
  } finally {
    clearInterval(looking);
    progress.end();
  }
  if (job === undefined) throw new TypeError('one job has one ending');
  const { state, output, error } = job;
  screen.result({ id, result, state, output, error }, () => {
    if (state === 'succeeded') return jsonText(output ?? null);
    if (error === undefined)
      return `the job ended as ${screen.style('red', state)}; see: lineshaft job show ${id}`;
    return describeError(error, screen, host.cwd, host.now());
  });
  return state === 'succeeded' ? exitCodes.ok : exitCodes.failed;
}

/** Says what the job is doing meanwhile. */
function look(id: string, data: Data, progress: Progress, nowMs: number): void {
  data.showJob(id).then(
    ({ state, attempt, dueAt, progress: done }) => {
      const again = attempt > 0 ? `, ${attempt} attempts failed` : '';
      const when =
        (state === 'retrying' || state === 'scheduled') && dueAt
          ? `, runs ${describeTime(dueAt, nowMs)}`
          : '';
      progress.next(`waiting: ${state}${again}${when}`);
      if (done?.total !== undefined) progress.update(done.current, done.total);
    },
    // It is only for show; the wait itself tells of trouble.
    () => undefined,
  );
}
