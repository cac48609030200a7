/**
 * `ops.overhead`: `queue.drain` with history and every service, against the same without any: what services cost a
 * job in CPU time. Paired by round, in turn, so that the machine's drift falls on both.
 */
import { alternate, type Series } from '../alternate.ts';
import type { Bench, Context, Seat } from '../context.ts';
import { measureDrain } from '../measure/drain.ts';
import { findSystem } from '../systems/catalog.ts';

const ROUNDS = 15;

export const opsOverhead: Bench = {
  name: 'ops.overhead',
  about: 'drain with history and every service, against the same without services: CPU per job',
  variants: ['main'],
  systems: ['lineshaft'],
  run: async (context) => {
    const jobs = context.jobs(100_000, 10_000);
    const contestant = (setup: string, services: string) => ({
      system: 'lineshaft',
      setup,
      measure: () => measureDrain(context, seatOf(setup, services), { jobs, workers: 1 }),
    });
    const contestants = [contestant('without-services', 'none'), contestant('all-services', 'all')];
    const [without, all] = await alternate(contestants, context.rounds(ROUNDS), context.report);
    if (all === undefined) return;
    context.report.against('main', all, 'without-services', without);
    tellInterval(context, all, without);
  },
};

function seatOf(setup: string, services: string): Seat {
  return { system: findSystem('lineshaft'), setup, purpose: 'drain', keepHistory: true, extra: { services } };
}

/** The middle of the paired ratios and the interval that holds their median with 95 %, by order statistics. */
function tellInterval(context: Context, all: Series, without: Series | undefined): void {
  const ratios: number[] = [];
  for (const [round, ours] of all.rounds.entries()) {
    const theirs = without?.rounds[round];
    const [a, b] = [ours?.['cpu_us_per_job'], theirs?.['cpu_us_per_job']];
    if (a !== undefined && b !== undefined && b > 0) ratios.push(a / b);
  }
  ratios.sort((a, b) => a - b);
  const { length } = ratios;
  if (length === 0) return;
  // Normal approximation of the binomial ranks (Conover, Practical Nonparametric Statistics, 3.2).
  const half = (1.96 * Math.sqrt(length)) / 2;
  const low = ratios[Math.max(0, Math.floor(length / 2 - half))];
  const high = ratios[Math.min(length - 1, Math.ceil(length / 2 + half) - 1)];
  context.report.describe('cpu_us_per_job against without-services, paired rounds', {
    pairs: length,
    median: ratios[Math.floor(length / 2)],
    from: low,
    to: high,
  });
}
