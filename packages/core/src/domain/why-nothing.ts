/** What to say of a queue or a kind of which no job could run now. Pure. */

import type { QueueFacts, Reason, SceneFacts } from './why-facts.ts';
import { jobsText, queueArgument, queueText, timeText } from './why-words.ts';

export interface NothingFacts {
  readonly running: number;
  readonly blocked: number;
  /** Jobs that are to come due, of those that were looked at. */
  readonly later: number;
  readonly nextMs: number | undefined;
}

/** @param asked the queue that was asked about; none: a kind was */
export function judgeNothing(
  { running, blocked, later, nextMs }: NothingFacts,
  asked: readonly QueueFacts[],
  { nowMs }: SceneFacts,
): Reason {
  const [queue] = asked;
  const parts = [
    ...(running > 0 ? [`${jobsText(running)} ${running === 1 ? 'is' : 'are'} claimed or run`] : []),
    ...(blocked > 0 ? [`${jobsText(blocked)} ${blocked === 1 ? 'is' : 'are'} blocked`] : []),
    ...(nextMs === undefined
      ? []
      : [`${jobsText(later)} will be due, the next at ${timeText(nextMs, nowMs)}`]),
  ];
  const paused = queue?.paused === true ? `; queue ${queueText(queue)} is paused` : '';
  const rest = parts.length === 0 ? '' : `; ${parts.join(', ')}`;
  return {
    code: 'nothing-waits',
    message: `no job is ready that does not run${rest}${paused}`,
    command:
      blocked > 0
        ? 'lineshaft job list --state blocked'
        : queue?.paused === true
          ? `lineshaft queue resume ${queueArgument(queue)}`
          : undefined,
    jobs: 0,
    details: { running, blocked, later, next: nextMs === undefined ? null : new Date(nextMs).toISOString() },
  };
}
