import { expect, test } from 'vitest';
import { type Known, parseCommandLine, UsageError } from './options.ts';

const known: Known = {
  benches: ['queue.drain', 'queue.latency'],
  systems: ['lineshaft', 'graphile-worker', 'raw'],
  variantsOf: (bench) => (bench === 'queue.drain' ? ['retain-0', 'history'] : ['main']),
};

const parse = (...args: string[]) => parseCommandLine(args, known);

test('all options of a bench are read', () => {
  const line = parse(
    'queue.drain',
    '--peers',
    'raw,graphile-worker',
    '--jobs',
    '10_000',
    '--rounds=3',
    '--json',
  );
  expect(line.command).toBe('queue.drain');
  expect(line.options).toMatchObject({
    peers: ['raw', 'graphile-worker'],
    jobs: 10_000,
    rounds: 3,
    json: true,
    quick: false,
  });
});

test.each([
  [['queue.drian'], "bench 'queue.drian' not found; did you mean 'queue.drain'?"],
  [['drain'], "bench 'drain' not found; did you mean 'queue.drain'?"],
  [['queue.drain', '--peers', 'grafile-worker'], "did you mean 'graphile-worker'?"],
  [['queue.drain', '--variants', 'histroy'], "did you mean 'history'?"],
  [['queue.drain', '--job', '3'], "option '--job' not found; did you mean '--jobs'?"],
  [['queue.drain', '--jobs', 'many'], '--jobs takes a whole number of at least 1'],
  [['queue.drain', '--rounds', '0'], '--rounds takes a whole number of at least 1'],
  [['queue.drain', 'queue.latency'], "unexpected argument 'queue.latency'"],
])('%j is refused with a remedy', (args, message) => {
  expect(() => parse(...args)).toThrow(UsageError);
  expect(() => parse(...args)).toThrow(message);
});

test('without a bench there is help', () => {
  expect(parse().command).toBe('help');
  expect(parse('--help').command).toBe('help');
});
