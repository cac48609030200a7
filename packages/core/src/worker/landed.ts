/**
 * Results that were written although nobody heard of it: the connection was lost after the commit. Told apart from those
 * that came too late by what stands in the database now.
 */

import { textArray } from '../queue/enqueue-batch.ts';
import type { Session } from '../store/session.ts';
import type { BoundStatements } from '../store/statements.ts';
import type { Result } from './completer.ts';
import { endsStep } from './step-events.ts';

export async function findLanded(
  session: Session,
  statements: BoundStatements,
  results: readonly Result[],
  workerName: string,
): Promise<ReadonlySet<Result>> {
  const rows = await session.query(statements.landed, [
    `{${results.map(({ job }) => job.jobId).join(',')}}`,
    `{${results.map(({ job }) => job.fence).join(',')}}`,
    `{${results.map(({ job }) => job.rescued).join(',')}}`,
    textArray(results.map(endingOf)),
    `{${results.map(({ job, ending }) => ('attempt' in ending ? ending.attempt : job.attemptsBefore)).join(',')}}`,
    workerName,
  ]);
  const ids = new Set(rows.map(([id]) => id));
  return new Set(results.filter(({ job }) => ids.has(job.jobId)));
}

function endingOf(result: Result): string {
  const { job, ending } = result;
  if (endsStep(result)) return 'forgotten';
  if (ending.type !== 'succeeded' && ending.type !== 'cancelled') return ending.type;
  return job.keepMs(ending.type) > 0 ? ending.type : 'forgotten';
}
