import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { describeExecutor, fixture, isRunning, makeAttempt, untilEnded } from './executor.conformance.ts';
import { describeHandlers } from './handlers.conformance.ts';
import { describeLanes, startLanes, warmUp, withFile } from './lanes.conformance.ts';
import type { Outcome } from './port.ts';

describeExecutor({
  name: 'process',
  handlers: {
    echo: fixture('echo'),
    nothing: fixture('nothing'),
    fail: fixture('fail'),
    hang: fixture('hang'),
    obey: fixture('obey'),
  },
  refused: { type: 'function', handler: () => undefined },
  holdsMemory: true,
});
describeHandlers('process');
describeLanes('process');

describe('executor process', () => {
  it('fails at once the attempt whose child was killed, and runs those behind it elsewhere', async () => {
    await using rig = await startLanes('process', ['turn', 'trace', 'pid'], { concurrency: 200 });
    await withFile(async (path) => {
      await warmUp(rig, 'trace', { path });
      const pid = numberOf(await rig.outcomeOf('pid'));
      await warmUp(rig, 'turn', {});
      const victim = rig.run(makeAttempt('turn', { loop: true }));
      const behind = Array.from({ length: 50 }, () => rig.run(makeAttempt('trace', { path })));
      // Known to have started, when it was found that it does not report.
      await rig.recorder.started(victim);
      process.kill(pid, 'SIGKILL');
      expect(await rig.recorder.outcome(victim)).toMatchObject({
        type: 'failed',
        retryable: true,
        error: { code: 'ATTEMPT_CRASHED', message: expect.stringContaining('SIGKILL') },
      });
      for (const id of behind) expect(await rig.recorder.outcome(id)).toMatchObject({ type: 'succeeded' });
      expect(numberOf(await rig.outcomeOf('pid'))).not.toBe(pid);
    });
  });

  it('fails only the attempt that kills its child amid many that are done in microseconds', async () => {
    await using rig = await startLanes('process', ['turn', 'killSelf'], { concurrency: 400 });
    await warmUp(rig, 'turn', {});
    const ids = Array.from({ length: 400 }, (_, n) =>
      rig.run(makeAttempt(n % 100 === 50 ? 'killSelf' : 'turn', {})),
    );
    const outcomes = await Promise.all(ids.map((id) => rig.recorder.outcome(id)));
    const failed = outcomes.flatMap((outcome, n) => (outcome.type === 'failed' ? [n] : []));
    expect(failed).toEqual([50, 150, 250, 350]);
  });

  it('replaces a child after as many attempts as it was told, and loses none', async () => {
    await using rig = await startLanes('process', ['pid'], {
      concurrency: 30,
      options: { size: 1, maxTasksPerChild: 10 },
    });
    const ids = Array.from({ length: 30 }, () => rig.run(makeAttempt('pid')));
    const pids = await Promise.all(ids.map(async (id) => numberOf(await rig.recorder.outcome(id))));
    const counts = [...new Set(pids)].map((pid) => pids.filter((each) => each === pid).length);
    expect(counts).toEqual([10, 10, 10]);
  });

  it('keeps its children when attempts with different memory limits take turns', async () => {
    await using rig = await startLanes('process', ['pid'], { concurrency: 20, options: { size: 2 } });
    const limits = [undefined, 2 ** 28];
    const ids = Array.from({ length: 20 }, (_, n) =>
      rig.run(makeAttempt('pid', null, { memoryBytes: limits[n % 2] })),
    );
    const pids = await Promise.all(ids.map(async (id) => numberOf(await rig.recorder.outcome(id))));
    expect(new Set(pids).size).toBeLessThanOrEqual(3);
  });

  it.each([false, true])(
    'ends on a time limit what a handler has started, also in a group of its own: %s',
    async (detached) => {
      await using rig = await startLanes('process', ['spawnAndLoop']);
      const id = rig.run(makeAttempt('spawnAndLoop', { detached }, { timeoutMs: 200 }));
      const { pid } = await rig.recorder.logged(id, 'spawned');
      expect(await rig.recorder.outcome(id)).toMatchObject({ error: { code: 'TIME_LIMIT_EXCEEDED' } });
      await untilEnded(Number(pid));
    },
  );

  it('replaces children that are killed while they have nothing to do', async () => {
    await using rig = await startLanes('process', ['pid'], { options: { size: 2 } });
    const first = numberOf(await rig.outcomeOf('pid'));
    process.kill(first, 'SIGKILL');
    expect(numberOf(await rig.outcomeOf('pid'))).not.toBe(first);
  });

  it('leaves no process behind when it has stopped', async () => {
    const rig = await startLanes('process', ['pid', 'loop'], { options: { size: 1 } });
    const pid = numberOf(await rig.outcomeOf('pid'));
    const id = rig.run(makeAttempt('loop'));
    await rig.recorder.started(id);
    await rig.executor.stop();
    expect(isRunning(pid)).toBe(false);
    expect(rig.recorder.outcomes.get(id)).toEqual({ type: 'returned' });
  });

  it('ends children that compute for ever when the worker is killed', async () => {
    const owner = spawn(process.execPath, [fileURLToPath(new URL('./fixtures/owner.ts', import.meta.url))]);
    const lines = createInterface({ input: owner.stdout });
    const [line] = (await once(lines, 'line')) as [string];
    const pid = Number(line);
    expect(isRunning(pid)).toBe(true);
    owner.kill('SIGKILL');
    await untilEnded(pid);
  });

  it('survives that user code writes to the pipe of its messages', async () => {
    await using rig = await startLanes('process', ['garble', 'nothing']);
    expect(await rig.outcomeOf('garble')).toMatchObject({
      type: 'failed',
      error: { code: 'ATTEMPT_CRASHED' },
    });
    expect(await rig.outcomeOf('nothing')).toMatchObject({ type: 'succeeded' });
  });
});

function numberOf(outcome: Outcome): number {
  return Number(outcome.type === 'succeeded' ? outcome.outputText : Number.NaN);
}
