/** The verdict on runs: a pure function of ledgers, faults and what the database says in the end. */
import type { Duplicate } from '../verdict/duplicates.ts';
import type { FaultRecord } from '../verdict/evidence.ts';
import type { Verdict } from '../verdict/judge.ts';
import type { SignedEntry } from './ledger.ts';
import { shapes } from './shapes.ts';

export interface FinalRun {
  readonly id: string;
  readonly status: string;
  readonly output: unknown;
  readonly ended: boolean;
}

export interface FinalStep {
  readonly id: string;
  readonly run: string;
  readonly ref: string;
  readonly type: string;
  readonly status: string;
}

export interface RunEvidence {
  readonly ledger: readonly SignedEntry[];
  readonly runs: readonly FinalRun[];
  /** Steps that workers do. */
  readonly steps: readonly FinalStep[];
  /** Jobs and marks that are left when all runs have ended. */
  readonly leftOver: readonly string[];
  readonly faults: readonly FaultRecord[];
  readonly crashes: readonly string[];
  readonly leaseMs: number;
}

/** What is acknowledged: runs, and the steps that they made of themselves. */
export function judgeRuns(evidence: RunEvidence): Verdict {
  const acks = evidence.ledger.flatMap((entry) => (entry.e === 'ack' ? [entry] : []));
  const runs = new Map(evidence.runs.map((run) => [run.id, run]));
  const lost: string[] = [];
  const violations: string[] = [...evidence.crashes, ...evidence.leftOver];
  let finished = 0;
  for (const ack of acks) {
    const run = runs.get(ack.run);
    if (run === undefined) {
      lost.push(`run ${ack.run} (${ack.shape}) was acknowledged and is nowhere`);
      continue;
    }
    const wanted = shapes.find(({ definition }) => definition.name === ack.shape)?.output(ack.n);
    const output = JSON.stringify(run.output);
    if (run.ended && run.status === 'COMPLETED' && output === JSON.stringify(wanted)) finished += 1;
    else if (run.ended) violations.push(`run ${run.id} (${ack.shape}) ended as ${run.status} with ${output}`);
  }
  for (const run of evidence.runs) if (!run.ended) violations.push(`run ${run.id} is stuck: ${run.status}`);
  const done = evidence.steps.filter(({ status }) => status === 'COMPLETED');
  return {
    acknowledged: acks.length + evidence.steps.length,
    // An attempt that failed was followed by another, or its run has not completed.
    finished:
      finished + evidence.steps.filter(({ status }) => status === 'COMPLETED' || status === 'FAILED').length,
    lost,
    duplicates: duplicates(evidence),
    violations: [...violations, ...twice(done), ...unseen(done, evidence.ledger)],
    unknown: { inEffect: evidence.runs.length - acks.length, without: 0 },
  };
}

/** A step of a run is done once: another one with its ref may only be an attempt after it failed. */
function twice(done: readonly FinalStep[]): string[] {
  const seen = new Set<string>();
  return done.flatMap(({ run, ref }) => {
    const key = `${run} ${ref}`;
    if (seen.has(key)) return [`step ${ref} of run ${run} was completed twice`];
    seen.add(key);
    return [];
  });
}

/** What is kept as done was done by somebody. */
function unseen(done: readonly FinalStep[], ledger: readonly SignedEntry[]): string[] {
  const returned = new Set(ledger.flatMap((entry) => (entry.e === 'returned' ? [entry.step] : [])));
  return done
    .filter(({ id }) => !returned.has(id))
    .map(({ id }) => `step ${id} is done, and no handler returned`);
}

/** Steps that were begun more than once: explained where the one who had begun was killed, before its result was written. */
function duplicates({ ledger, faults, leaseMs }: RunEvidence): Duplicate[] {
  const starts = new Map<string, SignedEntry[]>();
  for (const entry of ledger) {
    if (entry.e !== 'start') continue;
    const list = starts.get(entry.step);
    if (list === undefined) starts.set(entry.step, [entry]);
    else list.push(entry);
  }
  const found: Duplicate[] = [];
  for (const [step, all] of starts) {
    for (const [n, again] of all.entries()) {
      const before = all[n - 1];
      if (before === undefined) continue;
      const death = faults.find(
        (fault) => fault.target === before.by && fault.kind === 'worker killed' && fault.fromMs < again.at,
      );
      const story = `begun by ${before.by}, and by ${again.by} ${Math.round(again.at - before.at)} ms later`;
      const explained = death !== undefined && again.at - death.fromMs > 0.5 * leaseMs;
      found.push({ jobId: step, cause: explained ? 'worker killed' : undefined, story });
    }
  }
  return found;
}
