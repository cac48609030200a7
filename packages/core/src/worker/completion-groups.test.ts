import { describe, expect, test } from 'vitest';
import { readEntry } from '../queue/history-entry.ts';
import { bindStatements } from '../store/statements.ts';
import { makeHeldJob, makeLease, makeRuntime } from '../testing/held-jobs.ts';
import type { Result } from './completer.ts';
import { groupResults } from './completion-groups.ts';
import type { HeldJob } from './held-job.ts';

const statements = bindStatements('lineshaft');
const forW = { workerName: 'w', clockOffsetMs: 0 };
const succeeded = { type: 'succeeded', attempt: 1, outputText: '{"a":1}' } as const;
const back = { type: 'ready', attempt: 0 } as const;
const dead = {
  type: 'dead',
  attempt: 1,
  reason: 'attempts',
  errors: [{ name: 'Error', message: 'no' }],
} as const;

function result(job: HeldJob, ending: Result['ending'] = succeeded): Result {
  return { job, ending, finishedMs: 1_700_000_000_500, enqueue: [] };
}

describe('results that are written together', () => {
  test('successes of one retention are one statement, in the order of their ids', () => {
    const lease = makeLease();
    const runtime = makeRuntime();
    const [a, b, c] = [makeHeldJob(lease, runtime), makeHeldJob(lease, runtime), makeHeldJob(lease, runtime)];
    const groups = groupResults([result(c), result(a), result(b)], forW);
    expect(groups).toHaveLength(1);
    expect(groups[0]?.statement(statements)).toBe(statements.complete);
    expect(groups[0]?.results.map(({ job }) => job)).toEqual([a, b, c]);
    expect(groups[0]?.values()[1]).toBe(`{${a.jobId},${b.jobId},${c.jobId}}`);
    expect(groups[0]?.values().slice(7)).toEqual(['succeeded', Number(a.createdMs), Number(c.createdMs)]);
  });

  test('what is kept, what is forgotten, what moves on and what is dead are written apart', () => {
    const lease = makeLease();
    const runtime = makeRuntime();
    const kept = makeHeldJob(lease, runtime);
    const forgotten = makeHeldJob(lease, runtime, { options: { retention: { succeededMs: 0 } } });
    const moved = makeHeldJob(lease, runtime);
    const buried = makeHeldJob(lease, runtime);
    const groups = groupResults(
      [result(kept), result(forgotten), result(moved, back), result(buried, dead)],
      forW,
    );
    expect(groups.map((group) => group.statement(statements))).toEqual([
      statements.complete,
      statements.forget,
      statements.settle,
      statements.settle,
    ]);
  });

  test('a job that enqueues others stands alone', () => {
    const lease = makeLease();
    const runtime = makeRuntime();
    const request = {
      kind: 'x',
      id: '',
      payloadText: '1',
      template: { kind: 'x' },
      templateKey: 'x',
      uniqueKey: undefined,
      resend: false,
    };
    const results = [
      result(makeHeldJob(lease, runtime)),
      { ...result(makeHeldJob(lease, runtime)), enqueue: [request] },
    ];
    expect(groupResults(results, forW).map((group) => group.results.length)).toEqual([1, 1]);
  });

  test('a lease ends with the last group that names it, and not while a job of it is still open', () => {
    const ending = makeLease('7');
    const staying = makeLease('8');
    const runtime = makeRuntime();
    const results = [
      result(makeHeldJob(ending, runtime)),
      result(makeHeldJob(ending, runtime), back),
      result(makeHeldJob(staying, runtime)),
    ];
    makeHeldJob(staying, runtime);
    const groups = groupResults(results, forW);
    expect(groups.map((group) => group.finished)).toEqual([[], ['7']]);
  });

  test('jobs whose ids are far apart in time have rows of their own', () => {
    const lease = makeLease();
    const runtime = makeRuntime();
    const old = makeHeldJob(lease, runtime, { id: '01800000-0000-7000-8000-000000000000' });
    const young = makeHeldJob(lease, runtime, { id: '01900000-0000-7000-8000-000000000000' });
    const neighbour = makeHeldJob(lease, runtime, { id: '01900000-0001-7000-8000-000000000000' });
    const groups = groupResults([result(young), result(old), result(neighbour)], forW);
    expect(groups.map((group) => group.results.map(({ job }) => job))).toEqual([[old], [young, neighbour]]);
    expect(groups.map((group) => group.finished)).toEqual([[], ['1']]);
  });

  test('unique keys are released by how their jobs finished, and kept by those that go on', () => {
    const runtime = makeRuntime();
    const options = { unique: { key: 'k' } };
    const group = (ending: Result['ending']) =>
      groupResults([result(makeHeldJob(makeLease(), runtime, { options }), ending)], forW)[0];
    expect([group(succeeded)?.keyBit, group(succeeded)?.keys.length]).toEqual([4, 1]);
    expect([group(dead)?.keyBit, group(dead)?.keys.length]).toEqual([8, 1]);
    expect([group({ type: 'cancelled', attempt: 1, reason: 'x' })?.keyBit]).toEqual([16]);
    expect(group(back)?.keys).toEqual([]);
  });
});

describe('a line of history', () => {
  test('is read as it was written, whatever is in it', () => {
    const errors = [{ name: 'Error', message: 'line\nbreak', attempt: 1 }];
    const options = { labels: { a: '"]\n' } };
    const job = makeHeldJob(makeLease(), makeRuntime(), {
      payload: { text: 'é\n"\\' },
      attempt: 1,
      options,
      errors,
    });
    job.startedMs = 1_700_000_000_200;
    const [group] = groupResults([result(job)], { ...forW, workerName: 'worker "1"' });
    const line = String(group?.values()[6]);
    expect(line).not.toContain('\n');
    expect(readEntry(job.jobId, line)).toEqual({
      id: job.jobId,
      laneId: 1,
      state: 'succeeded',
      attempt: 2,
      createdMs: 1_700_000_000_000,
      startedMs: 1_700_000_000_200,
      finishedMs: 1_700_000_000_500,
      worker: 'worker "1"',
      payload: { text: 'é\n"\\' },
      output: { a: 1 },
      reason: undefined,
      options,
      errors,
    });
  });

  test('has no line break even where the payload was sent with some', () => {
    const job = makeHeldJob(makeLease(), makeRuntime());
    Object.assign(job, { sentText: '{\n  "a": 1\n}' });
    const [group] = groupResults([result(job, { type: 'cancelled', attempt: 1, reason: 'a\nb' })], forW);
    const line = String(group?.values()[6]);
    expect(line).not.toContain('\n');
    expect(readEntry(job.jobId, line)).toMatchObject({
      payload: { a: 1 },
      state: 'cancelled',
      reason: 'a\nb',
      output: undefined,
    });
  });
});
