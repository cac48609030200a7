import { expect, test } from 'vitest';
import { SimulatedRun } from '../../testing/simulated-run.ts';
import { admit } from './admission.ts';
import { pause, resume, skip, terminate } from './control.ts';
import type { StepDefinition, WorkflowDefinition } from './definition.ts';
import { inLine, noRoom } from './rate-limit.ts';
import { rerunAround, rerunFrom } from './rerun.ts';
import { restart, retry } from './try-again.ts';

const simple = (ref: string): StepDefinition => ({
  name: `do_${ref}`,
  taskReferenceName: ref,
  type: 'SIMPLE',
  taskDefinition: { name: `do_${ref}`, retryCount: 0 },
});
const one: Partial<WorkflowDefinition> = {
  rateLimitConfig: { rateLimitKey: 'of ${workflow.input.customer}', concurrentExecLimit: 1 },
};
const limited = (...steps: StepDefinition[]) =>
  new SimulatedRun(steps, { definition: one, input: { customer: 7 } });

test('a run under a limit waits without steps, and begins when it is admitted', () => {
  const run = limited(simple('a'), simple('b'));
  expect(run.run).toMatchObject({ status: 'RUNNING', limited: { key: 'of 7', waits: true } });
  expect(run.story).toEqual([]);
  run.wait(60_000);
  run.tell();
  run.crash();
  expect(run.story).toEqual([]);
  expect(() => run.change((state, context) => skip(state, 'a', {}, context))).toThrow('waits for room');
  run.change(admit);
  expect(run.story).toEqual(['a SCHEDULED']);
  expect(run.run.limited).toEqual({ key: 'of 7', waits: false });
  // Told twice, it changes nothing.
  expect(run.change(admit).run).toBeUndefined();
  run.end('a');
  expect(run.story).toEqual(['a COMPLETED', 'b SCHEDULED']);
});

test('one without a limit never waits', () => {
  const none = { rateLimitConfig: { rateLimitKey: 'x', concurrentExecLimit: 0 } };
  const run = new SimulatedRun([simple('a')], { definition: none });
  expect(run.run.limited).toBeUndefined();
  expect(run.story).toEqual(['a SCHEDULED']);
});

test('a run that waits is paused, resumed, terminated and rejected like any', () => {
  const paused = limited(simple('a'));
  paused.change(pause);
  paused.change(admit);
  expect(paused.story).toEqual([]);
  paused.change(resume);
  expect(paused.story).toEqual(['a SCHEDULED']);

  const resumed = limited(simple('a'));
  resumed.change(pause);
  resumed.change(resume);
  expect(resumed.story).toEqual([]);
  resumed.change(admit);
  expect(resumed.story).toEqual(['a SCHEDULED']);

  const ended = limited(simple('a'));
  ended.change((state, context) => terminate(state, {}, context));
  ended.change(admit);
  expect(ended.run.status).toBe('TERMINATED');
  expect(ended.story).toEqual([]);

  const rejected = limited(simple('a'));
  rejected.tell({ type: 'rejected' });
  expect(rejected.run).toMatchObject({ status: 'FAILED', reason: noRoom(rejected.run) });
  expect(rejected.run.reason).toContain("may have one run under way with the key 'of 7'");
  const admitted = limited(simple('a'));
  admitted.change(admit);
  admitted.tell({ type: 'rejected' });
  expect(admitted.run.status).toBe('RUNNING');
});

/** Runs that have failed at `b`, after `a`. */
function failed(): SimulatedRun {
  const run = limited(simple('a'), simple('b'));
  run.change(admit);
  run.end('a');
  run.fail('b');
  expect(run.run.status).toBe('FAILED');
  return run;
}

