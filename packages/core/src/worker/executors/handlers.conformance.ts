/**
 * What every executor does that runs handlers in JavaScript: all of `JobContext`, and all that code can
 * throw.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixture, makeAttempt, Rig } from './executor.conformance.ts';
import type { ExecutorName, Outcome } from './port.ts';

const kinds = [
  'about',
  'beat',
  'cancelSelf',
  'echo',
  'echoLater',
  'enqueueTwo',
  'enqueueWrong',
  'fail',
  'finish',
  'returnOdd',
  'shout',
  'snooze',
  'spend',
  'throttle',
  'throwRetryAfter',
  'tell',
  'throwOdd',
];

export function describeHandlers(name: ExecutorName): void {
  describe(`executor ${name}, with handlers in JavaScript`, () => {
    let rig: Rig;
    beforeAll(async () => {
      rig = await Rig.start(name, Object.fromEntries(kinds.map((kind) => [kind, fixture(kind)])));
    });
    afterAll(() => rig[Symbol.asyncDispose]());

    it('shows the handler its attempt', async () => {
      const before = Date.now();
      const more = { queue: 'mail', attempt: 2, labels: { a: 'b' }, meta: { c: [1] }, timeoutMs: 60_000 };
      const attempt = makeAttempt('about', null, more);
      const about = outputOf(await rig.recorder.outcome(rig.run(attempt)));
      const { timeoutMs: _, ...same } = more;
      expect(about).toMatchObject({ ...same, id: attempt.jobId, kind: 'about', maxAttempts: 5 });
      expect((about as { deadline: number }).deadline).toBeGreaterThanOrEqual(before + 60_000);
      expect(outputOf(await rig.outcomeOf('about'))).toMatchObject({ labels: {}, meta: {}, deadline: null });
    });

    it('waits for handlers that return a promise', async () => {
      expect(outputOf(await rig.outcomeOf('echoLater', [1, 'ä']))).toEqual([1, 'ä']);
    });

    it('keeps name, message, code, stack and retryable of an error', async () => {
      const outcome = await rig.outcomeOf('fail', { code: 'E_MINE', name: 'MyError', retryable: false });
      expect(outcome).toMatchObject({
        type: 'failed',
        retryable: false,
        error: { name: 'MyError', message: 'it failed', code: 'E_MINE' },
      });
    });

    it('shows file and line of the user in the stack, also of TypeScript', async () => {
      // Not among the fixtures: frames of this package are left out of stacks.
      const folder = mkdtempSync(join(tmpdir(), 'lineshaft-handlers-'));
      const module = join(folder, 'mine.ts');
      writeFileSync(
        module,
        'interface Sent {\n  n: number;\n}\nexport default (sent: Sent) => {\n  sent.n.x.y();\n};\n',
      );
      await using rig = await Rig.start(name, { mine: { type: 'module', module } });
      const outcome = await rig.outcomeOf('mine', { n: 1 });
      expect(outcome).toMatchObject({ error: { name: 'TypeError' } });
      expect(outcome.type === 'failed' && outcome.error.stack).toContain('mine.ts:5:');
      rmSync(folder, { recursive: true });
    });

    it.each(['null', 'undefined', 'string', 'cycle', 'huge', 'proxy', 'bigint'])(
      'survives that a handler throws: %s',
      async (which) => {
        const outcome = await rig.outcomeOf('throwOdd', which);
        expect(outcome).toMatchObject({ type: 'failed', retryable: true });
        expect(outcome.type === 'failed' && outcome.error.message.length).toBeLessThanOrEqual(2_000);
        expect(await rig.outcomeOf('echo', 1)).toMatchObject({ outputText: '1' });
      },
    );

    it.each(['function', 'bigint', 'cycle', 'nul'])(
      'fails for good what returns what JSON or PostgreSQL does not have: %s',
      async (which) => {
        const outcome = await rig.outcomeOf('returnOdd', which);
        expect(outcome).toMatchObject({
          type: 'failed',
          retryable: false,
          error: { code: 'OUTPUT_INVALID' },
        });
      },
    );

    it('takes an escaped backslash for no NUL', async () => {
      expect(outputOf(await rig.outcomeOf('returnOdd', 'backslash'))).toBe('a\\u0000b');
    });

    it.each([false, true])('snoozes, also when the handler catches what ends it: %s', async (swallow) => {
      expect(await rig.outcomeOf('snooze', { ms: 1_500, swallow })).toEqual({
        type: 'snoozed',
        delayMs: 1_500,
      });
    });

    it('fails for good a snooze of no sensible length', async () => {
      const outcome = await rig.outcomeOf('snooze', { ms: -1 });
      expect(outcome).toMatchObject({ type: 'failed', retryable: false, error: { code: 'OPTION_INVALID' } });
    });

    it.each([
      [{ ms: 1_500 }, ''],
      [{ ms: 1_500, limit: 'api' }, 'api'],
    ])('hands over which limit is to be closed: %j', async (payload, closes) => {
      expect(await rig.outcomeOf('throttle', payload)).toEqual({ type: 'snoozed', delayMs: 1_500, closes });
    });

    it('hands over when a failure says that it may be tried again', async () => {
      const outcome = await rig.outcomeOf('throwRetryAfter', { headers: { 'Retry-After': '3' } });
      expect(outcome).toMatchObject({ type: 'failed', retryable: true, retryAfterMs: 3_000 });
    });

    it('hands over what was spent before the outcome, and refuses what is no amount', async () => {
      expect(await rig.outcomeOf('spend', [[5], [7, 'api'], [0.5]])).toMatchObject({ type: 'succeeded' });
      expect(rig.recorder.events.flatMap(({ event }) => (event.type === 'spent' ? [event] : []))).toEqual([
        { type: 'spent', amount: 5, limit: '' },
        { type: 'spent', amount: 7, limit: 'api' },
        { type: 'spent', amount: 0.5, limit: '' },
      ]);
      const refused = { type: 'failed', retryable: false, error: { code: 'OPTION_INVALID' } };
      expect(await rig.outcomeOf('spend', [[-1]])).toMatchObject(refused);
      expect(await rig.outcomeOf('throttle', { ms: -1 })).toMatchObject(refused);
    });

    it.each([false, true])('cancels, also when the handler goes on and fails: %s', async (swallow) => {
      const outcome = await rig.outcomeOf('cancelSelf', { reason: 'not wanted', swallow });
      expect(outcome).toEqual({ type: 'cancelled', reason: 'not wanted' });
    });

    it('hands over the jobs to enqueue as they were at the call', async () => {
      expect(await rig.outcomeOf('enqueueTwo')).toEqual({
        type: 'succeeded',
        outputText: '"done"',
        enqueue: [
          { kind: 'first', payload: { n: 1 }, queue: 'mail', runAt: '1970-01-01T00:00:00.000Z' },
          { kind: 'second' },
        ],
      });
    });

    it('refuses a payload to enqueue that is not JSON, at the call', async () => {
      const outcome = await rig.outcomeOf('enqueueWrong');
      expect(outcome).toMatchObject({ type: 'failed', retryable: false, error: { code: 'PAYLOAD_INVALID' } });
    });

    it('hands over log lines, progress and heartbeats, in bounds', async () => {
      const id = rig.run(makeAttempt('tell'));
      expect(await rig.recorder.outcome(id)).toMatchObject({ type: 'succeeded' });
      const events = rig.recorder.events.flatMap(({ jobId, event }) => (jobId === id ? [event] : []));
      const logs = events.filter((event) => event.type === 'log');
      expect(logs.map(({ level, message }) => [level, message.slice(0, 5)])).toEqual([
        ['debug', 'one'],
        ['warn', 'two'],
        ['info', 'xxxxx'],
        ['error', 'three'],
      ]);
      expect(logs[1]?.fields).toEqual({ n: 2 });
      expect(logs[2]?.message.length).toBe(8 * 1024);
      expect(events.filter((event) => event.type === 'progress').at(-1)).toEqual({
        type: 'progress',
        current: 2,
        total: 2,
      });
      expect(events).toContainEqual({ type: 'heartbeat' });
    });

    it('drops log lines beyond a rate, and says so', async () => {
      const id = rig.run(makeAttempt('shout', { lines: 5_000 }));
      await rig.recorder.outcome(id);
      const lines = rig.recorder.events.flatMap(({ jobId, event }) =>
        jobId === id && event.type === 'log' ? [event.message] : [],
      );
      expect(lines.length).toBeLessThan(2_000);
      expect(lines.at(-1)).toMatch(/log lines dropped$/);
    });

    it('starts the time limit anew at each heartbeat', async () => {
      const outcome = await rig.outcomeOf('beat', { everyMs: 60, times: 5 }, { timeoutMs: 200 });
      expect(outcome).toMatchObject({ type: 'succeeded' });
    });

    it('lets an attempt succeed that finishes when it is asked to end', async () => {
      const id = rig.run(makeAttempt('finish'));
      await rig.recorder.logged(id, 'ready');
      rig.executor.cancel(id, 'cancelled', 60_000);
      expect(outputOf(await rig.recorder.outcome(id))).toBe('ATTEMPT_CANCELLED');
    });

    it('refuses at its start modules and exports that are not there', async () => {
      for (const wrong of [
        { type: 'module', module: new URL('./fixtures/absent.ts', import.meta.url) },
        fixture('absent'),
        { type: 'module', module: 'relative.js' },
      ] as const) {
        const rig = new Rig(name, { wrong });
        await expect(rig.executor.start()).rejects.toMatchObject({ code: 'HANDLER_INVALID' });
        await rig.executor.stop();
      }
    });
  });
}

function outputOf(outcome: Outcome): unknown {
  if (outcome.type !== 'succeeded') throw new Error(JSON.stringify(outcome));
  return JSON.parse(outcome.outputText ?? 'null');
}
