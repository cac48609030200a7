/** What executors do that run attempts in threads or child processes: they hold limits against any code. */

import { appendFileSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ExecutorOptions } from '../handler.ts';
import { fixture, makeAttempt, Rig } from './executor.conformance.ts';

const kinds = [
  'compute',
  'exit',
  'fillBuffers',
  'fillHeap',
  'hang',
  'loop',
  'nothing',
  'print',
  'rejectOutside',
  'throwOutside',
  'trace',
  'turn',
];

/** Starts an executor with these handlers of the fixtures. */
export function startLanes(
  name: 'thread' | 'process',
  kinds: readonly string[],
  setup: { concurrency?: number; options?: ExecutorOptions } = {},
): Promise<Rig> {
  return Rig.start(name, Object.fromEntries(kinds.map((kind) => [kind, fixture(kind)])), setup);
}

/**
 * Runs an attempt of a kind until the executor knows that it takes microseconds, and gives it many at once.
 */
export async function warmUp(rig: Rig, kind: string, payload?: unknown): Promise<void> {
  for (let round = 0; round < 5; round += 1) {
    const ids = Array.from({ length: 50 }, () => rig.run(makeAttempt(kind, payload)));
    await Promise.all(ids.map((id) => rig.recorder.outcome(id)));
  }
}

