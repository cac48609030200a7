/** Runs contestants in rounds, in turn, and in reverse order every other round. */
import { unlessSignalled } from './cleanup.ts';

export type Metrics = Readonly<Record<string, number>>;

export interface Contestant {
  readonly system: string;
  readonly setup: string;
  measure(round: number): Promise<Metrics>;
}

/** What one contestant did, by round; undefined where it failed. */
export interface Series {
  readonly system: string;
  readonly setup: string;
  readonly rounds: (Metrics | undefined)[];
}

export interface Log {
  line(text: string): void;
  failed(what: string, error: unknown): void;
}

/** A contestant that has failed this often takes no further part. */
const FAILURES_ALLOWED = 2;

export async function alternate(
  contestants: readonly Contestant[],
  rounds: number,
  log: Log,
): Promise<Series[]> {
  const entries = contestants.map((contestant) => ({
    contestant,
    failures: 0,
    series: { system: contestant.system, setup: contestant.setup, rounds: [] as (Metrics | undefined)[] },
  }));
  for (let round = 0; round < rounds; round += 1) {
    const order = round % 2 === 0 ? entries : entries.toReversed();
    for (const entry of order) {
      const name = `${entry.contestant.system} (${entry.contestant.setup})`;
      if (entry.failures >= FAILURES_ALLOWED) continue;
      try {
        const metrics = await entry.contestant.measure(round).finally(unlessSignalled);
        entry.series.rounds[round] = metrics;
        log.line(`round ${round + 1}/${rounds} ${name}: ${describe(metrics)}`);
      } catch (error) {
        entry.failures += 1;
        log.failed(`round ${round + 1}/${rounds} ${name}`, error);
      }
    }
  }
  return entries.map((entry) => entry.series);
}

function describe(metrics: Metrics): string {
  return Object.entries(metrics)
    .map(([name, value]) => `${name} ${Number(value.toPrecision(4))}`)
    .join(', ');
}
