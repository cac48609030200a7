import { describe, expect, test } from 'vitest';
import type { FaultRecord, Hold, WorkerRow } from '../verdict/evidence.ts';
import type { Verdict } from '../verdict/judge.ts';
import type { FinalRun, FinalStep } from './audit.ts';
import { judgeRuns, type RunEvidence } from './judge.ts';
import type { RunEntry, SignedEntry } from './ledger.ts';

const run: FinalRun = {
  id: 'r',
  name: 'lab-chain',
  status: 'COMPLETED',
  input: { n: 7 },
  output: { n: 7 },
  ended: true,
  key: 'k',
};
const step: FinalStep = { id: 's', run: 'r', ref: 'a', status: 'COMPLETED', attempt: 0, endedAtMs: 300 };

function said(by: string, at: number, entry: RunEntry): SignedEntry {
  return { ...entry, by, at };
}

const acked = said('caller', 100, { e: 'ack', run: 'r', shape: 'lab-chain', n: 7, key: 'k' });
const begun = (by: string, at: number, via?: string): SignedEntry =>
  said(by, at, { e: 'start', step: 's', ...(via === undefined ? {} : { via }) });
const returned = (by: string, at: number): SignedEntry => said(by, at, { e: 'returned', step: 's' });

/** A run with one step, which was done once and as it should. */
const fine: RunEvidence = {
  ledger: [acked, begun('one', 200), returned('one', 250)],
  runs: [run],
  steps: [step],
  leftOver: [],
  workerRows: new Map(),
  holds: new Map(),
  unsent: new Set(),
  faults: [],
  crashes: [],
  missed: [],
};

function verdictOf(changes: Partial<RunEvidence>): Verdict {
  return judgeRuns({ ...fine, ...changes });
}

function row(workerId: string, leaseMs: number, leaseUntilMs: number, deletedAtMs?: number): WorkerRow {
  return { row: workerId, workerId, leaseMs, leaseUntilMs, deletedAtMs };
}

function hold(workerId: string, takenAtMs: number): Hold {
  return { jobId: 's', lease: workerId, row: workerId, fence: 0, takenAtMs };
}

function rows(...list: readonly WorkerRow[]): Map<string, WorkerRow> {
  return new Map(list.map((each) => [each.row, each]));
}

const killed = (kind: FaultRecord['kind'], target: string, fromMs: number): FaultRecord => {
  return { kind, target, fromMs, untilMs: Infinity };
};

describe('the verdict on runs', () => {
  test('a run that ended as it should, with each step done once, is in order', () => {
    expect(verdictOf({})).toEqual({
      acknowledged: 2,
      finished: 2,
      lost: [],
      duplicates: [],
      violations: [],
      unknown: { inEffect: 0, without: 0 },
    });
  });

  test('a run that was acknowledged and is not there is lost', () => {
    expect(verdictOf({ runs: [], steps: [] }).lost).toEqual([
      'run r (lab-chain) was acknowledged and is nowhere',
    ]);
  });

  test('a step that is not over is lost, and its run is stuck', () => {
    const { lost, violations } = verdictOf({
      runs: [{ ...run, ended: false, status: 'RUNNING' }],
      steps: [{ ...step, status: 'SCHEDULED', endedAtMs: undefined }],
    });
    expect(lost).toEqual(['step s (a of run r) is SCHEDULED in the end']);
    expect(violations).toEqual(['run r (lab-chain) is stuck: RUNNING']);
  });

  test.each<[string, Partial<RunEvidence>, string]>([
    [
      'ended otherwise',
      { runs: [{ ...run, output: { n: 8 } }] },
      'run r (lab-chain) ended as COMPLETED with {"n":8}',
    ],
    ['failed', { runs: [{ ...run, status: 'FAILED' }] }, 'run r (lab-chain) ended as FAILED with {"n":7}'],
    ['was done by nobody', { ledger: [acked] }, 'step s (a) is done, and no handler returned'],
    [
      'failed by nobody',
      {
        steps: [
          { ...step, status: 'FAILED' },
          { ...step, id: 't', attempt: 1 },
        ],
        ledger: [acked, said('x', 1, { e: 'returned', step: 't' })],
      },
      'step s (a) has failed, and no handler threw',
    ],
    [
      'was completed twice',
      { steps: [step, { ...step, attempt: 1 }] },
      'step a of run r was completed 2 times',
    ],
    [
      'was scheduled twice',
      {
        steps: [{ ...step, status: 'FAILED' }, step],
        ledger: [...fine.ledger, said('one', 240, { e: 'threw', step: 's' })],
      },
      'step a of run r was scheduled as attempts 0, 0',
    ],
    [
      'is not what was acknowledged',
      {
        steps: [
          { ...step, status: 'FAILED', endedAtMs: 900 },
          { ...step, id: 't', attempt: 1 },
        ],
        ledger: [
          acked,
          said('x', 1, { e: 'returned', step: 't' }),
          said('x', 1, { e: 'threw', step: 's' }),
          said('one', 500, { e: 'reported', step: 's', status: 'COMPLETED' }),
        ],
      },
      'step s (a) is FAILED, after it was acknowledged to one as COMPLETED',
    ],
    ['has a key twice', { runs: [run, { ...run, id: 'q' }] }, 'runs r and q have the same idempotency key'],
    [
      'was refused',
      { ledger: [...fine.ledger, said('caller', 1, { e: 'refused', what: 'a start' })] },
      'caller was refused a start',
    ],
    [
      'a process died',
      { crashes: ['server1.1 ended by itself: exit code 1'] },
      'server1.1 ended by itself: exit code 1',
    ],
    ['a border was not come to', { missed: ['nobody'] }, 'nobody'],
    ['something is left', { leftOver: ['job x is left'] }, 'job x is left'],
  ])('a rule is broken where a step or run %s', (_what, changes, violation) => {
    expect(verdictOf(changes).violations).toContain(violation);
  });

  test('a run that failed as it should is followed by one failure workflow', () => {
    const failed: FinalRun = { ...run, name: 'lab-refused', status: 'FAILED', output: {} };
    const mourner: FinalRun = { ...run, id: 'm', name: 'lab-mourner', input: { workflowId: 'r' }, key: null };
    const ledger = [
      ...fine.ledger.slice(1),
      said('caller', 1, { e: 'ack', run: 'r', shape: 'lab-refused', n: 7, key: 'k' }),
    ];
    expect(verdictOf({ ledger, runs: [failed, mourner] }).violations).toEqual([]);
    expect(verdictOf({ ledger, runs: [failed] }).violations).toEqual([
      'run r (lab-refused, FAILED) has 0 failure workflows',
    ]);
    expect(verdictOf({ ledger, runs: [failed, mourner, { ...mourner, id: 'n' }] }).violations).toHaveLength(
      1,
    );
  });
});

