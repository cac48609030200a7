import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type Circuit,
  type CircuitSettings,
  circuitSettings,
  closedCircuit,
  countAttempts,
  defaultCircuit,
  endProbes,
  mayProbe,
  openByHand,
  takeProbes,
  validateCircuit,
  windowOf,
} from './circuit.ts';
import { isLineshaftError } from './errors.ts';

const settings: CircuitSettings = {
  ...defaultCircuit,
  minAttempts: 10,
  windowMs: 10_000,
  pauseMs: 1_000,
  pauseLimitMs: 4_000,
  probes: 2,
};

function count(circuit: Circuit, attempts: number, failures: number, nowMs: number): Circuit {
  return countAttempts(circuit, settings, { attempts, failures }, nowMs);
}

function end(circuit: Circuit, good: number, bad: number, unused: number, nowMs: number): Circuit {
  return endProbes(circuit, settings, { round: circuit.round, good, bad, unused }, nowMs);
}

/** A circuit that is half-open at 1,000 ms with both probes handed out. */
function probing(): Circuit {
  const { circuit, granted } = takeProbes(count(closedCircuit(0), 10, 10, 0), settings, 5, 1_000);
  expect(granted).toBe(2);
  return circuit;
}

describe('a closed circuit', () => {
  test.each<[string, [attempts: number, failures: number, atMs: number][], Circuit['state']]>([
    ['opens when the rate is reached', [[10, 5, 0]], 'open'],
    ['not below the rate', [[10, 4, 0]], 'closed'],
    ['not with too few attempts', [[9, 9, 0]], 'closed'],
    [
      'adds up what workers report',
      [
        [5, 5, 0],
        [4, 1, 100],
        [1, 1, 200],
      ],
      'open',
    ],
    [
      'does not open by successes',
      [
        [9, 9, 0],
        [1, 0, 100],
      ],
      'closed',
    ],
    [
      'forgets what is older than two windows',
      [
        [9, 9, 0],
        [1, 1, 20_000],
      ],
      'closed',
    ],
    [
      'knows the window before by its share: half of it',
      [
        [9, 9, 0],
        [5, 5, 15_000],
      ],
      'closed',
    ],
    [
      'knows the window before by its share: nearly all of it',
      [
        [9, 9, 0],
        [2, 2, 10_001],
      ],
      'open',
    ],
  ])('%s', (_name, reports, state) => {
    let circuit = closedCircuit(0);
    for (const [attempts, failures, atMs] of reports) circuit = count(circuit, attempts, failures, atMs);
    expect(circuit.state).toBe(state);
  });

  test('counts nothing where it is switched off, and tells nothing new where nothing ended', () => {
    const circuit = closedCircuit(0);
    expect(countAttempts(circuit, { ...settings, enabled: false }, { attempts: 99, failures: 99 }, 0)).toBe(
      circuit,
    );
    expect(count(circuit, 0, 0, 5)).toBe(circuit);
  });

  test('hands out no probes', () => {
    expect(takeProbes(closedCircuit(0), settings, 5, 1e9).granted).toBe(0);
  });
});

describe('an open circuit', () => {
  const open = count(closedCircuit(0), 10, 10, 500);

  test('waits for its pause, counts nothing, and says why', () => {
    expect(open).toMatchObject({ untilMs: 1_500, openings: 1, round: 1, reason: '10 of 10 attempts failed' });
    expect(count(open, 10, 10, 600)).toBe(open);
    expect(takeProbes(open, settings, 5, 1_499)).toEqual({ circuit: open, granted: 0 });
  });

  test('hands out exactly its probes to those who ask first', () => {
    const first = takeProbes(open, settings, 1, 1_500);
    expect([first.circuit.state, first.granted]).toEqual(['half-open', 1]);
    const second = takeProbes(first.circuit, settings, 8, 1_500);
    expect(second.granted).toBe(1);
    expect(takeProbes(second.circuit, settings, 8, 1_600).granted).toBe(0);
  });

  test('by hand without a time it waits until it is closed', () => {
    const byHand = openByHand(closedCircuit(0), undefined, 'the bank is down', 10);
    expect(mayProbe(byHand, 1e12)).toBe(false);
    const until = openByHand(closedCircuit(0), 5_000, 'the bank is down', 10);
    expect([mayProbe(until, 4_999), mayProbe(until, 5_000)]).toEqual([false, true]);
  });
});

describe('a half-open circuit', () => {
  test('closes when all probes succeeded, and counts from zero', () => {
    const half = end(probing(), 1, 0, 0, 1_100);
    expect(half.state).toBe('half-open');
    expect(end(half, 1, 0, 0, 1_200)).toEqual(closedCircuit(1_200, 1));
  });

  test('opens again when a probe failed, each time for longer, up to the limit', () => {
    const pauses: number[] = [];
    let circuit = probing();
    for (let nowMs = 2_000; pauses.length < 4; nowMs += 10_000) {
      circuit = end(circuit, 1, 1, 0, nowMs);
      expect(circuit.state).toBe('open');
      pauses.push((circuit.untilMs ?? 0) - nowMs);
      circuit = takeProbes(circuit, settings, 2, nowMs + 9_000).circuit;
    }
    expect(pauses).toEqual([2_000, 4_000, 4_000, 4_000]);
  });

  test('takes back probes that were not tried, and hands them out again', () => {
    const back = end(probing(), 0, 0, 1, 1_100);
    expect(back).toMatchObject({ probesLeft: 1, probesOut: 1 });
    expect(takeProbes(back, settings, 5, 1_200).granted).toBe(1);
  });

  test('hands out anew, after a pause, what nobody was heard of, and still takes the late word', () => {
    const half = probing();
    expect(takeProbes(half, settings, 5, 1_999).granted).toBe(0);
    const again = takeProbes(half, settings, 5, 2_000);
    expect(again.granted).toBe(2);
    expect(end(again.circuit, 2, 0, 0, 2_100).state).toBe('closed');
  });

  test('does not listen to the probes of an earlier round', () => {
    const earlier = probing();
    const now = takeProbes(end(earlier, 0, 1, 0, 1_100), settings, 2, 9_000).circuit;
    expect(endProbes(now, settings, { round: earlier.round, good: 2, bad: 0, unused: 0 }, 9_100)).toBe(now);
  });
});

