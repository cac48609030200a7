import { describe, expect, test } from 'vitest';
import type { Entry } from '../ledger/entry.ts';
import type { Signed } from '../ledger/reader.ts';
import { accountsOf } from './account.ts';
import type { Evidence, FaultRecord, Final, Hold, WorkerRow } from './evidence.ts';
import { judge, type Verdict } from './judge.ts';

const leaseMs = 3_000;
/** The run of one job by worker `one`, and after a rescue by worker `two`. */
const asked: Signed[] = [
  { e: 'send', at: 0, by: 'caller', ref: 'r', workload: 'plain', expect: 'succeeded', id: 'j' },
  { e: 'ack', at: 10, by: 'caller', ref: 'r', id: 'j', result: 'new' },
];
const done: Final = { id: 'j', ref: 'r', workload: 'plain', state: 'succeeded', attempt: 1 };

function started(by: string, at: number, attempt = 1): Signed {
  return { e: 'start', at, by, id: 'j', ref: 'r', workload: 'plain', attempt };
}

function ended(by: string, at: number, how: (Entry & { e: 'end' })['how'] = 'returned'): Signed {
  return { e: 'end', at, by, id: 'j', attempt: 1, how };
}

function written(by: string, at: number): Signed {
  return { e: 'written', at, by, jobs: [['j', 'succeeded']] };
}

function row(name: string, leaseUntilMs: number, deletedAtMs?: number): [string, WorkerRow] {
  return [name, { row: name, workerId: name, leaseMs, leaseUntilMs, deletedAtMs }];
}

function hold(name: string, takenAtMs: number): Hold {
  return { jobId: 'j', lease: `of ${name}`, row: name, fence: 0, takenAtMs };
}

interface Given {
  readonly ledger: readonly Signed[];
  readonly finals?: readonly Final[];
  readonly faults?: readonly FaultRecord[];
  readonly rows?: readonly [string, WorkerRow][];
  readonly holds?: readonly Hold[];
}

function verdictOf({ ledger, finals = [done], faults = [], rows = [], holds = [] }: Given): Verdict {
  const evidence: Evidence = {
    ledger,
    accounts: accountsOf(ledger, finals),
    faults,
    workerRows: new Map(rows),
    holds: new Map([['j', holds]]),
    unfinished: new Map(),
    crashes: [],
  };
  return judge(evidence);
}

/** Worker `one` was silent from 1 s on; it was rescued at 4.1 s, and `two` ran the job at 4.2 s. */
const twice = {
  ledger: [...asked, started('one', 100), started('two', 4_200), ended('two', 4_300), written('two', 4_310)],
  rows: [row('one', 4_000, 4_100), row('two', 9_000)],
  holds: [hold('one', 90), hold('two', 4_150)],
};
const killed: FaultRecord = { kind: 'worker killed', target: 'one', fromMs: 1_500, untilMs: Infinity };

