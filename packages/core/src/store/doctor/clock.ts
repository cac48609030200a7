/** Whether the clocks of this process and of the database agree. */
import { statements } from '../statements.generated.ts';
import { ask, type Check, describeSpan } from './finding.ts';

const probes = 5;

/**
 * Each probe takes the database's time to have been read half-way of its round trip (D. L. Mills, RFC 5905,
 * §8); the one with the shortest round trip counts, since the error is at most half of that.
 */
export const clockCheck: Check = {
  code: 'clock',
  fine: 'the clocks of this process and the database agree',
  needsSchema: false,
  async run(examination) {
    let skewMs = 0;
    let roundTripMs = Number.POSITIVE_INFINITY;
    for (let probe = 0; probe < probes; probe += 1) {
      const before = examination.now();
      const [row] = await ask<{ now_ms: number }>(examination, statements.doctorClock);
      const after = examination.now();
      if (row === undefined || after - before >= roundTripMs) continue;
      roundTripMs = after - before;
      skewMs = row.now_ms - (before + after) / 2;
    }
    if (Math.abs(skewMs) <= examination.limits.clockSkewMs + roundTripMs / 2) return [];
    return [
      {
        code: 'clock-skew',
        severity: 'warning',
        title:
          `the clock of this process is ${describeSpan(Math.abs(skewMs))} ` +
          `${skewMs > 0 ? 'behind' : 'ahead of'} that of the database`,
        detail:
          `Measured to ${Math.ceil(roundTripMs / 2)} ms. Lineshaft goes by the database's clock alone, ` +
          'but run times that programs compute here, and the times in logs, are off.',
        remedy: 'Synchronise the clocks of both machines (NTP).',
      },
    ];
  },
};
