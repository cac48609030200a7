/**
 * Enqueueing in a transaction of the caller's, which some other library runs; adapters for these are in
 * `adapters`.
 */

import { LineshaftError } from '../domain/errors.ts';
import type { EnqueueResult } from '../domain/job-options.ts';
import { databaseError } from '../store/database-error.ts';
import { type AfterCommitWaker, WakeTargets } from './after-commit.ts';
import {
  enqueueResults,
  enqueueValues,
  inboxTexts,
  type PreparedJob,
  plainBatch,
  plainTexts,
  splitBatches,
  type WakeMode,
} from './enqueue-batch.ts';

/**
 * A transaction of the caller's, as an adapter presents it: runs a statement with `$1` parameters in it and
 * gives its rows as objects.
 */
export interface CallerTransaction {
  /**
   * The values are texts, booleans and null; their types are in the statement. An adapter may prepare it
   * under the name, if there is one.
   */
  query(text: string, values: readonly unknown[], name?: string): Promise<readonly Record<string, unknown>[]>;
  /**
   * There where the adapter hears of the commit: calls back once, after the transaction that is open now has
   * been committed, or perhaps after it was rolled back; never before. Workers are then woken by a message of
   * their own, else by a rate-limited NOTIFY in the transaction.
   */
  afterCommit?(callback: () => void): void;
}

export interface StatementWithin {
  readonly text: string;
  /** For those who can prepare it; named after the schema, since a connection may serve several installations. */
  readonly name: string;
}

/** The short ways for the common case, and the way for all. */
export interface StatementsWithin {
  /** Where the commit is heard of: then the jobs are taken in. */
  readonly inbox: StatementWithin;
  readonly inboxOne: StatementWithin;
  readonly plain: StatementWithin;
  readonly many: StatementWithin;
}

/** Enqueues in the transaction; the answers are in the order of the jobs. */
export async function enqueueWithin(
  transaction: CallerTransaction,
  jobs: readonly PreparedJob[],
  statements: StatementsWithin,
  waker: AfterCommitWaker,
): Promise<EnqueueResult[]> {
  const places = lockOrder(jobs);
  const ordered = places === undefined ? jobs : places.map((place) => jobs[place] as PreparedJob);
  const mode = transaction.afterCommit === undefined ? 'auto' : 'after';
  const results: EnqueueResult[] = [];
  const targets = new WakeTargets();
  for (const batch of splitBatches(ordered)) {
    const ids = batch.map((job) => job.id);
    if (mode === 'after' && (await leaveInInbox(transaction, statements, batch))) {
      targets.addInbox();
      results.push(...enqueueResults(ids, []));
      continue;
    }
    const rows = await writeIn(transaction, statements, batch, mode);
    // By position: some libraries are set up to rename columns.
    const named = rows.map((row) => Object.values(row).map(String));
    for (const [place, result] of enqueueResults(ids, named).entries()) {
      const job = batch[place];
      if (job !== undefined && result.result !== 'kept') targets.addJob(job);
      results.push(result);
    }
  }
  if (!targets.empty) transaction.afterCommit?.(() => waker.wake(targets));
  if (places === undefined) return results;
  const answers: EnqueueResult[] = new Array(jobs.length);
  for (const [number, place] of places.entries()) answers[place] = results[number] as EnqueueResult;
  return answers;
}

/**
 * The order in which jobs with unique keys are written when they are more than one batch: that of the keys,
 * as within a batch, so that callers who enqueue the same keys at the same time wait for each other and never
 * in a circle.
 */
function lockOrder(jobs: readonly PreparedJob[]): number[] | undefined {
  if (!jobs.some((job) => job.uniqueKey !== undefined) || splitBatches(jobs).length < 2) return undefined;
  const keys = jobs.map((job) => (job.uniqueKey === undefined ? undefined : Buffer.from(job.uniqueKey)));
  return [...jobs.keys()].sort((a, b) => {
    const [one, other] = [keys[a], keys[b]];
    if (one === undefined || other === undefined)
      return Number(one !== undefined) - Number(other !== undefined);
    return Buffer.compare(one, other);
  });
}

/**
 * The least that can be written: the jobs get their lanes and places after the commit. False where that was not
 * possible, and nothing was written.
 */
async function leaveInInbox(
  transaction: CallerTransaction,
  statements: StatementsWithin,
  batch: readonly PreparedJob[],
): Promise<boolean> {
  const plain = plainBatch(batch);
  const [only] = batch;
  if (plain === undefined || only === undefined) return false;
  const { queue, kind } = plain;
  if (batch.length === 1) {
    const left = await runIn(transaction, statements.inboxOne, [queue, kind, only.id, only.payloadText]);
    if (left.length > 0) return true;
  }
  return (await runIn(transaction, statements.inbox, inboxTexts(plain, batch))).length > 0;
}

/** Writes a batch; gives the rows of what is not new. */
async function writeIn(
  transaction: CallerTransaction,
  statements: StatementsWithin,
  batch: readonly PreparedJob[],
  mode: WakeMode,
): Promise<readonly Record<string, unknown>[]> {
  const plain = mode === 'after' ? undefined : plainBatch(batch);
  if (plain !== undefined) {
    const written = await runIn(transaction, statements.plain, plainTexts(plain, batch, mode));
    if (written.length > 0) return [];
  }
  return await runIn(transaction, statements.many, enqueueValues(batch, mode, null));
}

async function runIn(
  transaction: CallerTransaction,
  { text, name }: StatementWithin,
  values: unknown[],
): Promise<readonly Record<string, unknown>[]> {
  try {
    return await (name === undefined
      ? transaction.query(text, values)
      : transaction.query(text, values, name));
  } catch (error) {
    const own = ownError(error);
    if (own === undefined) throw error;
    const { code, message, details } = databaseError(own);
    throw new LineshaftError(code, { message, details, cause: error });
  }
}

/** States of our own errors, and of the errors that tell that the schema is not there. */
const ownStates = /^(LS\d{3}|42P01|3F000|42883)$/;
const wrappings = ['cause', 'driverError', 'driverAdapterError', 'originalError', 'meta'];
const deepest = 6;

/**
 * What our SQL raised, wherever the library put it. All else (a deadlock, a lost connection) is thrown as the
 * library gave it, since the caller's code knows that.
 */
function ownError(thrown: unknown, depth = 0): object | undefined {
  if (typeof thrown !== 'object' || thrown === null || depth > deepest) return undefined;
  const fields = thrown as Record<string, unknown>;
  const state = [fields['code'], fields['originalCode']].find(
    (code) => typeof code === 'string' && ownStates.test(code),
  );
  // Where there are two, the inner one has the details.
  for (const name of wrappings) {
    const inner = ownError(fields[name], depth + 1);
    if (inner !== undefined) return inner;
  }
  if (state === undefined) return undefined;
  return {
    code: state,
    message: fields['originalMessage'] ?? fields['message'],
    detail: fields['detail'],
    hint: fields['hint'],
  };
}
