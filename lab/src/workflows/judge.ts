/** The verdict on runs: a pure function of ledgers, faults and what the database says in the end. */
import { toleranceMs } from '../verdict/duplicates.ts';
import type { FaultRecord } from '../verdict/evidence.ts';
import type { Verdict } from '../verdict/judge.ts';
import { againOf } from './again.ts';
import type { FinalRun, FinalStep, RunDatabase } from './audit.ts';
import type { SignedEntry } from './ledger.ts';
import { mourner, refusedShape, shapes } from './shapes.ts';

export interface RunEvidence extends RunDatabase {
  readonly ledger: readonly SignedEntry[];
  readonly faults: readonly FaultRecord[];
  readonly crashes: readonly string[];
  /** Borders at which a process was to be killed, and none was. */
  readonly missed: readonly string[];
}

type Of<E extends SignedEntry['e']> = Extract<SignedEntry, { e: E }>;

/** What is acknowledged: runs, and the steps that they made of themselves. */
export function judgeRuns(evidence: RunEvidence): Verdict {
  const { ledger, runs, steps } = evidence;
  const acks = entriesOf(ledger, 'ack');
  const byId = new Map(runs.map((run) => [run.id, run]));
  const acked = new Map(acks.map((ack) => [ack.run, ack]));
  const lost: string[] = [];
  const ended: string[] = [];
  let finished = 0;
  for (const ack of acked.values()) {
    const run = byId.get(ack.run);
    if (run === undefined) lost.push(`run ${ack.run} (${ack.shape}) was acknowledged and is nowhere`);
    else if (endsRightly(run, ack)) finished += 1;
    else if (run.ended) {
      ended.push(`run ${run.id} (${ack.shape}) ended as ${run.status} with ${JSON.stringify(run.output)}`);
    }
  }
  for (const step of steps) {
    if (isOver(step)) finished += 1;
    else lost.push(`step ${step.id} (${step.ref} of run ${step.run}) is ${step.status} in the end`);
  }
  const unasked = runs.filter(({ id, key }) => key !== null && !acked.has(id));
  return {
    acknowledged: acked.size + steps.length,
    finished,
    lost,
    duplicates: againOf(evidence),
    violations: [
      ...evidence.crashes,
      ...evidence.leftOver,
      ...evidence.missed,
      ...runs.flatMap((run) => (run.ended ? [] : [`run ${run.id} (${run.name}) is stuck: ${run.status}`])),
      ...ended,
      ...entriesOf(ledger, 'refused').map(({ by, what }) => `${by} was refused ${what}`),
      ...keysOf(runs, acks),
      ...mourned(runs),
      ...attemptsOf(steps),
      ...endsOf(evidence),
    ],
    unknown: { inEffect: unasked.length, without: 0 },
  };
}

function entriesOf<E extends SignedEntry['e']>(ledger: readonly SignedEntry[], e: E): Of<E>[] {
  return ledger.filter((entry): entry is Of<E> => entry.e === e);
}

function endsRightly({ ended, status, output }: FinalRun, { shape, n }: Of<'ack'>): boolean {
  const wanted = shapes.find(({ definition }) => definition.name === shape);
  if (!ended || wanted === undefined || status !== wanted.ends) return false;
  return status === 'FAILED' || JSON.stringify(output) === JSON.stringify(wanted.output(n));
}

const over = new Set(['COMPLETED', 'FAILED', 'FAILED_WITH_TERMINAL_ERROR', 'TIMED_OUT']);

/** Nothing in the lab cancels a step. */
function isOver({ status }: FinalStep): boolean {
  return over.has(status);
}

/** Whoever asks twice with a key is told of one run, and there is one. */
function keysOf(runs: readonly FinalRun[], acks: readonly Of<'ack'>[]): string[] {
  const runOf = new Map<string, string>();
  const wrong: string[] = [];
  for (const { id, key } of runs) {
    if (key === null) continue;
    const other = runOf.get(key);
    if (other !== undefined) wrong.push(`runs ${other} and ${id} have the same idempotency key`);
    runOf.set(key, id);
  }
  for (const { key, run } of acks) {
    const other = runOf.get(key);
    if (other !== undefined && other !== run) {
      wrong.push(`run ${run} was acknowledged for a key that run ${other} has`);
    }
  }
  return wrong;
}

/** Each run that failed is followed by one other, and none that did not. */
function mourned(runs: readonly FinalRun[]): string[] {
  const times = new Map<unknown, number>();
  for (const { name, input } of runs) {
    if (name === mourner) times.set(input['workflowId'], (times.get(input['workflowId']) ?? 0) + 1);
  }
  return runs.flatMap(({ id, name, status, ended }) => {
    if (!ended || name === mourner) return [];
    const wanted = name === refusedShape && status === 'FAILED' ? 1 : 0;
    const found = times.get(id) ?? 0;
    return found === wanted ? [] : [`run ${id} (${name}, ${status}) has ${found} failure workflows`];
  });
}

/** The attempts of a step follow each other without a gap, each once, and none follows one that was completed. */
function attemptsOf(steps: readonly FinalStep[]): string[] {
  const wrong: string[] = [];
  const byRef = Map.groupBy(steps, ({ run, ref }) => `step ${ref} of run ${run}`);
  for (const [what, attempts] of byRef) {
    const numbers = attempts.map(({ attempt }) => attempt);
    if (numbers.some((number, place) => number !== place)) {
      wrong.push(`${what} was scheduled as attempts ${numbers.join(', ')}`);
    }
    const done = attempts.filter(({ status }) => status === 'COMPLETED');
    if (done.length > 1) wrong.push(`${what} was completed ${done.length} times`);
    else if (done.length === 1 && attempts.at(-1)?.status !== 'COMPLETED') {
      wrong.push(`${what} was tried again after it was completed`);
    }
  }
  return wrong;
}

/** What is kept of a step was said by somebody; and what was acknowledged is kept. */
function endsOf({ ledger, steps }: RunEvidence): string[] {
  const wrong: string[] = [];
  const ends = new Set(
    ledger.flatMap((entry) =>
      entry.e === 'returned' || entry.e === 'threw' ? [`${entry.e} ${entry.step}`] : [],
    ),
  );
  const reports = Map.groupBy(entriesOf(ledger, 'reported'), ({ step }) => step);
  for (const { id, ref, status, endedAtMs = Infinity } of steps) {
    if (status === 'COMPLETED' && !ends.has(`returned ${id}`))
      wrong.push(`step ${id} (${ref}) is done, and no handler returned`);
    if (status.startsWith('FAILED') && !ends.has(`threw ${id}`))
      wrong.push(`step ${id} (${ref}) has failed, and no handler threw`);
    for (const report of reports.get(id) ?? []) {
      // One that came too late was acknowledged too, when the step had ended otherwise.
      if (report.status !== status && report.at < endedAtMs - toleranceMs)
        wrong.push(
          `step ${id} (${ref}) is ${status}, after it was acknowledged to ${report.by} as ${report.status}`,
        );
    }
  }
  return wrong;
}
