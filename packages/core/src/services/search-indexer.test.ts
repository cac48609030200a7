import { expect, test } from 'vitest';
import type { ServiceContext } from '../plugin.ts';
import type { Indexed } from '../workflow/step-runs.ts';
import { searchIndexer } from './search-indexer.ts';
import type { LoopOptions } from './service.ts';

/** The rounds of the service, on a clock that stands still unless it is moved. */
function roundsOf(answers: (Indexed | undefined)[]) {
  let nowMs = 0;
  let round: LoopOptions['round'] | undefined;
  const context = {
    clock: { monotonic: () => nowMs },
    leadership: { term: 1 as number | undefined },
    internals: { steps: { indexRuns: async () => answers.shift() ?? { any: false, waiting: 0 } } },
    loop: (options: Pick<LoopOptions, 'round'>) => {
      round = options.round;
      return { wake: () => {} };
    },
    onMessage: () => {},
  };
  searchIndexer().service?.(context as unknown as ServiceContext);
  const { signal } = new AbortController();
  return {
    context,
    next: async (afterMs = 0): Promise<number | undefined> => {
      nowMs += afterMs;
      return await round?.(signal);
    },
  };
}

test('looks less and less often while nothing comes', async () => {
  const rounds = roundsOf([]);
  const pauses: unknown[] = [];
  for (let n = 0; n < 6; n += 1) pauses.push(await rounds.next(60_000));
  expect(pauses).toEqual([10_000, 20_000, 30_000, 30_000, 30_000, 30_000]);
});

test('what has come since the last look has it look soon, and what stays does not', async () => {
  const waits = (waiting: number) => ({ any: false, waiting });
  const rounds = roundsOf([waits(3), waits(3), waits(3), waits(4), waits(4)]);
  const pauses: unknown[] = [];
  for (let n = 0; n < 5; n += 1) pauses.push(await rounds.next(60_000));
  expect(pauses).toEqual([5_000, 10_000, 20_000, 5_000, 10_000]);
});

test('indexes while there is enough, and looks again at once for a while after', async () => {
  const any = { any: true, waiting: 0 };
  const answers = [any, any, { any: false, waiting: 7 }];
  const rounds = roundsOf(answers);
  expect(await rounds.next()).toBe(500);
  expect(answers).toEqual([]);
  expect(await rounds.next(4_000)).toBe(500);
  expect(await rounds.next(4_000)).toBe(5_000);
});

test('who does not lead asks nothing', async () => {
  const answers = [{ any: true, waiting: 0 }];
  const rounds = roundsOf(answers);
  rounds.context.leadership.term = undefined;
  expect(await rounds.next()).toBe(1_000);
  expect(answers).toHaveLength(1);
});
