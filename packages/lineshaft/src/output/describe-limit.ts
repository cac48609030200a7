/** How limits are shown to people. */

import type { CounterView, Limit } from '@lineshaft/core';
import { describeDuration, describeTime } from '../durations.ts';
import type { Screen } from './screen.ts';
import type { Column } from './table.ts';

/** Limits with what they grant, as a table. */
export function describeLimits(limits: readonly Limit[], screen: Screen): string {
  const columns: Column<Limit>[] = [
    { title: 'limit', value: ({ name }) => name },
    { title: 'project', value: ({ project }) => project },
    { title: 'at once', value: ({ concurrency }) => concurrency, align: 'right' },
    { title: 'rate', value: rateOf },
    { title: 'order', value: orderOf },
    { title: 'key', value: keyOf },
    { title: 'jobs', value: jobsOf, gives: true },
  ];
  return screen.table(columns, limits);
}

/** A limit: what it grants, and its keys in use. */
export function describeLimit(
  { limit, counters }: { readonly limit: Limit; readonly counters: readonly CounterView[] },
  screen: Screen,
  nowMs: number,
): string {
  const facts = screen.facts([
    ['limit', limit.name],
    ['project', limit.project],
    ['at once', limit.concurrency === undefined ? 'any number' : String(limit.concurrency)],
    ['rate', rateOf(limit)],
    ['order', orderOf(limit)],
    ['key', keyOf(limit)],
    ['cost', typeof limit.cost === 'number' ? String(limit.cost) : `payload:${limit.cost.payload}`],
    ['tiers', limit.tiers.map((tier) => JSON.stringify(tier)).join('; ') || undefined],
    ['jobs', jobsOf(limit)],
  ]);
  if (counters.length === 0) return `${facts}\n\nno key is in use`;
  const columns: Column<CounterView>[] = [
    { title: 'key', value: ({ key }) => key || '(none)' },
    { title: 'in use', value: ({ used }) => used, align: 'right' },
    { title: 'of', value: ({ concurrency }) => concurrency, align: 'right' },
    { title: 'tokens', value: ({ tokens }) => tokens?.toFixed(1), align: 'right' },
    { title: 'lanes that wait', value: ({ parkedLanes }) => parkedLanes, align: 'right' },
    { title: 'closed', value: ({ closedUntil }) => closedUntil && describeTime(closedUntil, nowMs) },
  ];
  return `${facts}\n\n${screen.style('bold', 'Keys')}\n\n${screen.table(columns, counters)}`;
}

function rateOf({ rate }: Limit): string | undefined {
  return rate === undefined
    ? undefined
    : `${rate.amount} in ${describeDuration(rate.perMs)}, ${rate.sliding ? 'in any' : `at most ${rate.burst} at once`}`;
}

function orderOf({ fifo, fair }: Limit): string | undefined {
  if (fifo) return 'one after the other';
  return fair ? 'keys take turns' : undefined;
}

function keyOf({ key }: Limit): string {
  if (typeof key === 'string') return key;
  return 'payload' in key ? `payload:${key.payload}` : `label:${key.label}`;
}

function jobsOf({ queues, kinds, wholeProject }: Limit): string {
  const parts: string[] = [];
  if (queues !== undefined) parts.push(`queues ${queues.join(', ')}`);
  if (kinds !== undefined) parts.push(`kinds ${kinds.join(', ')}`);
  if (parts.length > 0) return parts.join('; ');
  return wholeProject ? 'all of the project' : 'those that name it';
}
