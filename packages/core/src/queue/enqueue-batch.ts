/** Turns validated requests into the arguments of the SQL function `enqueue_many`, and its answer into results. Pure. */

import type { EnqueueResult } from '../domain/job-options.ts';
import type { Template, ValidRequest } from '../domain/validate-job.ts';
import { jsonArray, jsonTexts, uuidArray } from '../store/binary-array.ts';

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
    idsText(jobs),
    payloadsText(jobs),
    keyed ? textArray(jobs.map((job) => job.uniqueKey)) : null,
    resend,
    wake,
    since,
  ];
}

/** What all jobs of a batch have in common, where that is all that was said of them. */
export interface PlainBatch {
  readonly queue: string;
  readonly kind: string;
  /** One of them: the others differ in their id and payload. */
  readonly like: PreparedJob;
}

/**
 * The queue and kind of a batch that `enqueue_plain.sql` can take: all of one kind and queue, and nothing else said.
 * Where that answers with no row it wrote nothing, and `enqueue_many.sql` is to be asked.
 */
export function plainBatch(jobs: readonly PreparedJob[]): PlainBatch | undefined {
  const [first] = jobs;
  if (first === undefined || !hasOnlyKindAndQueue(first.template)) return undefined;
  const { templateKey, template } = first;
  for (const job of jobs) {
    if (job.templateKey !== templateKey || job.resend || job.uniqueKey !== undefined) return undefined;
  }
  return { queue: template.queue ?? 'default', kind: template.kind, like: first };
}

/**
 * A batch as bytes that the server reads fastest, for connections of our own. Outside of the heap: the payloads of
 * 100,000 jobs would be copied by the garbage collector again and again while they wait.
 */
export class EncodedBatch {
  readonly ids: readonly string[];
  private readonly idBytes: Buffer;
  private readonly payloadBytes: Buffer;
  private readonly plain: PlainBatch;

  constructor(plain: PlainBatch, jobs: readonly PreparedJob[]) {
    this.plain = plain;
    this.ids = jobs.map((job) => job.id);
    this.idBytes = uuidArray(this.ids);
    this.payloadBytes = jsonArray(jobs.map((job) => job.payloadText));
  }

  /** The values of `enqueue_plain.sql`. */
  values(wake: WakeMode, since: string | null): unknown[] {
    return [this.plain.queue, this.plain.kind, this.idBytes, this.payloadBytes, wake, since];
  }

  /** The jobs again, for `enqueue_many.sql`. */
  jobs(): PreparedJob[] {
    const texts = jsonTexts(this.payloadBytes);
    return this.ids.map((id, place) => ({ ...this.plain.like, id, payloadText: texts[place] ?? '{}' }));
  }
}

/** The values of `enqueue_plain.sql` as texts, for drivers of others. */
export function plainTexts(
  { queue, kind }: PlainBatch,
  jobs: readonly PreparedJob[],
  wake: WakeMode,
): unknown[] {
  return [queue, kind, idsText(jobs), textArray(jobs.map((job) => job.payloadText)), wake, null];
}

/** The values of `enqueue_inbox.sql`. */
export function inboxTexts({ queue, kind }: PlainBatch, jobs: readonly PreparedJob[]): unknown[] {
  return [queue, kind, idsText(jobs), payloadsText(jobs)];
}

function idsText(jobs: readonly PreparedJob[]): string {
  return `{${jobs.map((job) => job.id).join(',')}}`;
}

function payloadsText(jobs: readonly PreparedJob[]): string {
  return `[${jobs.map((job) => job.payloadText).join(',')}]`;
}

function hasOnlyKindAndQueue(template: Template): boolean {
  for (const field in template) if (field !== 'kind' && field !== 'queue') return false;
  return true;
}

/** What became of the jobs with these ids: all are new but those that the database named. */
export function enqueueResults(
  ids: readonly string[],
  named: readonly (readonly (string | null)[])[],
): EnqueueResult[] {
  const results: EnqueueResult[] = ids.map((id) => ({ id, result: 'new' }));
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
