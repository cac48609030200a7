import { describe, expect, it } from 'vitest';
import { describeExecutor, fixture, makeAttempt, Rig } from './executor.conformance.ts';
import { describeHandlers } from './handlers.conformance.ts';
import type { Attempt, AttemptListener } from './port.ts';

describeExecutor({
  name: 'async',
  handlers: {
    echo: fixture('echo'),
    nothing: fixture('nothing'),
    fail: fixture('fail'),
    hang: fixture('hang'),
    obey: fixture('obey'),
  },
  refused: { type: 'command', command: 'true' },
  holdsMemory: false,
});
describeHandlers('async');

describe('executor async', () => {
  it('refuses what is no function', async () => {
    const rig = new Rig('async', { wrong: { type: 'function', handler: 'text' as never } });
    await expect(rig.executor.start()).rejects.toMatchObject({ code: 'HANDLER_INVALID' });
  });

  it('waits for what has a then method', async () => {
    // biome-ignore lint/suspicious/noThenProperty: a promise of another library is what this is about
    const handler = () => ({ then: (resolve: (value: unknown) => void) => resolve('settled') });
    await using rig = await Rig.start('async', { thenable: handler });
    expect(await rig.outcomeOf('thenable')).toMatchObject({ outputText: '"settled"' });
  });

  it('fails an attempt whose payload is not JSON, for good', async () => {
    await using rig = await Rig.start('async', { nothing: () => undefined });
    const outcome = await rig.outcomeOf('nothing', null, { payloadText: '{' });
    expect(outcome).toMatchObject({ type: 'failed', retryable: false, error: { code: 'PAYLOAD_INVALID' } });
  });

  it('ignores what a handler does after its time limit', async () => {
    let goOn: (value: unknown) => void = () => {};
    const late = new Promise((resolve) => {
      goOn = resolve;
    });
    let lateDone: (value: string) => void = () => {};
    const done = new Promise<string>((resolve) => {
      lateDone = resolve;
    });
    await using rig = await Rig.start('async', {
      late: async (_payload, job) => {
        await late;
        job.log.info('late');
        job.progress(1);
        job.heartbeat();
        try {
          job.enqueue('late');
        } catch (error) {
          lateDone((error as { code: string }).code);
        }
        return 'late';
      },
    });
    expect(await rig.outcomeOf('late', null, { timeoutMs: 5 })).toMatchObject({ type: 'failed' });
    goOn(undefined);
    expect(await done).toBe('CLOSED');
    expect(rig.recorder.events).toEqual([]);
  });

  it('aborts the signal of an attempt whose time is up', async () => {
    let reason: unknown;
    await using rig = await Rig.start('async', {
      slow: (_payload, job) =>
        new Promise(() => {
          job.signal.addEventListener('abort', () => {
            reason = job.signal.reason;
          });
        }),
    });
    await rig.outcomeOf('slow', null, { timeoutMs: 5 });
    expect(reason).toMatchObject({ code: 'TIME_LIMIT_EXCEEDED' });
  });

  it('does not nest when each outcome hands over the next attempt', async () => {
    await using rig = await Rig.start('async', { nothing: () => undefined });
    let left = 50_000;
    const next: AttemptListener = {
      onStart() {},
      onEvent() {},
      onOutcome(attempt: Attempt) {
        left -= 1;
        if (left > 0) rig.executor.run(attempt, next);
      },
    };
    rig.executor.run(makeAttempt('nothing'), next);
    expect(left).toBe(0);
  });

  it('runs 100,000 attempts that do nothing in well under a second', async () => {
    await using rig = await Rig.start('async', { nothing: async () => undefined });
    const attempt = makeAttempt('nothing');
    let left = 100_000;
    const startedAt = performance.now();
    await new Promise<void>((resolve) => {
      const listener: AttemptListener = {
        onStart() {},
        onEvent() {},
        onOutcome() {
          left -= 1;
          if (left === 0) resolve();
        },
      };
      for (let n = 0; n < 100_000; n += 1) rig.executor.run({ ...attempt, jobId: `many-${n}` }, listener);
    });
    // Ten times of what it takes: this finds a change of order, not of percents.
    expect(performance.now() - startedAt).toBeLessThan(2_000);
  });
});