/** What can happen to a circuit, some time after what happened before. */
const step = fc.record({
  afterMs: fc.integer({ min: 0, max: 6_000 }),
  what: fc.oneof(
    fc.record({
      type: fc.constant('count' as const),
      attempts: fc.nat(30),
      share: fc.double({ min: 0, max: 1, noNaN: true }),
    }),
    fc.record({ type: fc.constant('take' as const), most: fc.nat(4) }),
    fc.record({
      type: fc.constant('end' as const),
      good: fc.nat(2),
      bad: fc.nat(1),
      unused: fc.nat(2),
      old: fc.boolean(),
    }),
    fc.record({ type: fc.constant('open' as const), forMs: fc.option(fc.nat(5_000)) }),
    fc.record({ type: fc.constant('close' as const) }),
  ),
});

test('whatever happens, probes are bounded, pauses too, and nothing but success or a hand closes it', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      let circuit = closedCircuit(0);
      let nowMs = 0;
      for (const { afterMs, what } of steps) {
        nowMs += afterMs;
        const before = circuit;
        let granted = 0;
        if (what.type === 'count')
          circuit = count(circuit, what.attempts, Math.floor(what.attempts * what.share), nowMs);
        else if (what.type === 'take')
          ({ circuit, granted } = takeProbes(circuit, settings, what.most, nowMs));
        else if (what.type === 'end') {
          const round = circuit.round - (what.old ? 1 : 0);
          const unused = Math.min(what.unused, circuit.probesOut);
          circuit = endProbes(circuit, settings, { ...what, round, unused }, nowMs);
        } else if (what.type === 'open') {
          const untilMs = what.forMs === null ? undefined : nowMs + what.forMs;
          circuit = openByHand(circuit, untilMs, 'by hand', nowMs);
        } else circuit = closedCircuit(nowMs, circuit.round);

        const { probesLeft, probesOut, probesGood } = circuit;
        expect(Math.min(probesLeft, probesOut, probesGood)).toBeGreaterThanOrEqual(0);
        expect(probesLeft + probesOut).toBeLessThanOrEqual(settings.probes);
        expect(granted).toBeLessThanOrEqual(settings.probes);
        if (granted > 0) expect(mayProbe(before, nowMs)).toBe(true);
        expect(circuit.failures).toBeLessThanOrEqual(circuit.attempts);
        expect(windowOf(circuit, settings, nowMs).attempts).toBeGreaterThanOrEqual(0);
        expect(circuit.round).toBeGreaterThanOrEqual(before.round);
        if (circuit.state === 'open' && !circuit.byHand) {
          expect((circuit.untilMs ?? Number.NaN) - circuit.sinceMs).toBeLessThanOrEqual(
            settings.pauseLimitMs,
          );
        }
        if (before.state !== 'closed' && circuit.state === 'closed') {
          expect(what.type === 'close' || (what.type === 'end' && what.good > 0 && what.bad === 0)).toBe(
            true,
          );
        }
        if (before.state === 'closed' && circuit.state !== 'closed') expect(circuit.state).toBe('open');
      }
    }),
    { numRuns: 500 },
  );
});

test.each<[unknown, string]>([
  [{ failureRate: 0 }, 'circuit.failureRate'],
  [{ failureRate: 1.1 }, 'circuit.failureRate'],
  [{ minAttempts: 0 }, 'circuit.minAttempts'],
  [{ windowMs: 10 }, 'circuit.windowMs'],
  [{ pauseMs: 5_000, pauseLimitMs: 4_000 }, 'circuit.pauseLimitMs'],
  [{ probes: 1.5 }, 'circuit.probes'],
  [{ enabled: 'no' }, 'circuit.enabled'],
  [{ treshold: 1 }, 'circuit.treshold'],
  [false, 'circuit'],
])('%j is refused', (value, field) => {
  try {
    validateCircuit(value);
    expect.unreachable();
  } catch (error) {
    if (!isLineshaftError(error)) throw error;
    expect(error.details['field'] ?? error.message).toBe(field);
  }
});

test('what is set as data goes before what the code declares', () => {
  expect(circuitSettings({ probes: 5 }, { probes: 1, pauseMs: 5_000_000 })).toEqual({
    ...defaultCircuit,
    probes: 5,
    pauseMs: 5_000_000,
    pauseLimitMs: 5_000_000,
  });
  expect(validateCircuit(true)).toEqual({});
});