test.each(['crash', 'stay'])('what is done to one that has ended waits for its place: %s', (how) => {
  const passes = (run: SimulatedRun, before: string[], after: string[]) => {
    expect(run.run).toMatchObject({ status: 'RUNNING', endedAt: undefined, limited: { waits: true } });
    expect(run.story).toEqual(before);
    if (how === 'crash') run.crash();
    run.tell();
    run.wait(1_000);
    expect(run.story).toEqual(before);
    run.change(admit);
    expect(run.story).toEqual(after);
    expect(run.run.limited).toEqual({ key: 'of 7', waits: false });
  };
  const retried = failed();
  retried.change(retry);
  passes(retried, ['a COMPLETED', 'b FAILED'], ['a COMPLETED', 'b FAILED', 'b SCHEDULED']);

  const restarted = failed();
  restarted.change((state, context) => restart(state, undefined, context));
  passes(restarted, [], ['a SCHEDULED']);

  const rerun = failed();
  const a = rerun.step('a');
  rerun.change((state, context) => rerunFrom(state, a, { stepInput: { n: 2 } }, context));
  passes(rerun, ['a COMPLETED', 'b FAILED'], ['a SCHEDULED']);
  expect(rerun.step('a')).toMatchObject({ id: a.id, input: { n: 2 } });
  rerun.end('a');
  rerun.end('b');
  expect(rerun.run.status).toBe('COMPLETED');
});

test('a retry that was admitted while the run was paused is done when it is resumed', () => {
  const run = failed();
  run.change(retry);
  run.change(pause);
  run.change(admit);
  expect(run.story).toEqual(['a COMPLETED', 'b FAILED']);
  run.crash();
  run.change(resume);
  expect(run.story).toEqual(['a COMPLETED', 'b FAILED', 'b SCHEDULED']);
  expect(run.run.limited?.next).toBeUndefined();
});

test('a run whose step goes on waits for its place too, and keeps one that it has', () => {
  const sub = (ref: string): StepDefinition => ({
    name: ref,
    taskReferenceName: ref,
    type: 'SUB_WORKFLOW',
    subWorkflowParam: { name: 'inner', version: 1 },
  });
  const run = limited(sub('s'), simple('b'));
  run.change(admit);
  const { id: stepId, subRunId: runId = '' } = run.step('s');
  run.tell({ type: 'run-ended', stepId, runId, status: 'FAILED', output: {}, reason: 'no' });
  expect(run.run.status).toBe('FAILED');
  run.tell({ type: 'run-reopened', stepId, runId });
  expect(run.run).toMatchObject({ status: 'RUNNING', limited: { waits: true, next: { type: 'reopen' } } });
  run.tell({ type: 'run-ended', stepId, runId, status: 'COMPLETED', output: {}, reason: undefined });
  expect(run.story).toEqual(['s COMPLETED']);
  run.crash();
  run.change(admit);
  expect(run.story).toEqual(['s COMPLETED', 'b SCHEDULED']);
  const step = run.step('s');
  run.change((state, context) => rerunAround(state, step, {}, context));
  expect(run.run.limited).toEqual({ key: 'of 7', waits: false });
});

test('the key is a text of the run as it begins', () => {
  const of = (rateLimitKey: string | undefined, input = {}) => {
    const { run } = new SimulatedRun([simple('a')], { input });
    const config = { concurrentExecLimit: 1, ...(rateLimitKey === undefined ? {} : { rateLimitKey }) };
    return inLine({ ...run, definition: { ...run.definition, rateLimitConfig: config } })?.key;
  };
  expect(of(undefined)).toBe('');
  expect(of('all')).toBe('all');
  expect(of('${workflow.correlationId}')).toBe('c-1');
  expect(of('${workflow.input.n}', { n: 5 })).toBe('5');
  expect(of('${workflow.input.none}')).toBe('null');
  expect(of('${workflow.input.o}', { o: { a: [1] } })).toBe('{a=[1]}');
  expect(() => of('${workflow.input.long}', { long: 'x'.repeat(501) })).toThrow('rateLimitKey');
});
