/** How schedules are shown to people. */

import type { Schedule, ScheduleView } from '@lineshaft/core';
import { describeDuration, describeTime } from '../durations.ts';
import { fullTime, stateStyle } from './describe.ts';
import type { Screen, Style } from './screen.ts';
import type { Column } from './table.ts';
import { printable } from './text-width.ts';

const stateStyles: Readonly<Record<Schedule['state'], Style>> = {
  active: 'green',
  paused: 'yellow',
  ended: 'dim',
};

/** Schedules with their next and last runs, as a table. */
export function describeSchedules(schedules: readonly Schedule[], screen: Screen, nowMs: number): string {
  const columns: Column<Schedule>[] = [
    { title: 'schedule', value: ({ name }) => name },
    { title: 'project', value: ({ project }) => project },
    { title: 'state', value: ({ state }) => state, style: ({ state }) => screen.paint(stateStyles[state]) },
    { title: 'rule', value: ruleOf },
    { title: 'kind', value: ({ kind }) => kind },
    { title: 'next', value: ({ nextRunAt }) => nextRunAt && describeTime(nextRunAt, nowMs) },
    { title: 'last', value: ({ lastRun }) => lastRun && describeTime(lastRun.at, nowMs) },
    {
      title: 'outcome',
      value: ({ lastRun }) => lastRun?.state,
      style: ({ lastRun }) => screen.paint(stateStyle(lastRun?.state ?? '')),
    },
    { title: 'note', value: noteOf, gives: true },
  ];
  return screen.table(columns, schedules);
}

/** All that is known of a schedule. */
export function describeSchedule(schedule: ScheduleView, screen: Screen, nowMs: number): string {
  const { lastRun, pauseReason, pausedAt, backfill, options } = schedule;
  const facts = screen.facts([
    ['schedule', schedule.name],
    ['project', schedule.project],
    ['state', screen.style(stateStyles[schedule.state], schedule.state)],
    ['paused', fullTime(pausedAt, nowMs)],
    ['because', pauseReason],
    ['rule', ruleOf(schedule)],
    ['starts', fullTime(schedule.startAt, nowMs)],
    ['ends', fullTime(schedule.endAt, nowMs)],
    ['jitter', schedule.jitterMs === 0 ? undefined : `below ${describeDuration(schedule.jitterMs)}`],
    [
      'missed runs',
      typeof backfill === 'string'
        ? backfill
        : `those within ${describeDuration(backfill.withinMs)}, at most ${backfill.most}`,
    ],
    ['overlap', schedule.overlap],
    ['kind', schedule.kind],
    ['payload', printable(JSON.stringify(schedule.payload))],
    ['options', Object.keys(options).length === 0 ? undefined : printable(JSON.stringify(options))],
    ['runs', `${schedule.runs}, skipped ${schedule.skipped}, missed ${schedule.missed}`],
    ['waiting', schedule.waiting === 0 ? undefined : `${schedule.waiting} for the job before them`],
    [
      'last run',
      lastRun && `${fullTime(lastRun.at, nowMs)}: ${screen.style(stateStyle(lastRun.state), lastRun.state)}`,
    ],
    ['its job', lastRun?.jobId],
    ['trouble', schedule.trouble && screen.style('red', printable(schedule.trouble))],
  ]);
  if (schedule.nextRuns.length === 0) return facts;
  return `${facts}\n\n${screen.style('bold', 'Next runs')}\n\n${describeRuns(schedule.nextRuns, schedule.timeZone, nowMs)}`;
}

/** Times, each in its zone and in UTC. */
export function describeRuns(runs: readonly Date[], zone: string | undefined, nowMs: number): string {
  const local = (run: Date): string =>
    zone === undefined || zone === 'UTC'
      ? ''
      : `${run.toLocaleString('sv-SE', { timeZone: zone, dateStyle: 'short', timeStyle: 'long' })}  `;
  return runs.map((run) => `  ${local(run)}${fullTime(run, nowMs)}`).join('\n');
}

function ruleOf({ cron, timeZone, everyMs }: Schedule): string {
  return everyMs === undefined ? `${cron} (${timeZone})` : `every ${describeDuration(everyMs)}`;
}

function noteOf({ trouble, pauseReason, waiting }: Schedule): string | undefined {
  return trouble ?? pauseReason ?? (waiting === 0 ? '' : `${waiting} waiting`);
}
