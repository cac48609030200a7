/** All workloads, and which of them the nth request of a caller is. */
import type { Random } from '../random.ts';
import { delayed } from './delayed.ts';
import { child, parent } from './family.ts';
import { limited, ordered } from './limited.ts';
import { plain, slow } from './plain.ts';
import { doomed, retried } from './retried.ts';
import { snoozed } from './snoozed.ts';
import { ticks } from './ticks.ts';
import { unique } from './unique.ts';
import type { Workload } from './workload.ts';

export const workloads: readonly Workload[] = [
  plain,
  slow,
  delayed,
  unique,
  retried,
  doomed,
  snoozed,
  parent,
  child,
  limited,
  ordered,
  ticks,
];

export function pickWorkload(random: Random): Workload {
  let left = random.next() * workloads.reduce((sum, { share }) => sum + share, 0);
  for (const workload of workloads) {
    left -= workload.share;
    if (left < 0) return workload;
  }
  throw new RangeError('the shares of the workloads are not positive');
}
