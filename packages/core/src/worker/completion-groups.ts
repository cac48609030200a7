/**
 * Sorts results into groups that one statement writes: what is kept and for how long, what is forgotten, what
 * goes back to wait. A group is all or nothing. Pure.
 */

import type { RunEvent } from '../domain/workflow/decision.ts';
import { textArray } from '../queue/enqueue-batch.ts';
import type { Statement } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Result } from './completer.ts';
import type { HeldJob } from './held-job.ts';
import { finalLabel } from './queue-runtime.ts';
import { endsStep, stepEvent } from './step-events.ts';

interface Key {
  readonly projectId: number;
  readonly key: string;
  readonly jobId: string;
}

export interface ResultGroup {
  readonly results: readonly Result[];
  /** Leases that have no jobs left once this group is written. */
  readonly finished: readonly string[];
  readonly keys: readonly Key[];
  /** The finished state whose unique keys are released: 4 succeeded, 8 failed, 16 cancelled. */
  readonly keyBit: number;
  /** Of jobs that go on waiting: keys that cover only that, and were freed when the jobs were claimed. */
  readonly retaken: readonly Key[];
  /** Of steps that have ended: what their runs are told, in the order of the results. Empty otherwise. */
  readonly events: readonly RunEvent[];
  keyTexts(): string;
  statement(statements: BoundStatements): Statement;
  values(): unknown[];
}

/** A batch of history spans at most this much time of ids; stragglers get rows of their own, so that a look-up by id meets few. */
const idSpanMs = 60_000;
const idGroupsMax = 8;

/** Whose results they are. */
export interface GroupedFor {
  readonly workerName: string;
  /** By how much the clock of the database is ahead of ours. */
  readonly clockOffsetMs: number;
}

/** The groups of a batch of results. Leases end with the last group that names them. */
export function groupResults(results: readonly Result[], worker: GroupedFor): ResultGroup[] {
  const sorted = new Map<string, Result[]>();
  for (const result of results) {
    const label = labelOf(result);
    const group = sorted.get(label);
    if (group === undefined) sorted.set(label, [result]);
    else group.push(result);
  }
  const lists: [string, Result[]][] = [];
  for (const [label, list] of sorted) {
    if (!label.startsWith('keep')) lists.push([label, list]);
    else for (const part of splitByIdTime(list)) lists.push([label, part]);
  }
  const ending = new Map<string, number>();
  for (const result of results) {
    const { lease } = result.job;
    ending.set(lease.id, (ending.get(lease.id) ?? 0) + 1);
  }
  const finishing = new Set<string>();
  for (const result of results) {
    const { lease } = result.job;
    if (lease.unsettled === ending.get(lease.id)) finishing.add(lease.id);
  }
  const lastGroup = new Map<string, number>();
  for (const [place, [, list]] of lists.entries()) {
    for (const result of list) {
      if (finishing.has(result.job.lease.id)) lastGroup.set(result.job.lease.id, place);
    }
  }
  const finishedIn = new Map<number, string[]>();
  for (const [lease, place] of lastGroup) {
    const list = finishedIn.get(place);
    if (list === undefined) finishedIn.set(place, [lease]);
    else list.push(lease);
  }
  return lists.map(([label, list], place) => makeGroup(label, list, finishedIn.get(place) ?? [], worker));
}

function labelOf(result: Result): string {
  const label = endingLabel(result);
  return result.job.keyed === undefined ? label : `${label}:keyed`;
}

function endingLabel(result: Result): string {
  const { job, ending, enqueue } = result;
  if (endsStep(result)) return enqueue.length === 0 ? 'step' : alone('step', job);
  if (ending.type === 'succeeded' || ending.type === 'cancelled') {
    const label =
      job.options.retention === undefined
        ? job.runtime.labels[ending.type]
        : finalLabel(ending.type, job.keepMs(ending.type));
    return enqueue.length === 0 ? label : alone(label, job);
  }
  const label = ending.type === 'dead' ? 'move:dead' : 'move:alive';
  return enqueue.length === 0 ? label : alone(label, job);
}

