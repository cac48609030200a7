/** Whether history has its partitions for the days ahead, and none is stuck half detached. */
import { statements } from '../statements.generated.ts';
import { ask, type Check } from './finding.ts';

export const partitionsCheck: Check = {
  code: 'partitions',
  fine: 'history has its partitions for the days ahead',
  needsSchema: true,
  async run(examination) {
    const days = await ask<{ day: string; ahead: number; present: boolean }>(
      examination,
      statements.doctorPartitionDays,
      [examination.limits.partitionDays],
    );
    return days
      .filter(({ present }) => !present)
      .map(({ day, ahead }) => ({
        code: 'partition-missing',
        // Without it jobs cannot finish on that day, or already cannot.
        severity: ahead <= 1 ? 'error' : 'warning',
        title: `history has no partition for ${day}${ahead === 0 ? ' (today)' : ''}`,
        detail: 'Finished jobs of that day have no place; their completions fail until it is there.',
        remedy:
          'Start a worker: its services make partitions days ahead. At once: ' +
          `select ${examination.schema}.make_history_partition('${day}')`,
      }));
  },
};

export const detachingCheck: Check = {
  code: 'detaching',
  fine: 'no partition is stuck while it is detached',
  needsSchema: true,
  async run(examination) {
    const stuck = await ask<{ name: string }>(examination, statements.doctorDetaching);
    return stuck.map(({ name }) => ({
      code: 'partition-detaching',
      severity: 'warning',
      title: `the detaching of partition ${name} was interrupted`,
      detail: 'Its rows are no longer seen through history, and its space is not given back.',
      remedy:
        'Start a worker: its services finish it. At once: ' +
        `alter table ${examination.schema}.history detach partition ${examination.schema}.${name} finalize`,
    }));
  },
};
