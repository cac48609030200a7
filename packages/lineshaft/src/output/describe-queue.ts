/** How queues are shown to people. */

import { amountsText, type LaneView, type Queue, type QueueView, type WorkerView } from '@lineshaft/core';
import { describeDuration, describeTime } from '../durations.ts';
import { describeRetryRule } from '../retry-rule.ts';
import type { Screen } from './screen.ts';
import type { Column } from './table.ts';

const counts = ['ready', 'running', 'later', 'blocked', 'failed'] as const;

/** Queues with their counts, as a table. */
export function describeQueues(queues: readonly QueueView[], screen: Screen, nowMs: number): string {
  const columns: Column<QueueView>[] = [
    { title: 'queue', value: ({ queue }) => queue.name },
    { title: 'project', value: ({ queue }) => queue.project },
    {
      title: 'state',
      value: ({ queue }) => stateOf(queue, nowMs),
      style: ({ queue }) => screen.paint(queue.state === 'paused' ? 'yellow' : 'green'),
    },
    ...counts.map(
      (name): Column<QueueView> => ({
        title: name,
        value: ({ lanes }) => total(lanes, name),
        align: 'right',
      }),
    ),
    { title: 'workers', value: ({ workers }) => workers.length, align: 'right' },
    { title: 'concurrency', value: ({ queue }) => queue.concurrency, align: 'right' },
    { title: 'executor', value: ({ queue }) => queue.executor },
    { title: 'tags', value: ({ queue }) => queue.tags.join(' '), gives: true },
  ];
  return screen.table(columns, queues);
}

/** A queue: its settings, what waits in it, who serves it, and for what nobody does. */
export function describeQueue({ queue, lanes, workers }: QueueView, screen: Screen, nowMs: number): string {
  const parts = [describeSettings(queue, screen, nowMs), screen.style('bold', 'Lanes')];
  const waiting = lanes.filter((lane) => counts.some((name) => lane[name] > 0));
  const laneColumns: Column<LaneView>[] = [
    { title: 'kind', value: ({ kind }) => kind },
    { title: 'requires', value: ({ requirements }) => requirements.join(' ') || undefined },
    ...(waiting.some(({ needs }) => Object.keys(needs).length > 0)
      ? [{ title: 'needs', value: ({ needs }: LaneView) => amountsText(needs) }]
      : []),
    { title: 'build', value: ({ pin, build }) => (pin === 'none' ? 'any' : `${pin} ${build}`) },
    ...counts.map(
      (name): Column<LaneView> => ({ title: name, value: (lane) => countText(lane[name]), align: 'right' }),
    ),
    { title: 'workers', value: (lane) => lane.workers, align: 'right' },
  ];
  parts.push(waiting.length === 0 ? 'nothing waits, runs or has failed' : screen.table(laneColumns, waiting));
  parts.push(screen.style('bold', 'Workers'));
  const workerColumns: Column<WorkerView>[] = [
    { title: 'worker', value: ({ name }) => name },
    { title: 'build', value: ({ build }) => build },
    { title: 'running', value: ({ running, slots }) => `${running} of ${slots}`, align: 'right' },
    { title: 'heartbeat', value: ({ heartbeatAt }) => describeTime(heartbeatAt, nowMs) },
    { title: 'kinds', value: ({ kinds }) => kinds.join(' '), gives: true },
  ];
  parts.push(workers.length === 0 ? 'no live worker serves it' : screen.table(workerColumns, workers));
  const unserved = waiting.filter(({ workers: able, ready, later }) => able === 0 && ready + later > 0);
  if (unserved.length > 0) {
    parts.push(screen.style(['bold', 'yellow'], 'Jobs wait and nobody listens'));
    parts.push(unserved.map((lane) => `  ${describeUnserved(lane)}`).join('\n'));
  }
  return parts.join('\n\n');
}

function describeUnserved({
  kind,
  requirements,
  pin,
  build,
  needs,
  ready,
  later,
  unservedBecause,
}: LaneView): string {
  const waiting = ready + later;
  const jobs = `${countText(waiting)} ${waiting === 1 ? 'job' : 'jobs'} of kind ${kind}`;
  switch (unservedBecause) {
    case 'queue':
      return `${jobs}: no live worker serves the queue`;
    case 'requirements':
      return `${jobs}: no live worker has the tags ${requirements.join(', ')}`;
    case 'amounts':
      return `${jobs}: no live worker offers ${amountsText(needs)}`;
    case 'build':
      return (
        `${jobs}: pinned to build ${build} (${pin}), ` +
        `and no live worker runs ${pin === 'min' ? 'it or a later one' : 'it'}`
      );
    default:
      return `${jobs}: no live worker knows the kind`;
  }
}

function describeSettings(queue: Queue, screen: Screen, nowMs: number): string {
  const { executorOptions, limits, backoff, retention } = queue;
  return screen.facts([
    ['queue', queue.name],
    ['project', `${queue.project} (${queue.projectId})`],
    ['slug', queue.slug],
    ['state', stateOf(queue, nowMs)],
    ['concurrency', `${queue.concurrency} for each worker`],
    ['tags', queue.tags.join(', ')],
    ['executor', [queue.executor, ...pairs(executorOptions)].join(', ')],
    ['priority', String(queue.priority)],
    ['weight', String(queue.weight)],
    ['attempts', `${queue.maxAttempts}, ${backoff.type} back-off from ${describeDuration(backoff.delayMs)}`],
    ['retry rules', queue.retryRules.map(describeRetryRule).join('; ') || 'none'],
    ['needs', amountsText(queue.needs)],
    ['limits', pairs(limits).join(', ') || 'none'],
    ['retention', pairs(retention).join(', ')],
    ['polling', `every ${describeDuration(queue.pollingIntervalMs)}; wake: ${queue.wake}`],
  ]);
}

/** `timeoutMs: 5000` → `timeout 5 s`. */
function pairs(settings: object): string[] {
  return Object.entries(settings as Record<string, number>).map(([name, value]) => {
    if (name.endsWith('Ms')) return `${name.slice(0, -2)} ${describeDuration(value)}`;
    if (name.endsWith('Bytes')) return `${name.slice(0, -5)} ${Math.round(value / 1024 / 1024)} MiB`;
    return `${name} ${value}`;
  });
}

function stateOf({ state, resumeAt }: Queue, nowMs: number): string {
  return resumeAt === undefined ? state : `${state}, resumes ${describeTime(resumeAt, nowMs)}`;
}

function total(lanes: readonly LaneView[], name: (typeof counts)[number]): string {
  return countText(lanes.reduce((sum, lane) => sum + lane[name], 0));
}

/** Counting stops at a bound; a number beyond it says only that there are more. */
function countText(count: number): string {
  return count > 10_000 ? '> 10,000' : String(count);
}