export function describeLanes(name: 'thread' | 'process'): void {
  const memoryBytes = 96 * 1024 * 1024;

  describe(`executor ${name}, which isolates`, () => {
    let rig: Rig;
    beforeAll(async () => {
      rig = await startLanes(name, kinds, { concurrency: 100 });
    });
    afterAll(() => rig[Symbol.asyncDispose]());

    it('ends a handler that computes for ever at its time limit, and goes on', async () => {
      expect(await rig.outcomeOf('loop', null, { timeoutMs: 50 })).toMatchObject({
        type: 'failed',
        retryable: true,
        error: { code: 'TIME_LIMIT_EXCEEDED' },
      });
      expect(await rig.outcomeOf('nothing')).toMatchObject({ type: 'succeeded' });
    });

    it('ends a handler that computes for ever when it is cancelled, after the grace', async () => {
      const id = rig.run(makeAttempt('loop'));
      await rig.recorder.started(id);
      rig.executor.cancel(id, 'cancelled', 20);
      expect(await rig.recorder.outcome(id)).toMatchObject({ type: 'cancelled' });
      expect(await rig.outcomeOf('nothing')).toMatchObject({ type: 'succeeded' });
    });

    it('counts the time of an attempt from its start and not while it waits', async () => {
      const ids = [1, 2, 3, 4].map(() => rig.run(makeAttempt('compute', { ms: 120 }, { timeoutMs: 400 })));
      const outcomes = await Promise.all(ids.map((id) => rig.recorder.outcome(id)));
      expect(outcomes.map(({ type }) => type)).toEqual(ids.map(() => 'succeeded'));
    });

    it.each(['fillHeap', 'fillBuffers'])('ends an attempt that uses too much memory: %s', async (kind) => {
      expect(await rig.outcomeOf(kind, null, { memoryBytes })).toMatchObject({
        type: 'failed',
        retryable: true,
        error: { code: 'MEMORY_LIMIT_EXCEEDED' },
      });
      expect(await rig.outcomeOf('nothing', null, { memoryBytes })).toMatchObject({ type: 'succeeded' });
      expect(await rig.outcomeOf('nothing')).toMatchObject({ type: 'succeeded' });
    });

    it('holds the memory limit of the executor for attempts without their own', async () => {
      await using rig = await startLanes(name, ['fillHeap'], { options: { size: 1, memoryBytes } });
      expect(await rig.outcomeOf('fillHeap')).toMatchObject({ error: { code: 'MEMORY_LIMIT_EXCEEDED' } });
    });

    it('fails only the attempt that exits, and runs the others once', async () => {
      await withFile(async (path) => {
        await warmUp(rig, 'trace', { path });
        const before = readLines(path).length;
        const ids = Array.from({ length: 60 }, (_, n) =>
          rig.run(makeAttempt(n === 20 ? 'exit' : 'trace', { path })),
        );
        const outcomes = await Promise.all(ids.map((id) => rig.recorder.outcome(id)));
        expect(outcomes.map(({ type }) => type)).toEqual(
          ids.map((_, n) => (n === 20 ? 'failed' : 'succeeded')),
        );
        expect(outcomes[20]).toMatchObject({ retryable: true, error: { code: 'ATTEMPT_CRASHED' } });
        expect(readLines(path).slice(before).sort()).toEqual(ids.filter((_, n) => n !== 20).sort());
      });
    });

    it('does not let attempts wait behind one that hangs', async () => {
      await using rig = await startLanes(name, ['trace', 'turn'], { concurrency: 100, options: { size: 2 } });
      await withFile(async (path) => {
        // Of a kind that has always been fast, and one of them loops: those behind it are in the same lane.
        await warmUp(rig, 'turn', {});
        const stuck = rig.run(makeAttempt('turn', { loop: true }));
        const ids = Array.from({ length: 40 }, () => rig.run(makeAttempt('trace', { path })));
        ids.push(...Array.from({ length: 40 }, () => rig.run(makeAttempt('turn', {}))));
        await Promise.all(ids.map((id) => rig.recorder.outcome(id)));
        expect(rig.recorder.outcomes.has(stuck)).toBe(false);
        expect(readLines(path).sort()).toEqual(ids.slice(0, 40).sort());
        rig.executor.cancel(stuck, 'cancelled', 0);
        expect(await rig.recorder.outcome(stuck)).toMatchObject({ type: 'cancelled' });
      });
    });

    it('knows the start of an attempt that loops though its kind is fast, and holds its limit', async () => {
      await warmUp(rig, 'turn', {});
      const outcome = await rig.outcomeOf('turn', { loop: true }, { timeoutMs: 100 });
      expect(outcome).toMatchObject({ error: { code: 'TIME_LIMIT_EXCEEDED' } });
    });

    it('cancels attempts that wait without running them', async () => {
      const running = rig.run(makeAttempt('hang'));
      const waiting = [1, 2, 3].map(() => rig.run(makeAttempt('nothing')));
      await rig.recorder.started(running);
      for (const id of waiting) rig.executor.cancel(id, 'cancelled', 60_000);
      for (const id of waiting) expect(await rig.recorder.outcome(id)).toMatchObject({ type: 'cancelled' });
      expect(rig.recorder.starts.filter((id) => waiting.includes(id))).toEqual([]);
      rig.executor.cancel(running, 'cancelled', 0);
      await rig.recorder.outcome(running);
    });

    it('returns attempts that wait when it stops', async () => {
      await using rig = await startLanes(name, ['hang', 'nothing'], { concurrency: 10 });
      const ids = ['hang', 'nothing', 'nothing'].map((kind) => rig.run(makeAttempt(kind)));
      await rig.recorder.started(ids[0] ?? '');
      await rig.executor.stop();
      expect(ids.map((id) => rig.recorder.outcomes.get(id)?.type)).toEqual([
        'returned',
        'returned',
        'returned',
      ]);
    });

    it('fails an attempt with what it throws outside of its handler, and goes on', async () => {
      expect(await rig.outcomeOf('throwOutside')).toMatchObject({
        type: 'failed',
        retryable: true,
        error: { message: 'thrown outside' },
      });
      expect(await rig.outcomeOf('nothing')).toMatchObject({ type: 'succeeded' });
    });

    it('logs a rejection that nobody waits for, and fails nothing for it', async () => {
      expect(await rig.outcomeOf('rejectOutside')).toMatchObject({ type: 'succeeded' });
      expect(rig.log.lines.map(({ message }) => message).join()).toMatch(/unhandled rejection.*nobody waits/);
    });

    it('writes what user code prints to the log, line by line and in bounds', async () => {
      await rig.outcomeOf('print');
      const find = (text: string) => rig.log.lines.find(({ message }) => message.startsWith(text));
      await rig.recorder.until(() => find('long') !== undefined && find('to standard error') !== undefined);
      expect(find('to standard output')?.fields).toMatchObject({ stream: 'stdout' });
      expect(find('to standard error')?.fields).toMatchObject({ stream: 'stderr' });
      expect(find('long')?.message.length).toBe(8 * 1024);
    });

    it('refuses to start when a module ends its thread or child while it is loaded', async () => {
      const module = new URL('./fixtures/exit-at-load.ts', import.meta.url);
      const rig = new Rig(name, { wrong: { type: 'module', module } });
      await expect(rig.executor.start()).rejects.toMatchObject({
        code: 'HANDLER_INVALID',
        message: expect.stringMatching(/exit code 9 before it had run anything, 5 times in a row/),
      });
      await rig.executor.stop();
    });

    it('fails attempts when lanes can no longer be made, instead of letting them wait', async () => {
      await withFile(async (path) => {
        const fragile = {
          type: 'module',
          module: new URL(`./fixtures/fragile.ts?${path}`, import.meta.url),
        } as const;
        await using rig = await Rig.start(name, { fragile });
        expect(await rig.outcomeOf('fragile', 'ok')).toMatchObject({ type: 'succeeded' });
        appendFileSync(path, 'broken');
        expect(await rig.outcomeOf('fragile', 'exit')).toMatchObject({ error: { code: 'ATTEMPT_CRASHED' } });
        const outcome = await rig.outcomeOf('fragile', 'ok');
        expect(outcome).toMatchObject({
          type: 'failed',
          retryable: true,
          error: { code: 'ATTEMPT_CRASHED' },
        });
        expect(outcome.type === 'failed' && outcome.error.message).toMatch(/5 times in a row/);
      });
    });
  });
}

/** Gives a path of a file that is empty, and removes it. */
export async function withFile(use: (path: string) => Promise<void>): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'lineshaft-executor-'));
  try {
    const path = join(folder, 'trace');
    appendFileSync(path, '');
    await use(path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function readLines(path: string): string[] {
  return readFileSync(path, 'utf8')
    .split('\n')
    .filter((line) => line !== '');
}