/** A job that enqueues others stands alone: their trouble must not hold up its neighbours. */
function alone(label: string, job: HeldJob): string {
  return `${label}:${job.jobId}`;
}

function makeGroup(
  label: string,
  list: Result[],
  finished: readonly string[],
  { workerName, clockOffsetMs }: GroupedFor,
): ResultGroup {
  const results = sortedById(list);
  const final = !label.startsWith('move:alive');
  const keys: Key[] = [];
  const retaken: Key[] = [];
  for (const { job } of results) {
    const key = job.options.unique?.key;
    if (key === undefined) continue;
    if (final) keys.push({ projectId: job.runtime.queue.projectId, key, jobId: job.jobId });
    else if (job.freesKeyAtClaim)
      retaken.push({ projectId: job.runtime.queue.projectId, key, jobId: job.jobId });
  }
  const kind = label.split(':')[0];
  const events = kind === 'step' ? results.map((each) => stepEvent(each, workerName, clockOffsetMs)) : [];
  return {
    results,
    finished,
    keys,
    retaken,
    events,
    keyBit: label.startsWith('move') ? 8 : label.includes('cancelled') ? 16 : 4,
    keyTexts: () => textArray(keys.map((key) => key.key)),
    statement: (statements) => {
      const keyed = results[0]?.job.keyed !== undefined;
      if (kind === 'step') return keyed ? statements.completeStepsKeyed : statements.completeSteps;
      if (kind === 'keep') return keyed ? statements.completeKeyed : statements.complete;
      if (kind === 'forget') return keyed ? statements.forgetKeyed : statements.forget;
      return keyed ? statements.settleKeyed : statements.settle;
    },
    values: () => {
      const leases = `{${[...new Set(results.map((result) => result.job.lease.id))].join(',')}}`;
      const ended = `{${finished.join(',')}}`;
      if (kind === 'move') return [leases, ended, JSON.stringify(results.map(moveOf))];
      const ids = `{${results.map((result) => result.job.jobId).join(',')}}`;
      const fences = `{${results.map((result) => result.job.fence).join(',')}}`;
      if (kind === 'forget') return [leases, ids, fences, ended];
      if (kind === 'step') return [leases, ids, fences, ended, JSON.stringify(events)];
      const workerText = JSON.stringify(workerName);
      const keepMs = results[0] === undefined ? 0 : keepMsOf(results[0]);
      const lanes = `{${[...new Set(results.map((result) => result.job.lane.id))].join(',')}}`;
      return [
        leases,
        ids,
        fences,
        ended,
        keepMs,
        lanes,
        results.map((result) => entryOf(result, workerText)).join('\n'),
        label.includes('cancelled') ? 'cancelled' : 'succeeded',
        ...spanOf(results),
      ];
    },
  };
}

/** When the first and the last of the jobs was made. */
function spanOf(results: readonly Result[]): [number, number] {
  let from = results[0]?.job.createdMs ?? '';
  let to = from;
  // As texts, of one length for 300 years: this runs for every job.
  for (const { job } of results) {
    if (job.createdMs < from) from = job.createdMs;
    else if (job.createdMs > to) to = job.createdMs;
  }
  return [Number(from), Number(to)];
}

/** Jobs are locked in the order of their ids; results mostly come in it. */
function sortedById(list: Result[]): Result[] {
  for (let place = 1; place < list.length; place += 1) {
    const before = list[place - 1];
    const here = list[place];
    if (before !== undefined && here !== undefined && before.job.jobId > here.job.jobId) {
      return [...list].sort((a, b) => (a.job.jobId < b.job.jobId ? -1 : 1));
    }
  }
  return list;
}

function keepMsOf({ job, ending }: Result): number {
  return ending.type === 'cancelled' ? job.keepMs('cancelled') : job.keepMs('succeeded');
}

/** Whether a job that is tried again is ready at once. */
export function isReadyAtOnce(ending: { readonly delayMs: number }): boolean {
  return ending.delayMs <= 0;
}