describe('the verdict', () => {
  test('a job that ran once and finished is in order', () => {
    const verdict = verdictOf({
      ledger: [...asked, started('one', 100), ended('one', 150), written('one', 160)],
      rows: [row('one', 4_000)],
      holds: [hold('one', 90)],
    });
    expect(verdict).toEqual({
      acknowledged: 1,
      finished: 1,
      lost: [],
      duplicates: [],
      violations: [],
      unknown: { inEffect: 0, without: 0 },
    });
  });

  test('a job that was acknowledged and is not there is lost', () => {
    expect(verdictOf({ ledger: asked, finals: [] }).lost).toEqual([
      'job j (plain, r) was acknowledged and is nowhere',
    ]);
  });

  test('a second run is explained by a lease that ran out and the fault that silenced its worker', () => {
    const { duplicates, violations } = verdictOf({ ...twice, faults: [killed] });
    expect(duplicates).toMatchObject([{ jobId: 'j', cause: 'worker killed' }]);
    expect(violations).toEqual([]);
  });

  test.each([
    ['nothing was done to the worker', { faults: [] }, 'nothing had been done to the worker'],
    ['another worker was killed', { faults: [{ ...killed, target: 'three' }] }, 'nothing had been done'],
    ['it was killed after its lease', { faults: [{ ...killed, fromMs: 4_050 }] }, 'nothing had been done'],
    [
      'only its clock was moved',
      { faults: [{ ...killed, kind: 'clock moved' as const }] },
      'nothing had been',
    ],
    [
      'the pause was over before the last heartbeat',
      { faults: [{ ...killed, kind: 'worker paused' as const, fromMs: 100, untilMs: 900 }] },
      'nothing had been done',
    ],
    [
      'its lease had not run out',
      { faults: [killed], rows: [row('one', 8_000, 4_100), row('two', 9_000)] },
      'too early',
    ],
    [
      'nobody had rescued it',
      { faults: [killed], rows: [row('one', 4_000), row('two', 9_000)] },
      'had not been taken',
    ],
    ['the second had no lease', { faults: [killed], holds: [hold('one', 90)] }, 'without a lease'],
    [
      'it was rescued only after the second lease was made',
      { faults: [killed], rows: [row('one', 4_000, 4_180), row('two', 9_000)] },
      'had not been taken',
    ],
  ] as const)('a second run is unexplained where %s', (_what, change, story) => {
    const { duplicates } = verdictOf({ ...twice, ...change });
    expect(duplicates).toMatchObject([{ cause: undefined }]);
    expect(duplicates[0]?.story).toContain(story);
  });

  test('a run after one that failed is no duplicate, and a counted attempt is not forgotten', () => {
    const leases = { rows: [row('one', 9_000)], holds: [hold('one', 90), hold('one', 300)] };
    const again = [
      ...asked,
      started('one', 100),
      ended('one', 150, 'threw'),
      started('one', 310, 2),
      ended('one', 320),
    ];
    expect(verdictOf({ ledger: again, ...leases })).toMatchObject({ duplicates: [], violations: [] });
    const uncounted = [
      ...asked,
      started('one', 100),
      ended('one', 150, 'threw'),
      started('one', 310),
      ended('one', 320),
    ];
    expect(verdictOf({ ledger: uncounted, ...leases }).duplicates).toMatchObject([{ cause: undefined }]);
  });

  test('a write by a worker whose lease had been taken from it is a rule broken', () => {
    const late = [...twice.ledger, ended('one', 4_400), written('one', 4_410)];
    const paused: FaultRecord = { kind: 'worker paused', target: 'one', fromMs: 1_100, untilMs: 4_350 };
    expect(verdictOf({ ...twice, ledger: late, faults: [paused] }).violations).toEqual([
      'one wrote the end of job j, which had been taken from it before: an unfenced write',
      'job j was written as finished (succeeded) by one, and ran again in two',
    ]);
  });

  test('a job that ends twice, or before its handler has, is a rule broken', () => {
    const { violations } = verdictOf({ ledger: asked, finals: [done, done] });
    expect(violations).toEqual(['job j ended 2 times', 'job j has succeeded, and no handler ever returned']);
  });

  test('a request that was sent again with its id is in effect once', () => {
    const start = started('one', 100) as Signed & { e: 'start' };
    const other = { ...start, id: 'k', at: 200 };
    const { violations } = verdictOf({ ledger: [...asked, start, other], finals: [done] });
    expect(violations).toContain('the request r is in effect 2 times: j, k');
  });

  test('a request whose answer was lost may be in effect or not', () => {
    const ledger: Signed[] = [
      { e: 'send', at: 0, by: 'caller', ref: 'r', workload: 'plain', expect: 'succeeded' },
      { e: 'unknown', at: 10, by: 'caller', ref: 'r', code: 'DATABASE_UNAVAILABLE' },
    ];
    expect(verdictOf({ ledger, finals: [] })).toMatchObject({
      acknowledged: 0,
      lost: [],
      unknown: { without: 1 },
    });
  });
});
