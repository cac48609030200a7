/** The verdict: a pure function of the evidence. */
import { workloads } from '../workloads/index.ts';
import type { JobAccount } from './account.ts';
import { type Duplicate, duplicatesOf, leasedStarts, toleranceMs } from './duplicates.ts';
import type { Evidence } from './evidence.ts';

export interface Verdict {
  /** Requests that the database acknowledged to callers. */
  readonly acknowledged: number;
  /** Those of them whose job has ended as it should. */
  readonly finished: number;
  /** A sentence for each acknowledged request whose job is not there, or has not ended. */
  readonly lost: readonly string[];
  readonly duplicates: readonly Duplicate[];
  readonly violations: readonly string[];
  /** Requests whose answer was lost, and what became of them. */
  readonly unknown: { readonly inEffect: number; readonly without: number };
}

export function judge(evidence: Evidence): Verdict {
  const { accounts } = evidence;
  const acked = accounts.filter((job) => job.acked);
  const finalById = new Map(accounts.flatMap((job) => job.finals.map((final) => [final.id, final] as const)));
  const lost: string[] = [];
  const ended: string[] = [];
  let finished = 0;
  for (const job of acked) {
    const final = finalById.get(job.id ?? '');
    if (final === undefined) {
      const where = evidence.unfinished.get(job.id ?? '') ?? 'nowhere';
      lost.push(`job ${job.id} (${job.workload}, ${job.ref}) was acknowledged and is ${where}`);
    } else if (final.state !== job.ask?.expect)
      ended.push(`job ${job.id} (${job.workload}) has ${final.state}`);
    else finished += 1;
  }
  const unknown = accounts.filter((job) => !job.acked && job.ask !== undefined);
  return {
    acknowledged: acked.length,
    finished,
    lost,
    duplicates: accounts.flatMap((job) => duplicatesOf(job, evidence)),
    violations: [
      ...ended,
      ...evidence.crashes,
      ...refusals(evidence),
      ...accounts.flatMap((job) => [...effects(job), ...keptRightly(job, accounts), ...runs(job, evidence)]),
      ...unfencedWrites(evidence),
      ...workloads.flatMap((workload) =>
        workload.violations(
          accounts.filter((job) => job.workload === workload.name),
          evidence,
        ),
      ),
    ],
    unknown: {
      inEffect: unknown.filter((job) => job.ids.length > 0).length,
      without: unknown.filter((job) => job.ids.length === 0).length,
    },
  };
}

/** Enqueueing never fails for another reason than that the database is away. */
function refusals({ ledger }: Evidence): string[] {
  return ledger.flatMap((entry) =>
    entry.e === 'refused' ? [`${entry.ref} was refused: ${entry.code}`] : [],
  );
}

/** Each request is in effect at most once, and ends at most once, after its handler has. */
function effects(job: JobAccount): string[] {
  const wrong: string[] = [];
  if (job.ids.length > 1)
    wrong.push(`the request ${job.ref} is in effect ${job.ids.length} times: ${job.ids.join(', ')}`);
  if (job.finals.length > 1) wrong.push(`job ${job.id} ended ${job.finals.length} times`);
  const [final] = job.finals;
  const how = final?.state === 'failed' ? 'threw' : 'returned';
  if (final !== undefined && !job.starts.some((start) => start.end?.how === how)) {
    wrong.push(`job ${final.id} has ${final.state}, and no handler ever ${how}`);
  }
  return wrong;
}

/** Who asked for a taken key is told of a job that has it. */
function keptRightly(job: JobAccount, accounts: readonly JobAccount[]): string[] {
  if (job.keptFor === undefined) return [];
  const holder = accounts.find((each) => each.ids.includes(job.keptFor ?? ''));
  return holder === undefined || holder.ask?.key === job.ask?.key
    ? []
    : [`${job.ref} was told that job ${job.keptFor} has its key, which has another one`];
}

/** Attempts are counted without a gap, and nothing runs after it was written as finished. */
function runs(job: JobAccount, evidence: Evidence): string[] {
  const starts = leasedStarts(job, evidence);
  return starts.flatMap(({ start, hold }, place) => {
    const wrong: string[] = [];
    const before = starts[place - 1]?.start.attempt ?? 0;
    if (start.attempt > before + 1)
      wrong.push(`job ${start.id} went from attempt ${before} to ${start.attempt}`);
    if (hold === undefined) wrong.push(`job ${start.id} ran in ${start.by} without a lease`);
    return wrong;
  });
}

/** What a worker wrote, though its lease had been taken from it before the handler had even ended. */
function unfencedWrites(evidence: Evidence): string[] {
  const byId = new Map(evidence.accounts.flatMap((job) => job.ids.map((id) => [id, job] as const)));
  return evidence.ledger.flatMap((entry) => {
    if (entry.e !== 'written') return [];
    return entry.jobs.flatMap(([id, ending]) => {
      const job = byId.get(id);
      const runsOf = job === undefined ? [] : leasedStarts(job, evidence);
      const run = runsOf.findLast(
        ({ start }) => start.by === entry.by && (start.end?.atMs ?? Infinity) <= entry.at,
      );
      const wrong: string[] = [];
      const rescuedMs = run?.worker?.deletedAtMs;
      const endedMs = run?.start.end?.atMs;
      if (rescuedMs !== undefined && endedMs !== undefined && rescuedMs < endedMs - toleranceMs) {
        wrong.push(
          `${entry.by} wrote the end of job ${id}, which had been taken from it before: an unfenced write`,
        );
      }
      const next = run === undefined ? undefined : runsOf[runsOf.indexOf(run) + 1];
      if (finalEndings.has(ending) && next !== undefined) {
        wrong.push(
          `job ${id} was written as finished (${ending}) by ${entry.by}, and ran again in ${next.start.by}`,
        );
      }
      return wrong;
    });
  });
}

const finalEndings = new Set(['succeeded', 'cancelled', 'dead']);