describe('a step that was begun twice', () => {
  const ledger = [acked, begun('one', 200), begun('two', 4_300), returned('two', 4_310)];
  const holds = new Map([['s', [hold('one', 190), hold('two', 4_200)]]]);

  test('is explained by a lease that ran out, and the death of its worker', () => {
    const workerRows = rows(row('one', 3_000, 4_000, 4_100), row('two', 3_000, 9_000));
    const [again] = verdictOf({
      ledger,
      holds,
      workerRows,
      faults: [killed('worker killed', 'one', 1_500)],
    }).duplicates;
    expect(again).toMatchObject({ jobId: 's', cause: 'worker killed' });
    expect(verdictOf({ ledger, holds, workerRows }).duplicates).toMatchObject([{ cause: undefined }]);
  });

  test('is explained by the death of the server that answered, while that could not have said so', () => {
    const polled = [acked, begun('one', 200, 'server1'), ...ledger.slice(2)];
    const workerRows = rows(row('one', 10_000, 4_000, 4_100), row('two', 3_000, 9_000));
    const faults = [killed('server killed', 'server1.3', 210)];
    const given = { ledger: polled, holds, workerRows, faults };
    expect(verdictOf({ ...given, unsent: new Set(['one']) }).duplicates).toMatchObject([
      { cause: 'server killed' },
    ]);
    expect(verdictOf(given).duplicates).toMatchObject([{ cause: undefined }]);
    const other = [killed('server killed', 'server2.1', 210)];
    expect(verdictOf({ ...given, unsent: new Set(['one']), faults: other }).duplicates).toMatchObject([
      { cause: undefined },
    ]);
  });

  test('is unexplained where the lease had not run out', () => {
    const workerRows = rows(row('one', 3_000, 5_000, 4_100), row('two', 3_000, 9_000));
    const faults = [killed('worker killed', 'one', 1_500)];
    expect(verdictOf({ ledger, holds, workerRows, faults }).duplicates).toMatchObject([{ cause: undefined }]);
  });
});

describe('an attempt that was not heard of in time', () => {
  const steps = [
    { ...step, status: 'TIMED_OUT', endedAtMs: 5_200 },
    { ...step, id: 't', attempt: 1, endedAtMs: 6_000 },
  ];
  const ledger = [acked, begun('one', 200), said('two', 5_900, { e: 'returned', step: 't' })];
  const holds = new Map([['s', [hold('one', 190)]]]);
  const given = { steps, ledger, holds, workerRows: rows(row('one', 5_000, 5_190, 5_195)) };

  test('is in order where its input said so', () => {
    expect(
      verdictOf({ ...given, ledger: [...ledger, said('one', 210, { e: 'hung', step: 's' })] }).duplicates,
    ).toEqual([]);
  });

  test.each<[string, FaultRecord, string | undefined]>([
    ['its worker was killed', killed('worker killed', 'one', 300), 'worker killed'],
    ['the database was away', { kind: 'database away', fromMs: 1_000, untilMs: 2_000 }, 'database away'],
    ['another worker was killed', killed('worker killed', 'two', 300), undefined],
    ['its worker was killed later', killed('worker killed', 'one', 6_300), undefined],
    ['a server was killed that it did not speak to', killed('server killed', 'server1.1', 300), undefined],
  ])('where %s', (_what, fault, cause) => {
    expect(verdictOf({ ...given, faults: [fault] }).duplicates).toMatchObject([{ jobId: 's', cause }]);
  });

  test('is explained by a server that was killed while it was told', () => {
    const told = said('one', 400, { e: 'told', step: 's', via: 'server1' });
    const faults = [killed('server killed', 'server1.1', 390)];
    expect(verdictOf({ ...given, ledger: [...ledger, told], faults }).duplicates).toMatchObject([
      { cause: 'server killed' },
    ]);
  });

  test('is explained by a server that did not get to run while it was told', () => {
    const told = said('one', 400, { e: 'told', step: 's', via: 'server1' });
    const stalled = said('server1.1', 4_800, { e: 'stall', ms: 3_000 });
    expect(verdictOf({ ...given, ledger: [...ledger, told, stalled] }).duplicates).toMatchObject([
      { cause: 'process stalled' },
    ]);
    expect(verdictOf({ ...given, ledger: [...ledger, stalled] }).duplicates).toMatchObject([
      { cause: undefined },
    ]);
  });

  test('is unexplained where nobody had it', () => {
    expect(verdictOf({ ...given, holds: new Map() }).duplicates).toMatchObject([{ cause: undefined }]);
  });
});
