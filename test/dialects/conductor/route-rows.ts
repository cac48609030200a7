/** Tests of routes as rows: what a request asks of the port, and what it answers. */

import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Run, RunView, Step, StepOfRun, WrittenStep } from '../../../packages/core/src/index.ts';
import { openDialect, runId, sampleRun, sampleStep, stepId } from './dialect-site.ts';

export const site = openDialect();
export const run: Run = sampleRun();
export const step: Step = sampleStep();
export const view: RunView = { run, steps: [step] };
/** The step as it is handed on. */
export const writtenOf = ({ input, output, ...rest }: Step): WrittenStep => ({
  ...rest,
  inputText: JSON.stringify(input),
  outputText: JSON.stringify(output),
});
export const task: StepOfRun = { step, run };
export const definition = { name: 'orders', version: 2, tasks: [] };
export const signal = expect.any(AbortSignal);

export const taskOf = (more: Record<string, unknown> = {}) =>
  expect.objectContaining({ taskId: stepId, ...more });
export const workflowOf = (more: Record<string, unknown> = {}) =>
  expect.objectContaining({ workflowId: runId, ...more });

/** To be called once by each file. */
export function openRows(): void {
  beforeAll(() => site.app.ready());
  afterAll(() => site.close());
}

export interface Row {
  /** `METHOD /path` below /api. */
  readonly route: string;
  readonly body?: unknown;
  /** What the port answers, by method. */
  readonly port?: Readonly<Record<string, unknown>>;
  /** What the port must have been asked, in this order: methods with their arguments. */
  readonly asks?: readonly (readonly [string, ...unknown[]])[];
  readonly status?: number;
  /** A raw text. */
  readonly text?: string;
  readonly json?: unknown;
}

async function check(row: Row): Promise<void> {
  for (const [name, answer] of Object.entries(row.port ?? {})) site.tell(name, answer);
  site.calls.length = 0;
  const [method = '', path = ''] = row.route.split(' ');
  const answered = await site.call(method, `/api${path}`, row.body);
  expect({ status: answered.status, text: answered.text }).toMatchObject({ status: row.status ?? 200 });
  // That an answer was sent is told when it is, perhaps after the caller has read it: see `hand-outs.test.ts`.
  const asked = site.calls.filter(({ name }) => name !== 'confirmPoll');
  if (row.asks !== undefined) expect(asked.map(({ name, args }) => [name, ...args])).toEqual(row.asks);
  if (row.json !== undefined) {
    expect(answered.type).toMatch(/^application\/json/);
    expect(answered.json).toEqual(row.json);
  } else if (row.text !== undefined) {
    expect(answered.type).toMatch(/^text\/plain/);
    expect(answered.text).toBe(row.text);
  } else if ((row.status ?? 200) < 300) {
    expect(answered.text).toBe('');
  }
}

export const rows = (all: readonly Row[]) =>
  it.each(all.map((row) => [row.route, row] as const))('%s', (_, row) => check(row));
