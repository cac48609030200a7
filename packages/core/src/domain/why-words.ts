/** How reasons are worded: times, lists and names of queues. Pure. */

import type { QueueFacts, WorkerFacts } from './why-facts.ts';
import { countMax } from './why-facts.ts';

/** `2030-01-31 08:00:00 UTC (in 5 min)`. */
export function timeText(ms: number, nowMs: number): string {
  const far = ms - nowMs;
  const relation = Math.abs(far) < 500 ? 'now' : far > 0 ? `in ${spanText(far)}` : `${spanText(-far)} ago`;
  return `${new Date(ms).toISOString().replace('T', ' ').slice(0, 19)} UTC (${relation})`;
}

/** `850 ms`, `3 s`, `12 min`, `5 h`, `3 days`. */
export function spanText(ms: number): string {
  if (ms < 1_000) return `${Math.max(0, Math.round(ms))} ms`;
  if (ms < 120_000) return `${Math.round(ms / 1_000)} s`;
  if (ms < 7_200_000) return `${Math.round(ms / 60_000)} min`;
  if (ms < 172_800_000) return `${Math.round(ms / 3_600_000)} h`;
  return `${Math.round(ms / 86_400_000)} days`;
}

/** `1 job`, `12 jobs`, `more than 10000 jobs`. */
export function jobsText(jobs: number): string {
  return jobs > countMax ? `more than ${countMax} jobs` : `${jobs} ${jobs === 1 ? 'job' : 'jobs'}`;
}

/** At most five, and how many more: `a, b and 3 more`. */
export function listText(items: readonly string[]): string {
  const shown = items.slice(0, 5);
  const more = items.length - shown.length;
  return `${shown.join(', ')}${more > 0 ? ` and ${more} more` : ''}`;
}

/** `mail`, or `mail (project shop)`. */
export function queueText({ name, project }: QueueFacts): string {
  return project === 'default' ? name : `${name} (project ${project})`;
}

/** The queue as an argument of `queue …` commands. */
export function queueArgument({ name, project }: QueueFacts): string {
  return project === 'default' ? name : `${name} --project ${project}`;
}

/** What a worker is busy with: `send-email 7, resize 3`. */
export function holdsText(worker: WorkerFacts, slug?: string): string {
  const byKind = new Map<string, number>();
  for (const { kind, jobs, slug: of } of worker.holds)
    if (slug === undefined || of === slug) byKind.set(kind, (byKind.get(kind) ?? 0) + jobs);
  const sorted = [...byKind].sort(([, a], [, b]) => b - a);
  return listText(sorted.map(([kind, jobs]) => `${kind} ${jobs}`));
}
