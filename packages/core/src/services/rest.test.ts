import { expect, test } from 'vitest';
import { stillClock } from '../testing/still-clock.ts';
import { Rest } from './rest.ts';
import { Loop } from './service.ts';

/** A worker with a loop that does a round each second, one that goes first, and what its rest has asked of it. */
function sleeper(
  options: {
    nextMs?: number;
    renew?: () => Promise<void>;
    firstRound?: (renewing: Promise<void> | undefined) => Promise<void>;
  } = {},
) {
  const clock = stillClock();
  const said: string[] = [];
  const state = { quiet: true, nextMs: options.nextMs ?? Number.POSITIVE_INFINITY, rounds: 0 };
  const rest = new Rest({
    clock,
    quiet: () => state.quiet,
    nextMs: async () => {
      said.push('asked');
      return state.nextMs;
    },
    renew: async () => {
      await options.renew?.();
      said.push('renewed');
    },
    onRest: () => said.push('rests'),
  });
  const loop = new Loop({
    name: 'test',
    clock,
    rest,
    round: async () => {
      said.push('round');
      state.rounds += 1;
      return 1_000;
    },
    onError: () => {},
  });
  const first = new Loop({
    name: 'first',
    clock,
    rest,
    first: true,
    round: async () => {
      said.push('first');
      await options.firstRound?.(rest.renewing);
      said.push('first is over');
      return 1_000;
    },
    onError: () => {},
  });
  rest.start();
  loop.start();
  first.start();
  const pass = async (seconds: number): Promise<void> => {
    for (let n = 0; n < seconds; n += 1) await clock.pass(1_000);
  };
  return { clock, said, state, rest, loop, first, pass };
}

test('nothing is asked while it rests; then its lease is renewed beside the first round, before all others', async () => {
  const { clock, said, state, rest, pass } = sleeper({
    firstRound: async (renewing) => {
      if (renewing === undefined) return;
      said.push('lease not renewed');
      await renewing;
    },
  });
  await pass(10);
  expect(rest.resting).toBe(true);
  expect(said.slice(-3)).toEqual(['asked', 'renewed', 'rests']);
  expect(rest.renewedAtMs).toBe(Number.NEGATIVE_INFINITY);
  const { rounds } = state;
  await pass(3_600);
  expect(state.rounds).toBe(rounds);
  const wokenAtMs = clock.monotonic();
  said.length = 0;
  rest.wake();
  await pass(1);
  expect(rest.renewedAtMs).toBeGreaterThanOrEqual(wokenAtMs);
  expect(said.slice(0, 5)).toEqual(['first', 'lease not renewed', 'renewed', 'first is over', 'round']);
  await pass(20);
  expect(rest.resting).toBe(true);
});

test('the other loops do not wait for a first round that goes on and on', async () => {
  const over = Promise.withResolvers<void>();
  const { state, rest, pass } = sleeper({
    firstRound: async (renewing) => {
      if (renewing !== undefined) await over.promise;
    },
  });
  await pass(10);
  const { rounds } = state;
  rest.wake();
  await pass(2);
  expect(state.rounds).toBeGreaterThan(rounds);
  over.resolve();
});

test('it wakes by itself when something comes due', async () => {
  const { state, rest, pass } = sleeper({ nextMs: 60_000 });
  await pass(10);
  expect(rest.resting).toBe(true);
  const { rounds } = state;
  await pass(59);
  expect(state.rounds).toBeGreaterThan(rounds);
});

test('it does not rest while it is busy, nor for what comes due soon', async () => {
  const { state, rest, pass, said } = sleeper({ nextMs: 5_000 });
  state.quiet = false;
  await pass(60);
  expect(said).not.toContain('asked');
  state.quiet = true;
  await pass(60);
  expect(rest.resting).toBe(false);
  expect(said).toContain('asked');
  expect(state.rounds).toBeGreaterThan(100);
});

test('a wake of any loop ends it, and one that comes while it asks prevents it', async () => {
  const { state, rest, loop, pass, said } = sleeper();
  await pass(10);
  loop.wake();
  await pass(1);
  expect(rest.resting).toBe(false);
  const { rounds } = state;
  await pass(3);
  expect(state.rounds).toBeGreaterThan(rounds);
  said.length = 0;
  while (!said.includes('asked')) {
    await pass(1);
    if (said.includes('asked')) break;
  }
  expect(rest.resting).toBe(true);
});

test('with the database away it goes on only when its lease was renewed', async () => {
  let away = false;
  const { state, rest, pass } = sleeper({
    renew: async () => {
      if (away) throw new Error('away');
    },
  });
  await pass(10);
  away = true;
  const { rounds } = state;
  rest.wake();
  await pass(10);
  expect(state.rounds).toBe(rounds);
  away = false;
  await pass(3);
  expect(state.rounds).toBeGreaterThan(rounds);
});

test('a stop lets its loops end', async () => {
  const { rest, loop, first, pass } = sleeper();
  await pass(10);
  expect(rest.resting).toBe(true);
  rest.stop();
  await Promise.all([loop.stop(), first.stop()]);
});

test('it does not rest where its lease can not be renewed', async () => {
  const { said, rest, pass } = sleeper({
    renew: async () => {
      throw new Error('away');
    },
  });
  await pass(10);
  expect(said).toContain('asked');
  expect(rest.resting).toBe(false);
});
