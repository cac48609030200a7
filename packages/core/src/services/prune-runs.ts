/**
 * Forgets runs of workflows that have ended, by age and by number: as the latest definition of a workflow says in
 * `lineshaft.retention` of its metadata, else as the pruner is told for all. A bounded number of runs and steps in one statement; runs that
 * lie in steps of runs that go on are kept. Then what no run was started with any more goes too.
 */

import { fieldsOf, refuseUnknown, wholeNumber } from '../domain/fields.ts';
import {
  keptCountMax,
  ownRetention,
  type RunRetention,
  retentionField,
} from '../domain/workflow/run-retention.ts';
import type { PruneContext } from './prune.ts';

/** In one statement. */
const runsMost = 100;
const stepsMost = 10_000;
const definitionsMost = 100;

/** @throws OPTION_INVALID, OPTION_UNKNOWN */
export function checkRunRetention(given: unknown): RunRetention {
  if (given === undefined) return {};
  const { maxAgeMs, maxCount, ...unknown } = fieldsOf(given, 'runs') as RunRetention &
    Record<string, unknown>;
  refuseUnknown(unknown, []);
  return {
    ...(maxAgeMs === undefined
      ? {}
      : { maxAgeMs: wholeNumber(maxAgeMs, 'runs.maxAgeMs', 0, Number.MAX_SAFE_INTEGER) }),
    ...(maxCount === undefined ? {} : { maxCount: wholeNumber(maxCount, 'runs.maxCount', 0, keptCountMax) }),
  };
}

/**
 * @param byDefault of workflows that say nothing themselves
 * @returns how many runs were forgotten
 */
export async function pruneRuns(context: PruneContext, byDefault: RunRetention): Promise<number> {
  const { session, statements, signal } = context;
  let removed = 0;
  for (const [name = null, retention = null] of await session.query(statements.runRetentions, [
    retentionField,
  ])) {
    if (signal.aborted) return removed;
    if (name === null) continue;
    const kept = { ...byDefault, ...ownRetention(retention === null ? undefined : JSON.parse(retention)) };
    removed += await pruneName(context, name, kept);
  }
  await pruneDefinitions(context);
  return removed;
}

async function pruneName(
  { session, statements, signal, term, rest }: PruneContext,
  name: string,
  { maxAgeMs, maxCount }: ReturnType<typeof ownRetention>,
): Promise<number> {
  let removed = 0;
  let before: string | null = null;
  if (maxAgeMs !== undefined) {
    const [[now = null] = []] = await session.query(statements.clockMs);
    before = new Date(Math.max(Number(now) - maxAgeMs, 0)).toISOString();
  }
  const [[at = null, id = null] = []] =
    maxCount === undefined ? [] : await session.query(statements.firstRunBeyond, [name, maxCount]);
  if (before === null && at === null) return 0;
  while (!signal.aborted) {
    const startedMs = performance.now();
    const [[gone = '0', more = 'f'] = []] = await session.query(statements.pruneRuns, [
      name,
      before,
      at,
      id,
      runsMost,
      stepsMost,
      term,
    ]);
    removed += Number(gone);
    if (more !== 't') break;
    await rest?.(performance.now() - startedMs);
  }
  return removed;
}

async function pruneDefinitions({ session, statements, signal, term, rest }: PruneContext): Promise<void> {
  while (!signal.aborted) {
    const startedMs = performance.now();
    const [[removed = '0'] = []] = await session.query(statements.pruneRunDefinitions, [
      definitionsMost,
      term,
    ]);
    if (Number(removed) < definitionsMost) return;
    await rest?.(performance.now() - startedMs);
  }
}
