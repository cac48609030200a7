import { describe, expect, test } from 'vitest';
import { SimulatedRun } from '../../testing/simulated-run.ts';
import type { StepDefinition } from './definition.ts';
import { bytesBeyond } from './document-size.ts';
import { rerunAll } from './rerun.ts';

const kib = 1_024;
const documents = { runInput: 4 * kib, runOutput: 4 * kib, stepInput: 4 * kib, stepOutput: 4 * kib };
const large = { text: 'x'.repeat(4 * kib) };
const simple = (ref: string, inputParameters = {}): StepDefinition => ({
  name: `do_${ref}`,
  taskReferenceName: ref,
  type: 'SIMPLE',
  inputParameters,
});

test.each([
  [{ a: 'x'.repeat(10) }, 18, undefined],
  [{ a: 'x'.repeat(10) }, 17, 18],
  [{ a: 'ü\u{1f600}' }, 13, 14],
  [{ a: '\u0001\n"' }, 17, 18],
  [[1, true, null, 1.5e300], 10, 22],
  [{}, 2, undefined],
  [{}, 1, 2],
])('%j beyond %i bytes: %s', (document, most, bytes) => {
  expect(bytesBeyond(document, most)).toBe(bytes);
  expect(bytesBeyond(document, Buffer.byteLength(JSON.stringify(document)))).toBeUndefined();
});

describe('documents beyond the limit', () => {
  test('fail the step whose input they would be', () => {
    const half = { text: 'x'.repeat(3 * kib) };
    const twice = { a: '${workflow.input}', b: '${workflow.input}' };
    const run = new SimulatedRun([simple('a', twice)], { input: half, limits: { documents } });
    expect(run.run.status).toBe('FAILED');
    expect(run.steps[0]).toMatchObject({ status: 'FAILED_WITH_TERMINAL_ERROR', input: {} });
    expect(run.steps[0]?.reason).toMatch(
      /payload size: \d+ of task: .* is greater than the permissible limit: 4 kilobytes/,
    );
    expect(run.jobs.size).toBe(0);
  });

  test.each(['COMPLETED', 'IN_PROGRESS'] as const)('fail the step that reports them as %s', (status) => {
    const run = new SimulatedRun([simple('a')], { limits: { documents } });
    const decision = run.end('a', large, status);
    expect(run.steps[0]).toMatchObject({ status: 'FAILED_WITH_TERMINAL_ERROR', output: {} });
    expect(run.steps[0]?.reason).toContain('permissible limit');
    expect(run.run.status).toBe('FAILED');
    if (status === 'IN_PROGRESS') expect(decision.withdrawn).toEqual([run.steps[0]?.id]);
  });

  test('fail the run whose output they would be', () => {
    const outputParameters = { a: '${a.output}', b: '${a.output}' };
    const run = new SimulatedRun([simple('a')], { definition: { outputParameters }, limits: { documents } });
    run.end('a', { text: 'x'.repeat(3 * kib) });
    expect(run.run).toMatchObject({ status: 'FAILED', output: {} });
    expect(run.run.reason).toContain('of workflow: run-1 is greater');
  });

  test('are refused as the input of a run that begins anew', () => {
    const run = new SimulatedRun([simple('a')], { limits: { documents } });
    run.end('a');
    expect(() => run.change((state, context) => rerunAll(state, { runInput: large }, context))).toThrow(
      'permissible limit',
    );
    expect(run.run.status).toBe('COMPLETED');
  });
});