/** What `settle.sql` is told of a job that goes on waiting, or is dead. */
function moveOf({ job, ending }: Result): Record<string, unknown> {
  const base = { id: job.jobId, fence: job.fence };
  const ready = { ...base, to: 'ready', queue: job.runtime.queue.id };
  switch (ending.type) {
    case 'later':
      return {
        ...(isReadyAtOnce(ending) ? ready : { ...base, to: 'later' }),
        attempt: ending.attempt,
        delay: ending.delayMs,
        reason: ending.reason,
        errors: ending.errors,
      };
    case 'ready':
      return { ...ready, attempt: ending.attempt };
    case 'dead':
      return {
        ...base,
        to: 'dead',
        attempt: ending.attempt,
        reason: ending.reason,
        errors: ending.errors,
        keep: job.keepMs('failed'),
      };
    case 'blocked':
      return {
        ...base,
        to: 'blocked',
        attempt: job.attemptsBefore,
        reason: ending.reason,
        detail: ending.detail,
      };
    case 'succeeded':
    case 'cancelled':
      throw new TypeError(`${ending.type} is not a move`);
  }
}

/**
 * A line of history: [lane, outcome, attempt, createdMs, startedMs, finishedMs, worker, payload, output, extra].
 * Built by hand: payload and output are JSON text already, and this runs for every job.
 *
 * @param workerText the name of the worker, as JSON
 */
export function entryOf({ job, ending, finishedMs }: Result, workerText: string): string {
  const output = ending.type === 'succeeded' ? (ending.outputText ?? 'null') : 'null';
  const reason = ending.type === 'cancelled' ? ending.reason : undefined;
  const extra = reason === undefined && job.isPlain ? '{}' : extraOf(job, reason);
  const attempt = job.attemptsBefore + 1;
  const line =
    `[${job.lane.id},"${ending.type}",${attempt},${job.createdMs},${job.startedMs},${finishedMs},` +
    `${workerText},${job.sentText},${output},${extra}]`;
  return line.includes('\n') ? line.replaceAll('\n', ' ') : line;
}

function extraOf(job: HeldJob, reason: string | undefined): string {
  const parts: string[] = [];
  if (reason !== undefined) parts.push(`"reason":${JSON.stringify(reason)}`);
  if (Object.keys(job.options).length > 0) parts.push(`"options":${JSON.stringify(job.options)}`);
  if (job.errors.length > 0) parts.push(`"errors":${JSON.stringify(job.errors)}`);
  return `{${parts.join(',')}}`;
}

/** Cuts a batch where the times in its ids are far apart, at the widest gaps first. */
function splitByIdTime(results: Result[]): Result[][] {
  if (idSpanOf(results) <= idSpanMs) return [results];
  const sorted = results
    .map((result) => ({ result, ms: idTimeMs(result.job.jobId) }))
    .sort((a, b) => a.ms - b.ms);
  const gaps: { at: number; width: number }[] = [];
  for (let at = 1; at < sorted.length; at += 1) {
    const width = (sorted[at]?.ms ?? 0) - (sorted[at - 1]?.ms ?? 0);
    if (width > idSpanMs / 10) gaps.push({ at, width });
  }
  const cuts = gaps
    .sort((a, b) => b.width - a.width)
    .slice(0, idGroupsMax - 1)
    .map((gap) => gap.at)
    .sort((a, b) => a - b);
  const parts: Result[][] = [];
  for (const [place, start] of [0, ...cuts].entries()) {
    parts.push(sorted.slice(start, cuts[place] ?? sorted.length).map((item) => item.result));
  }
  return parts;
}

/** How far apart the times in ids are: they sort as texts. */
function idSpanOf(results: readonly Result[]): number {
  let first = results[0]?.job.jobId ?? '';
  let last = first;
  for (const { job } of results) {
    if (job.jobId < first) first = job.jobId;
    else if (job.jobId > last) last = job.jobId;
  }
  return idTimeMs(last) - idTimeMs(first);
}

function idTimeMs(id: string): number {
  return Number.parseInt(id.slice(0, 8) + id.slice(9, 13), 16);
}
