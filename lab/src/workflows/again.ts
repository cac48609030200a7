/**
 * Why a step was done again. Either as it is, by another worker: then the lease of the first had run out, or nobody knew that it
 * had been answered. Or as another attempt, since the first was not heard of in time. Both need a cause that is
 * derived from leases and faults; what has none is unexplained.
 */
import type { Start } from '../verdict/account.ts';
import { type Duplicate, duplicatesOf, toleranceMs } from '../verdict/duplicates.ts';
import type { FaultRecord, Hold, WorkerRow } from '../verdict/evidence.ts';
import type { FinalStep } from './audit.ts';
import type { RunEvidence } from './judge.ts';
import type { SignedEntry } from './ledger.ts';

type Entry<E extends SignedEntry['e']> = Extract<SignedEntry, { e: E }>;

export function againOf(evidence: RunEvidence): Duplicate[] {
  const faults = [...evidence.faults, ...stallsOf(evidence.ledger)];
  const entries = Map.groupBy(
    evidence.ledger.filter((entry) => 'step' in entry),
    ({ step }) => step,
  );
  return [
    ...[...entries].flatMap(([id, of]) => doneTwice(id, of, { ...evidence, faults })),
    ...evidence.steps
      .filter(({ status }) => status === 'TIMED_OUT')
      .flatMap((step) => unheardOf(step, entries.get(step.id) ?? [], { ...evidence, faults })),
  ];
}

function stallsOf(ledger: readonly SignedEntry[]): FaultRecord[] {
  return ledger.flatMap((entry): FaultRecord[] =>
    entry.e === 'stall'
      ? [{ kind: 'process stalled', target: entry.by, fromMs: entry.at - entry.ms, untilMs: entry.at }]
      : [],
  );
}

/** The same attempt, begun more than once. */
function doneTwice(id: string, entries: readonly SignedEntry[], evidence: RunEvidence): Duplicate[] {
  const begun = entries.filter((entry): entry is Entry<'start'> => entry.e === 'start');
  if (begun.length < 2) return [];
  const starts = begun.map(
    (entry): Start => ({ id, atMs: entry.at, by: entry.by, attempt: 1, key: undefined, end: undefined }),
  );
  const through = new Map(begun.map(({ by, via }) => [by, via]));
  const rows = new Map(evidence.workerRows);
  for (const { row } of evidence.holds.get(id) ?? []) {
    const worker = rows.get(row);
    const heardThrough = through.get(worker?.workerId ?? '');
    // Once it is known that it has the step, it alone can be what is not heard of.
    if (worker !== undefined && heardThrough !== undefined && evidence.unsent.has(row))
      rows.set(row, { ...worker, heardThrough });
  }
  return duplicatesOf({ starts }, { ...evidence, workerRows: rows });
}

/** An attempt whose worker was not heard of in time, which is followed by another. */
function unheardOf(step: FinalStep, entries: readonly SignedEntry[], evidence: RunEvidence): Duplicate[] {
  // As its input says.
  if (entries.some(({ e }) => e === 'hung')) return [];
  const hold = evidence.holds.get(step.id)?.at(-1);
  const worker = hold && evidence.workerRows.get(hold.row);
  const what = `attempt ${step.attempt} of ${step.ref} of run ${step.run}`;
  if (hold === undefined || worker === undefined)
    return [{ jobId: step.id, cause: undefined, story: `${what} is timed out, and nobody had it` }];
  const untilMs = step.endedAtMs ?? Infinity;
  const ranMs = Math.round(untilMs - hold.takenAtMs);
  const story = `${what} was with ${worker.workerId} and not heard of for ${ranMs} ms`;
  const cause = silencer(entries, { hold, worker, untilMs }, evidence.faults);
  return [
    cause === undefined
      ? { jobId: step.id, cause: undefined, story: `${story}, and nothing had been done to it` }
      : {
          jobId: step.id,
          cause: cause.kind,
          story: `${story}: ${cause.kind} (${cause.target ?? 'for all'})`,
        },
  ];
}

/** What kept the report of a worker from being heard: its death, or a fault of those whom it told. */
function silencer(
  entries: readonly SignedEntry[],
  { hold, worker, untilMs }: { hold: Hold; worker: WorkerRow; untilMs: number },
  faults: readonly FaultRecord[],
): FaultRecord | undefined {
  const within = faults.filter(
    ({ kind, fromMs, untilMs: endMs }) =>
      kind !== 'clock moved' && fromMs <= untilMs + toleranceMs && endMs >= hold.takenAtMs - toleranceMs,
  );
  const own = within.find(({ kind, target }) => target === worker.workerId && kind !== 'process stalled');
  if (own !== undefined) return own;
  const away = within.find(({ target }) => target === undefined);
  if (away !== undefined) return away;
  // A server that had trouble while it had nothing to hear from this worker is no reason.
  const told = entries.flatMap((entry) =>
    entry.e === 'told' && entry.by === worker.workerId && entry.at <= untilMs + toleranceMs
      ? [entry.via]
      : [],
  );
  const server = within.find(({ target }) => told.some((via) => target?.startsWith(`${via}.`) === true));
  return server ?? within.find(({ target }) => target === worker.workerId);
}
