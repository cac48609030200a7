/** How jobs and queues are shown to people. */

import type { ErrorRecord, JobState, JobView } from '@lineshaft/core';
import { describeDuration, describeTime } from '../durations.ts';
import type { Screen, Style } from './screen.ts';
import { trimStack } from './stack.ts';
import { printable } from './text-width.ts';

const stateStyles: Readonly<Record<JobState, Style>> = {
  blocked: 'yellow',
  scheduled: 'blue',
  ready: 'cyan',
  running: 'cyan',
  retrying: 'yellow',
  succeeded: 'green',
  failed: 'red',
  cancelled: 'dim',
};

/** All states, as far as the command knows them before it has loaded the core. */
export const states = Object.keys(stateStyles);

/** Reasons that are codes, as people say them. */
const reasons: Readonly<Record<string, string>> = {
  attempts: 'all its attempts failed',
  'not-retryable': 'its error says that trying again is useless',
  rescues: 'its workers died too often while it ran',
  'upgrade-failed': 'its payload could not be upgraded to the version of this build (upgrade-failed)',
};

/** How a state is coloured. */
export function stateStyle(state: string): Style {
  return stateStyles[state as JobState] ?? 'reset';
}

/** A time as people and logs have it: `2030-01-31 08:00:00 UTC (in 5 min)`. */
export function fullTime(time: Date | undefined, nowMs: number): string | undefined {
  if (time === undefined) return undefined;
  return `${time.toISOString().replace('T', ' ').slice(0, 19)} UTC (${describeTime(time, nowMs)})`;
}

/** All that is known of a job, as text. */
export function describeJob(job: JobView, screen: Screen, cwd: string, nowMs: number): string {
  const ofAttempts = job.maxAttempts === undefined ? '' : ` of ${job.maxAttempts}`;
  const facts = screen.facts([
    ['id', job.id],
    ['kind', job.kind],
    ['queue', job.project === 'default' ? job.queue : `${job.queue} (project ${job.project})`],
    ['state', screen.style(stateStyle(job.state), job.state) + nextStep(job, nowMs)],
    ['attempts', `${job.attempt}${ofAttempts}${job.rescued > 0 ? `, rescued ${job.rescued} times` : ''}`],
    ['priority', job.priority === undefined ? undefined : String(job.priority)],
    ['enqueued', fullTime(job.createdAt, nowMs)],
    ['started', fullTime(job.startedAt, nowMs)],
    ['finished', fullTime(job.finishedAt, nowMs)],
    ['took', tookOf(job)],
    ['worker', job.worker],
    ['progress', progressOf(job)],
    ['reason', reasons[job.reason ?? ''] ?? job.reason],
    ['requires', job.requirements.length === 0 ? undefined : job.requirements.join(', ')],
    ['options', Object.keys(job.options).length === 0 ? undefined : printable(JSON.stringify(job.options))],
    ['payload', jsonText(job.payload)],
    ['output', job.output === undefined ? undefined : jsonText(job.output)],
  ]);
  const errors = job.errors.map((error) => describeError(error, screen, cwd, nowMs));
  const upgrade = job.reason === 'upgrade-failed' ? job.detail : undefined;
  if (upgrade?.['error'] !== undefined) {
    const build = typeof upgrade['build'] === 'string' ? ` in build ${printable(upgrade['build'])}` : '';
    errors.push(describeError(upgrade['error'] as ErrorRecord, screen, cwd, nowMs, `upgrade failed${build}`));
  }
  return [facts, ...errors].join('\n\n');
}

/** A failed attempt with its stack. */
export function describeError(
  error: ErrorRecord,
  screen: Screen,
  cwd: string,
  nowMs: number,
  failed = 'failed',
): string {
  const attempt = error.attempt === undefined ? failed : `attempt ${error.attempt} failed`;
  const when = error.at === undefined ? '' : ` ${describeTime(new Date(error.at), nowMs)}`;
  const what = printable(`${error.name}: ${error.message}`);
  const stack = trimStack(error.stack, cwd, screen.paint('dim'));
  return `${screen.style('red', `${attempt}${when}:`)} ${what}${stack === '' ? '' : `\n${stack}`}`;
}

/** JSON over several lines, as people read it. */
export function jsonText(value: unknown): string {
  return printable(JSON.stringify(value, null, 2) ?? 'none');
}

function nextStep({ id, state, dueAt }: JobView, nowMs: number): string {
  if (state === 'failed') return `; give it new attempts: lineshaft job retry ${id}`;
  if (dueAt === undefined || (state !== 'retrying' && state !== 'scheduled')) return '';
  return `, runs ${state === 'retrying' ? 'again ' : ''}${fullTime(dueAt, nowMs)}`;
}

function tookOf({ startedAt, finishedAt }: JobView): string | undefined {
  if (startedAt === undefined || finishedAt === undefined) return undefined;
  return describeDuration(finishedAt.getTime() - startedAt.getTime());
}

function progressOf({ progress }: JobView): string | undefined {
  if (progress === undefined) return undefined;
  return progress.total === undefined ? String(progress.current) : `${progress.current} of ${progress.total}`;
}
