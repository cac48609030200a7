/** Turns validated requests into the arguments of the SQL function `enqueue_many`, and its answer into results. Pure. */

import type { EnqueueResult } from '../domain/job-options.ts';
import type { Template, ValidRequest } from '../domain/validate-job.ts';

/** A request that has an id, ready to be sent. */
export interface PreparedJob extends ValidRequest {
  readonly id: string;
  /** The id came from the caller, so it may have been sent before. */
  readonly resend: boolean;
}

/** How workers hear of the jobs: by a NOTIFY, by a rate-limited one, or (`after`) by the caller after the commit. */
export type WakeMode = 'always' | 'auto' | 'after' | 'never';

/** At most so many jobs and so many bytes of payload go in one statement. */
export const batchMaxJobs = 1_000;
/** The same for a call of many jobs, which nobody waits behind. */
export const bulkBatchMaxJobs = 2_000;
export const batchMaxBytes = 4 * 1024 * 1024;

/** The values of `enqueue_many.sql`. Jobs with equal options share a template. */
export function enqueueValues(jobs: readonly PreparedJob[], wake: WakeMode, since: string | null): unknown[] {
  const numbers = new Map<string, number>();
  const templates: unknown[] = [];
  const templateOf: number[] = [];
  let keyed = false;
  let resend = false;
  for (const job of jobs) {
    let number = numbers.get(job.templateKey);
    if (number === undefined) {
      templates.push(job.template);
      number = templates.length;
      numbers.set(job.templateKey, number);
    }
    templateOf.push(number);
    keyed ||= job.uniqueKey !== undefined;
    resend ||= job.resend;
  }
  return [
    JSON.stringify(templates),
    templates.length === 1 ? null : `{${templateOf.join(',')}}`,
    `{${jobs.map((job) => job.id).join(',')}}`,
    `[${jobs.map((job) => job.payloadText).join(',')}]`,
    keyed ? textArray(jobs.map((job) => job.uniqueKey)) : null,
    resend,
    wake,
    since,
  ];
}

/**
 * The values of `enqueue_plain.sql`, if it can take the batch: all of one kind and queue, and nothing else said.
 * Where it answers with no row it wrote nothing, and `enqueue_many.sql` is to be asked.
 */
export function plainValues(
  jobs: readonly PreparedJob[],
  wake: WakeMode,
  since: string | null,
): unknown[] | undefined {
  const [first] = jobs;
  if (first === undefined || !hasOnlyKindAndQueue(first.template)) return undefined;
  const { templateKey, template } = first;
  for (const job of jobs) {
    if (job.templateKey !== templateKey || job.resend || job.uniqueKey !== undefined) return undefined;
  }
  return [
    template.queue ?? 'default',
    template.kind,
    `{${jobs.map((job) => job.id).join(',')}}`,
    `[${jobs.map((job) => job.payloadText).join(',')}]`,
    wake,
    since,
  ];
}

function hasOnlyKindAndQueue(template: Template): boolean {
  for (const field in template) if (field !== 'kind' && field !== 'queue') return false;
  return true;
}

/** What became of each job: all are new but those that the database named. */
export function enqueueResults(
  jobs: readonly PreparedJob[],
  named: readonly (readonly (string | null)[])[],
): EnqueueResult[] {
  const results: EnqueueResult[] = jobs.map((job) => ({ id: job.id, result: 'new' }));
  for (const [number, id, result] of named) {
    results[Number(number) - 1] = { id: id ?? '', result: result as EnqueueResult['result'] };
  }
  return results;
}

/** Cuts a long list into batches that are bounded in number and in bytes. */
export function splitBatches(jobs: readonly PreparedJob[], maxJobs = batchMaxJobs): PreparedJob[][] {
  const batches: PreparedJob[][] = [];
  let batch: PreparedJob[] = [];
  let bytes = 0;
  for (const job of jobs) {
    if (batch.length >= maxJobs || (batch.length > 0 && bytes + job.payloadText.length > batchMaxBytes)) {
      batches.push(batch);
      batch = [];
      bytes = 0;
    }
    batch.push(job);
    bytes += job.payloadText.length;
  }
  if (batch.length > 0) batches.push(batch);
  return batches;
}

/** A PostgreSQL array literal of texts; undefined is null. */
export function textArray(values: readonly (string | undefined)[]): string {
  return `{${values.map((value) => (value === undefined ? 'null' : quoteElement(value))).join(',')}}`;
}

function quoteElement(value: string): string {
  return `"${value.replaceAll('\\', '\\\\').replaceAll('"', '\\"')}"`;
}
